# SPDX-License-Identifier: LGPL-2.1-or-later
"""From the list of a machine's items to a proposed signal map, which a person checks.

The rules in order: an item named like a column, as in a recording; the type that the source declares (MTConnect's
words); the words in the item's name. An item without a unit is taken to be in CAM Twin's. If two items have the same
meaning, the first one of the better rule is proposed, and a note names the others.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from freecad_camtwin.twin.signals import units
from freecad_camtwin.twin.signals.signal_map import QUANTITIES, Meaning, Signal, SignalMap


@dataclass(frozen=True, slots=True)
class Item:
    """The description of one item of a source, from a probe document or an address space."""

    name: str  #: its name in observations
    type: str = ""  #: MTConnect type, or "" if the source has none
    unit: str = ""
    sub_type: str = ""  #: MTConnect subType, such as ACTUAL or PROGRAMMED
    component: str = ""  #: kind and name of the component, such as "Rotary S" or "Linear X"
    label: str = ""  #: its name for people, if ``name`` is only an identifier


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed map, with notes for the person who checks it."""

    signals: SignalMap
    notes: tuple[str, ...]  #: one sentence each: items not chosen, units that do not fit


_SPINDLE = re.compile(r"spindle|rotary ?s\b|\bs1?\b|main", re.I)
_COMMANDED = re.compile(r"COMMANDED|PROGRAMMED|TARGET", re.I)
_PLAIN = {
    "WATTAGE": Meaning.SPINDLE_POWER, "WATT": Meaning.SPINDLE_POWER, "AMPERAGE": Meaning.SPINDLE_CURRENT,
    "TORQUE": Meaning.SPINDLE_TORQUE, "ROTARY_VELOCITY": Meaning.SPINDLE_SPEED,
    "SPINDLE_SPEED": Meaning.SPINDLE_SPEED, "ROTARY_VELOCITY_OVERRIDE": Meaning.SPINDLE_OVERRIDE,
    "PATH_FEEDRATE": Meaning.FEED, "LINE_NUMBER": Meaning.LINE_NUMBER, "LINE": Meaning.LINE_NUMBER,
    "TOOL_NUMBER": Meaning.TOOL_NUMBER, "PART_COUNT": Meaning.PART_COUNT, "PROGRAM": Meaning.PROGRAM,
    "BLOCK": Meaning.BLOCK, "EXECUTION": Meaning.EXECUTION, "CONTROLLER_MODE": Meaning.CONTROLLER_MODE,
    "AVAILABILITY": Meaning.AVAILABILITY, "TEMPERATURE": Meaning.TEMPERATURE, "ACCELERATION": Meaning.VIBRATION,
}  # fmt: skip
_COLUMNS = {quantity.column: meaning for meaning, quantity in QUANTITIES.items()}
#: Words in a name → meaning, for sources without types: OPC UA, MQTT, CSV. The first match is used.
_NAMES = [
    (re.compile(pattern, re.I), meaning)
    for pattern, meaning in (
        (r"feed.?(rate)?.?overr?ide|\bfro\b", Meaning.FEED_OVERRIDE),
        (r"rapid.?overr?ide", Meaning.RAPID_OVERRIDE),
        (r"spindle.?(speed.?)?overr?ide", Meaning.SPINDLE_OVERRIDE),
        (r"spindle.?load|load.?spindle", Meaning.SPINDLE_LOAD),
        (r"(spindle|motor|clamp|inverter|vfd).?(active.?)?(power|watt)|^(active.?)?power|watt", Meaning.SPINDLE_POWER),
        (r"(spindle|motor|clamp|output).?(current|amp)|^current$|\bamps?\b", Meaning.SPINDLE_CURRENT),
        (r"torque", Meaning.SPINDLE_TORQUE),
        (r"rpm|spindle.?speed|rotary.?velocity", Meaning.SPINDLE_SPEED),
        (r"(motion|program|current)?.?line(.?(number|no))?$", Meaning.LINE_NUMBER),
        (r"tool.?(length|offset)", Meaning.TOOL_LENGTH),
        (r"tool.?(number|no|in.?spindle)?$", Meaning.TOOL_NUMBER),
        (r"part.?count", Meaning.PART_COUNT),
        (r"vibration|accel", Meaning.VIBRATION),
        (r"temp(erature)?", Meaning.TEMPERATURE),
        (r"path.?feed|(actual|current).?(feed|velocity|speed)|^feed.?(rate)?$", Meaning.FEED),
        (r"program(.?name)?$", Meaning.PROGRAM),
        (r"exec(ution)?(.?state)?$", Meaning.EXECUTION),
    )
]
_AXIS = re.compile(r"(?:^|[\W_])(?P<axis>[xyz])(?:$|[\W_\d])|(?:pos(?:ition)?|axis|load)(?P<last>[xyz])$", re.I)
_LAST_WORD = re.compile(r"[./:;=\s]")


