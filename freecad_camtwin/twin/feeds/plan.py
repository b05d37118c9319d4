# SPDX-License-Identifier: LGPL-2.1-or-later
"""The feed plan: new feeds of stretches of commands, with reasons; plain data and plain text.

``planner.py`` makes one, ``into_commands.py`` writes it into stored commands, ``into_program.py`` into the
text of a program. This module needs the standard library alone, so that a document can apply a plan
if nothing else of the twin is installed.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from freecad_camtwin.errors import PlanError
from freecad_camtwin.twin.job.command import PathCommand

PLAN_SCHEMA = "camtwin.plan/1"

#: The bounds of a plan: limits if the user stated one, else the programmed load (auto); limits; the programmed load.
OBJECTIVES = ("auto", "limits", "programmed")


class Reason(StrEnum):
    """Why a feed changes, in the words that the user reads."""

    CHIP_THINNING = "chip thinning"
    CHIP_LIMIT = "chip limit"
    FORCE = "force limit"
    TORQUE = "torque limit"
    POWER = "power limit"
    DEFLECTION = "deflection limit"
    REFERENCE = "programmed load"
    ENTRY = "entry"
    CORNER = "corner"
    ACCELERATION = "machine acceleration"
    CAP = "user cap"
    MACHINE = "machine feed"
    MINIMUM = "minimum feed"
    THIN = "minimum chip"
    AIR = "air"


def commands_hash(commands: Iterable[PathCommand]) -> str:
    """SHA-256 of stored commands as FreeCAD would save them: names and parameters to 6 decimals.

    Saving and reading a document back does not change it: FreeCAD cuts a value after the seventh decimal,
    rounds halves up and drops N words, and so does this.
    """
    digest = hashlib.sha256(b"camtwin.commands/1")
    for name, parameters in commands:
        words = (f"{key}{_micro(value)}" for key, value in sorted(parameters.items()) if key != "N")
        title = "(" if name.startswith("(") else name.strip().upper()
        digest.update(f"{title} {' '.join(words)}\n".encode())
    return digest.hexdigest()


def _micro(value: float) -> int:
    """A parameter in millionths, rounded as FreeCAD rounds it when it saves."""
    value = float(value)
    if not math.isfinite(value):
        return -(10**18)
    rounded = (int(abs(value) * 1e7) + 5) // 10
    return -rounded if value < 0 else rounded


@dataclass(frozen=True, slots=True)
class Change:
    """A new feed on the stretch ``start`` … ``end`` of one command, as fractions of its length.

    A canned cycle has one change over its whole command.
    """

    command: int  #: index in the operation's stored path, -1 where the source is a program
    line: int  #: 1-based line of the program, -1 where the source is a document
    move: int  #: index of the (first) move in the toolpath
    start: float  #: "from" in the file, 0 … 1
    end: float  #: "to" in the file, 0 … 1
    feed_before: float | None  #: vf as programmed [mm/s], None where the source gives none
    feed_after: float  #: vf as planned [mm/s]
    reason: str  #: a word of Reason

    def __post_init__(self) -> None:
        if not (0 <= self.start < self.end <= 1):
            raise PlanError(f"{self.where} has a stretch from {self.start:g} to {self.end:g}, not inside 0 … 1")
        if not (math.isfinite(self.feed_after) and self.feed_after > 0):
            raise PlanError(f"{self.where} has a feed of {self.feed_after:g} mm/s; a feed is above 0")

    @property
    def where(self) -> str:
        """Its name in a sentence."""
        return f"the change at line {self.line}" if self.line >= 0 else f"the change at command {self.command}"


@dataclass(frozen=True, slots=True)
class Binding:
    """A stretch that stays outside a limit because the feed cannot be lowered or raised enough."""

    command: int
    line: int
    move: int
    limit: str  #: the limit's word in Reason
    ratio: float  #: load over limit at the planned feed, above 0.98; of a least chip the limit over the chip
    feed: float  #: the planned feed there [mm/s]


@dataclass(frozen=True, slots=True)
class OperationPlan:
    """The changes of one operation, in path order, keyed to the commands that they were planned for."""

    label: str
    name: str | None = None  #: FreeCAD's internal name
    uuid: str | None = None
    base_hash: str | None = None  #: ``commands_hash`` of the base's commands, None for a program
    changes: tuple[Change, ...] = ()
    bindings: tuple[Binding, ...] = ()  #: where a load stays above its limit, or a chip below its least
    note: str = ""  #: a sentence: the bounds of the plan, or why there is no plan

    def to_json(self) -> str:
        """The operation alone as text, e.g. for a property of a document object."""
        return _operation_text(self, "")

    @classmethod
    def from_json(cls, text: str) -> "OperationPlan":
        """Read what ``to_json`` wrote; PlanError names the entry at fault."""
        return _operation(_parse(text), "the operation's plan")


@dataclass(frozen=True, slots=True)
class Totals:
    """Before and after, in seconds and mm."""

    time_before: float | None = None  #: [s], None where a feed is not known
    time_after: float | None = None  #: [s]
    clock: str = "feed"  #: "controller": a machine profile was followed; "feed": length over feed, no acceleration
    changed_length: float = 0.0  #: length of the stretches whose feed changes [mm]
    cutting_length: float = 0.0  #: length of all feed moves [mm]

    @property
    def sentence(self) -> str:
        """The saving in words, and how the time was computed."""
        if self.time_before is None or self.time_after is None:
            return "The time is unknown: a feed is missing."
        how = (
            "with the machine's acceleration"
            if self.clock == "controller"
            else "by length over feed, without acceleration"
        )
        saved = self.time_before - self.time_after
        word = "saved" if saved >= 0 else "added"
        return f"{self.time_before:.1f} s before, {self.time_after:.1f} s after: {abs(saved):.1f} s {word}, {how}."


@dataclass(frozen=True, slots=True)
class FeedPlan:
    """New feeds for a toolpath. ``relative``: bounded by the load of its own programmed feeds, not by limits."""

    toolpath: str  #: hash of the toolpath it was planned on
    operations: tuple[OperationPlan, ...]
    relative: bool = False
    sentence: str = ""  #: the bounds of the plan, in words
    totals: Totals = field(default_factory=Totals)
    options: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def changes(self) -> int:
        """How many stretches get a new feed."""
        return sum(len(operation.changes) for operation in self.operations)

    def to_json(self) -> str:
        """The plan as text: one change per line, stable order, so that two plans can be compared as text."""
        head = {
            "schema": PLAN_SCHEMA,
            "toolpath": self.toolpath,
            "units": "mm, mm/s, s",
            "relative": self.relative,
            "sentence": self.sentence,
            "options": dict(sorted(self.options.items())),
            "totals": {item.name: getattr(self.totals, item.name) for item in fields(Totals)},
            "warnings": list(self.warnings),
        }
        lines = [f"  {json.dumps(key)}: {_dump(value)}" for key, value in head.items()]
        operations = [_operation_text(operation, "    ") for operation in self.operations]
        lines.append(f'  "operations": {_list(operations, "  ")}')
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> "FeedPlan":
        """Read what ``to_json`` wrote; PlanError names the entry at fault."""
        data = _parse(text)
        if data.get("schema") != PLAN_SCHEMA:
            raise PlanError(f"the feed plan's schema is {data.get('schema')!r}, not {PLAN_SCHEMA!r}")
        totals = _section(data, "totals", dict, "the feed plan")
        operations = _section(data, "operations", list, "the feed plan")
        return cls(
            toolpath=_section(data, "toolpath", str, "the feed plan"),
            operations=tuple(_operation(item, f"operation {i + 1}") for i, item in enumerate(operations)),
            relative=_section(data, "relative", bool, "the feed plan"),
            sentence=_section(data, "sentence", str, "the feed plan"),
            totals=_record(Totals, totals, "the feed plan's totals"),
            options=_section(data, "options", dict, "the feed plan"),
            warnings=tuple(_section(data, "warnings", list, "the feed plan")),
        )


# The text. The keys of a record are its field names, except start and end, which are written as from and to.
_KEYS = {"start": "from", "end": "to"}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "command": int, "line": int, "move": int, "start": (int, float), "end": (int, float),
    "feed_before": (int, float, type(None)), "feed_after": (int, float), "reason": str,
    "limit": str, "ratio": (int, float), "feed": (int, float), "clock": str,
    "time_before": (int, float, type(None)), "time_after": (int, float, type(None)),
    "changed_length": (int, float), "cutting_length": (int, float),
}  # fmt: skip


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=isinstance(value, dict), allow_nan=False)


def _list(items: list[str], indent: str) -> str:
    if not items:
        return "[]"
    return "[\n" + ",\n".join(items) + f"\n{indent}]"


#: Created once: a plan has tens of thousands of records.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_NAMES = {kind: tuple((f.name, _KEYS.get(f.name, f.name)) for f in fields(kind)) for kind in (Change, Binding, Totals)}


def _line(record: Change | Binding, indent: str) -> str:
    """One record on one line; the unused one of the keys command and line is left out."""
    unused = "command" if record.command < 0 else "line"
    return indent + _encode({key: getattr(record, name) for name, key in _NAMES[type(record)] if name != unused})


def _operation_text(plan: OperationPlan, indent: str) -> str:
    inner = indent + "  "
    lines = [
        f"{inner}{json.dumps(key)}: {_dump(getattr(plan, key))}"
        for key in ("label", "name", "uuid", "base_hash", "note")
    ]
    for key, records in (("changes", plan.changes), ("bindings", plan.bindings)):
        lines.append(f"{inner}{json.dumps(key)}: {_list([_line(record, inner + '  ') for record in records], inner)}")
    return f"{indent}{{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _parse(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise PlanError(f"the feed plan is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise PlanError("the feed plan is not a JSON object")
    return data


def _section(data: Any, key: str, kind: type, where: str) -> Any:
    if not isinstance(data, dict):
        raise PlanError(f"{where} is not a JSON object")
    if not isinstance(data.get(key), kind):
        raise PlanError(f"{where} lacks {key!r}, or it is not a {kind.__name__}")
    return data[key]


def _record(kind: Any, data: Any, where: str) -> Any:
    """Build a record from its JSON object, checking each entry's type."""
    if not isinstance(data, dict):
        raise PlanError(f"{where} is not a JSON object")
    values = {}
    for name, key in _NAMES[kind]:
        value = data.get(key, -1 if name in ("command", "line") else None)
        if isinstance(value, bool) or not isinstance(value, _TYPES[name]):
            raise PlanError(f"{where} has {key!r} = {value!r}")
        values[name] = value
    return kind(**values)


def _operation(data: Any, where: str) -> OperationPlan:
    label = _section(data, "label", str, where)
    where = f"{where} ({label!r})"
    for key in ("name", "uuid", "base_hash"):
        if not isinstance(data.get(key), str | None):
            raise PlanError(f"{where} has {key!r} = {data.get(key)!r}")
    changes = _section(data, "changes", list, where)
    bindings = _section(data, "bindings", list, where)
    return OperationPlan(
        label=label,
        name=data.get("name"),
        uuid=data.get("uuid"),
        base_hash=data.get("base_hash"),
        changes=tuple(_record(Change, item, f"{where}: change {i + 1}") for i, item in enumerate(changes)),
        bindings=tuple(_record(Binding, item, f"{where}: binding {i + 1}") for i, item in enumerate(bindings)),
        note=_section(data, "note", str, where),
    )
