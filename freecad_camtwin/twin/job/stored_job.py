# SPDX-License-Identifier: LGPL-2.1-or-later
"""A job as a FreeCAD document stores it: commands that are not yet interpreted as moves.

FreeCAD's process reads the commands (``document.job``); they are interpreted here, with the interpreter and its
kernels. So FreeCAD's process needs only numpy to pass a job on.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freecad_camtwin.errors import DocumentError
from freecad_camtwin.twin.job.command import PathCommand
from freecad_camtwin.twin.job.job import Job, Operation, Stock
from freecad_camtwin.twin.job.tool import Tool

#: The fields that are copied to a Job unchanged.
_SHARED = (
    "label",
    "tools",
    "stock",
    "material",
    "machine",
    "objective",
    "name",
    "source",
    "freecad_version",
    "can_be_saved",
    "mends_with",
)

_COOLANT_ON = {"flood": "M8", "mist": "M7"}


@dataclass(frozen=True, slots=True)
class StoredOperation:
    """One operation: its commands, and the speed and coolant of its tool controller."""

    operation: Operation
    commands: Sequence[PathCommand]
    n_rpm: float = math.nan  #: of its controller, NaN if that has none
    is_reversed: bool = False  #: M4 instead of M3
    coolant: str = "None"  #: FreeCAD's word: "None", "Mist", "Flood"


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job's operations in the order in which they are posted, and the other data of a ``Job``."""

    label: str
    operations: tuple[StoredOperation, ...]
    tools: tuple[Tool, ...]
    stock: Stock | None = None
    material: str | None = None
    machine: str | None = None
    name: str | None = None
    warnings: tuple[str, ...] = ()
    source: str = ""
    freecad_version: str | None = None
    can_be_saved: bool = True
    mends_with: str | None = None
    objective: str = "auto"


def interpret_stored(stored: StoredJob) -> Job:
    """Interpret the commands as moves. ProgramError or ToolpathError names a command that is not supported."""
    from freecad_camtwin.twin.job import rs274  # not above: FreeCAD's process need not have numba

    if not stored.operations:
        raise DocumentError(f"job {stored.label!r} has no active operation with a path: nothing to analyze")
    toolpath, warnings = rs274.interpret_streams([rs274.Stream(*stream) for stream in _streams(stored)])
    if toolpath.moves == 0:
        raise DocumentError(f"job {stored.label!r} moves nothing: its operations have no moves")
    unknown = np.array([math.isnan(item.n_rpm) and not _has_speed(item.commands) for item in stored.operations])
    toolpath = replace(toolpath, n_rpm=np.where(unknown[toolpath.operation], np.nan, toolpath.n_rpm))
    plain = {name: getattr(stored, name) for name in _SHARED}
    operations = tuple(item.operation for item in stored.operations)
    return Job(**plain, toolpath=toolpath, operations=operations, warnings=(*stored.warnings, *warnings))


def _has_speed(commands: Sequence[PathCommand]) -> bool:
    return any("S" in parameters for name, parameters in commands if not name.startswith("("))


def _streams(stored: StoredJob) -> Iterator[tuple[Sequence[PathCommand], str, int, int]]:
    """Yield commands, label, operation and tool: for each operation its controller's commands, then its own."""
    tool = -1
    spindle: tuple[float, bool] | None = None
    for index, item in enumerate(stored.operations):
        label, at = item.operation.label, item.operation.tool
        before: list[PathCommand] = []
        if at >= 0 and at != tool:
            before.append(("M6", {"T": float(stored.tools[at].number or 0)}))
            tool, spindle = at, None
        if at >= 0 and not math.isnan(item.n_rpm) and spindle != (item.n_rpm, item.is_reversed):
            before.append(("M4" if item.is_reversed else "M3", {"S": item.n_rpm}))
            spindle = (item.n_rpm, item.is_reversed)
        on = _COOLANT_ON.get(item.coolant.lower())
        if on:
            before.append((on, {}))
        yield before, label, -1, at
        yield item.commands, label, index, at
        yield [("M9", {})] if on else [], label, -1, at


def pack_commands(operations: Sequence[StoredOperation]) -> dict[str, NDArray[Any]]:
    """Return the commands of all operations as arrays: names by number, a column for each letter, NaN if absent."""
    commands = [command for item in operations for command in item.commands]
    names = sorted({name for name, _ in commands})
    letters = sorted({letter for _, parameters in commands for letter in parameters})
    number = {name: at for at, name in enumerate(names)}
    column = {letter: at for at, letter in enumerate(letters)}
    values = np.full((len(commands), len(letters)), np.nan)
    for row, (_, parameters) in enumerate(commands):
        for letter, value in parameters.items():
            values[row, column[letter]] = value
    return {
        "commands.names": np.array(names or [""]),
        "commands.letters": np.array(letters or [""]),
        "commands.name": np.array([number[name] for name, _ in commands], np.int32),
        "commands.values": values,
        "commands.count": np.array([len(item.commands) for item in operations], np.int64),
    }


def unpack_commands(arrays: Mapping[str, NDArray[Any]]) -> list[list[PathCommand]]:
    """Return the commands of each operation from the arrays of ``pack_commands``."""
    names = [str(name) for name in arrays["commands.names"]]
    letters = [str(letter) for letter in arrays["commands.letters"]]
    values = arrays["commands.values"]
    given = ~np.isnan(values)
    flat: list[PathCommand] = [
        (names[name], {letters[at]: float(row[at]) for at in np.flatnonzero(mask)})
        for name, row, mask in zip(arrays["commands.name"], values, given, strict=True)
    ]
    ends = np.cumsum(arrays["commands.count"])
    return [flat[end - count : end] for end, count in zip(ends, arrays["commands.count"], strict=True)]