def propose_signals(items: Iterable[Item], *, name: str = "", source: str = "") -> Proposal:
    """Propose a map for the items of a source; see the module."""
    chosen: dict[Meaning, Signal] = {}
    notes: list[str] = []
    offered = list(items)
    machine = _in_machine_coordinates(offered)
    for rule in (_by_column, _by_type, _by_name):
        for item in offered:
            meaning = rule(item)
            if meaning is None or any(signal.item == item.name for signal in chosen.values()):
                continue
            _choose(item, meaning, chosen, notes)
    signals = tuple(chosen[meaning] for meaning in Meaning if meaning in chosen)
    proposed = SignalMap(signals, name=name, source=source, coordinates="machine" if machine else "work")
    return Proposal(proposed, tuple(dict.fromkeys(notes)))


def _choose(item: Item, meaning: Meaning, chosen: dict[Meaning, Signal], notes: list[str]) -> None:
    own_unit = QUANTITIES[meaning].unit
    if own_unit and item.unit and not units.is_unit_of(item.unit, own_unit):
        notes.append(f"{item.name!r} looks like {meaning}, but {item.unit!r} is no unit of it; it is left out")
    elif meaning in chosen:
        notes.append(f"{item.name!r} may also be {meaning}; {chosen[meaning].item!r} was taken")
    else:
        chosen[meaning] = Signal(item.name, meaning, unit=item.unit if own_unit else "")


def _in_machine_coordinates(items: list[Item]) -> bool:
    """Return whether the declared positions are machine coordinates, as an MTConnect data item may state."""
    positions = [item for item in items if item.type.upper() == "POSITION"]
    return any("MACHINE" in f"{item.sub_type} {item.component}".upper() for item in positions)


def _by_column(item: Item) -> Meaning | None:
    return None if item.type else _COLUMNS.get(item.name)


def _by_type(item: Item) -> Meaning | None:
    kind = item.type.upper()
    if _COMMANDED.search(item.sub_type) and "OVERRIDE" not in kind:
        return None
    special: dict[str, Callable[[Item], Meaning | None]] = {
        "LOAD": _load,
        "POSITION": lambda each: _on_axis(each, "POSITION_"),
        "LINEAR_FORCE": lambda each: _on_axis(each, "FORCE_"),
        "WORK_OFFSET": lambda each: _on_axis(each, "WORK_OFFSET_"),
        "PATH_FEEDRATE_OVERRIDE": _override,
    }
    return special[kind](item) if kind in special else _PLAIN.get(kind)


def _load(item: Item) -> Meaning | None:
    axis = _on_axis(item, "AXIS_LOAD_")
    if axis is None and _SPINDLE.search(f"{item.component} {item.name}"):
        return Meaning.SPINDLE_LOAD
    return axis


def _override(item: Item) -> Meaning | None:
    sub = item.sub_type.upper()
    if sub == "JOG":
        return None
    return Meaning.RAPID_OVERRIDE if sub == "RAPID" else Meaning.FEED_OVERRIDE


def _on_axis(item: Item, prefix: str) -> Meaning | None:
    match = _AXIS.search(item.component) or _AXIS.search(_last_word(item.label or item.name))
    axis = match and (match["axis"] or match["last"])
    return Meaning(f"{prefix}{axis.upper()}") if axis else None


def _last_word(name: str) -> str:
    """Return the last part of a path-like name, such as a node's or a topic's."""
    return _LAST_WORD.split(name.rstrip("./"))[-1] or name


def _by_name(item: Item) -> Meaning | None:
    if item.type:
        return None
    name = item.label or item.name
    word = _last_word(name)
    for text in (word, name):
        for pattern, meaning in _NAMES:
            if pattern.search(text):
                return meaning
    if re.search(r"pos", name, re.I) or re.fullmatch(r"[xyz]", word, re.I):
        return _on_axis(item, "POSITION_")
    return _on_axis(item, "AXIS_LOAD_") if re.search(r"load", name, re.I) else None
