# SPDX-License-Identifier: LGPL-2.1-or-later
"""The signal map: meaning, unit and delay of each item of a machine or a sensor.

A map is a TOML file that a person can read and correct::

    name = "old mill with a power clamp"
    coordinates = "work"            # or "machine"

    [[signals]]
    item = "clamp/watt"
    meaning = "SPINDLE_POWER"
    unit = "kW"
    delay_s = 0.25                  # the clamp averages over half a second

A word is MTConnect's if it has one (see ``QUANTITIES`` and ``Meaning``).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct, field

from freecad_camtwin.errors import ProfileError
from freecad_camtwin.twin.base.toml import decode_toml
from freecad_camtwin.twin.signals import units


class Meaning(StrEnum):
    """The meaning of a signal."""

    SPINDLE_LOAD = "SPINDLE_LOAD"
    SPINDLE_POWER = "SPINDLE_POWER"
    SPINDLE_CURRENT = "SPINDLE_CURRENT"
    SPINDLE_TORQUE = "SPINDLE_TORQUE"
    SPINDLE_SPEED = "SPINDLE_SPEED"
    SPINDLE_OVERRIDE = "SPINDLE_OVERRIDE"
    AXIS_LOAD_X = "AXIS_LOAD_X"
    AXIS_LOAD_Y = "AXIS_LOAD_Y"
    AXIS_LOAD_Z = "AXIS_LOAD_Z"
    FORCE_X = "FORCE_X"
    FORCE_Y = "FORCE_Y"
    FORCE_Z = "FORCE_Z"
    POSITION_X = "POSITION_X"
    POSITION_Y = "POSITION_Y"
    POSITION_Z = "POSITION_Z"
    WORK_OFFSET_X = "WORK_OFFSET_X"
    WORK_OFFSET_Y = "WORK_OFFSET_Y"
    WORK_OFFSET_Z = "WORK_OFFSET_Z"
    WORK_SHIFT_X = "WORK_SHIFT_X"
    WORK_SHIFT_Y = "WORK_SHIFT_Y"
    WORK_SHIFT_Z = "WORK_SHIFT_Z"
    TOOL_LENGTH = "TOOL_LENGTH"
    FEED = "FEED"
    FEED_OVERRIDE = "FEED_OVERRIDE"
    RAPID_OVERRIDE = "RAPID_OVERRIDE"
    LINE_NUMBER = "LINE_NUMBER"
    TOOL_NUMBER = "TOOL_NUMBER"
    PART_COUNT = "PART_COUNT"
    VIBRATION = "VIBRATION"
    TEMPERATURE = "TEMPERATURE"
    PROGRAM = "PROGRAM"
    BLOCK = "BLOCK"
    EXECUTION = "EXECUTION"
    CONTROLLER_MODE = "CONTROLLER_MODE"
    AVAILABILITY = "AVAILABILITY"
    CONDITION = "CONDITION"


@dataclass(frozen=True, slots=True)
class Quantity:
    """Column and unit of a meaning."""

    column: str  #: name of the column
    unit: str | None  #: unit in CAM Twin; None for a word
    standard: str  #: MTConnect's type, "" if it has none
    steps: bool = False  #: whether it changes in steps; else it may be interpolated


#: Every meaning's quantity. Offsets and shifts give the work zero in machine coordinates (G5x, G92).
QUANTITIES: dict[Meaning, Quantity] = {
    Meaning.SPINDLE_LOAD: Quantity("spindle_load", "%", "LOAD"),
    Meaning.SPINDLE_POWER: Quantity("power", "W", "WATTAGE"),
    Meaning.SPINDLE_CURRENT: Quantity("current", "A", "AMPERAGE"),
    Meaning.SPINDLE_TORQUE: Quantity("torque", "N·mm", "TORQUE"),
    Meaning.SPINDLE_SPEED: Quantity("n_rpm", "1/min", "ROTARY_VELOCITY"),
    Meaning.SPINDLE_OVERRIDE: Quantity("spindle_override", "%", "ROTARY_VELOCITY_OVERRIDE", steps=True),
    Meaning.AXIS_LOAD_X: Quantity("load_x", "%", "LOAD"),
    Meaning.AXIS_LOAD_Y: Quantity("load_y", "%", "LOAD"),
    Meaning.AXIS_LOAD_Z: Quantity("load_z", "%", "LOAD"),
    Meaning.FORCE_X: Quantity("force_x", "N", "LINEAR_FORCE"),
    Meaning.FORCE_Y: Quantity("force_y", "N", "LINEAR_FORCE"),
    Meaning.FORCE_Z: Quantity("force_z", "N", "LINEAR_FORCE"),
    Meaning.POSITION_X: Quantity("x", "mm", "POSITION"),
    Meaning.POSITION_Y: Quantity("y", "mm", "POSITION"),
    Meaning.POSITION_Z: Quantity("z", "mm", "POSITION"),
    Meaning.WORK_OFFSET_X: Quantity("offset_x", "mm", "WORK_OFFSET", steps=True),
    Meaning.WORK_OFFSET_Y: Quantity("offset_y", "mm", "WORK_OFFSET", steps=True),
    Meaning.WORK_OFFSET_Z: Quantity("offset_z", "mm", "WORK_OFFSET", steps=True),
    Meaning.WORK_SHIFT_X: Quantity("shift_x", "mm", "", steps=True),
    Meaning.WORK_SHIFT_Y: Quantity("shift_y", "mm", "", steps=True),
    Meaning.WORK_SHIFT_Z: Quantity("shift_z", "mm", "", steps=True),
    Meaning.TOOL_LENGTH: Quantity("tool_length", "mm", "TOOL_OFFSET", steps=True),
    Meaning.FEED: Quantity("feed", "mm/s", "PATH_FEEDRATE"),
    Meaning.FEED_OVERRIDE: Quantity("feed_override", "%", "PATH_FEEDRATE_OVERRIDE", steps=True),
    Meaning.RAPID_OVERRIDE: Quantity("rapid_override", "%", "PATH_FEEDRATE_OVERRIDE", steps=True),
    Meaning.LINE_NUMBER: Quantity("line", "", "LINE_NUMBER", steps=True),
    Meaning.TOOL_NUMBER: Quantity("tool", "", "TOOL_NUMBER", steps=True),
    Meaning.PART_COUNT: Quantity("parts", "", "PART_COUNT", steps=True),
    Meaning.VIBRATION: Quantity("vibration", "mm/s²", "ACCELERATION"),
    Meaning.TEMPERATURE: Quantity("temperature", "°C", "TEMPERATURE"),
    Meaning.PROGRAM: Quantity("program", None, "PROGRAM"),
    Meaning.BLOCK: Quantity("block", None, "BLOCK"),
    Meaning.EXECUTION: Quantity("execution", None, "EXECUTION"),
    Meaning.CONTROLLER_MODE: Quantity("mode", None, "CONTROLLER_MODE"),
    Meaning.AVAILABILITY: Quantity("availability", None, "AVAILABILITY"),
    Meaning.CONDITION: Quantity("condition", None, "CONDITION"),
}


class Signal(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One item of the source and its meaning. The value is (source value · scale + offset), converted from ``unit``."""

    item: Annotated[str, Meta(min_length=1, max_length=1000)]
    meaning: Meaning
    unit: str = ""  #: of source value · scale + offset; "" for CAM Twin's
    scale: float = 1.0
    offset: float = 0.0
    delay: Annotated[float, Meta(ge=0, le=60)] = field(default=0.0, name="delay_s")  #: how late its values come [s]

    @property
    def quantity(self) -> Quantity:
        """Its column and unit in CAM Twin."""
        return QUANTITIES[self.meaning]

    @property
    def conversion(self) -> tuple[float, float]:
        """(factor, shift): value = source value · factor + shift."""
        own_unit = self.quantity.unit
        if not self.unit or own_unit is None:
            return self.scale, self.offset
        unit = units.unit(self.unit, own_unit)
        return self.scale * unit.factor, self.offset * unit.factor + unit.shift


class SignalMap(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The meanings of a machine's items; see the module."""

    signals: tuple[Signal, ...]
    name: str = ""
    source: str = ""  #: the address of the source of these items
    coordinates: Literal["work", "machine"] = "work"  #: the coordinate system of the positions
    work_zero: tuple[float, float, float] | None = field(default=None, name="work_zero_mm")  #: in machine coordinates
    rated_power: Annotated[float, Meta(gt=0)] | None = field(default=None, name="rated_power_w")  #: 100 % of load [W]

    def of(self, meaning: Meaning) -> Signal | None:
        """Return the signal with this meaning; None if there is none."""
        return next((signal for signal in self.signals if signal.meaning is meaning), None)

    @property
    def delay(self) -> float:
        """The longest delay of all signals [s]."""
        return max((signal.delay for signal in self.signals), default=0.0)


def read_signals(path: str | Path) -> SignalMap:
    """Read a map from a TOML file; ProfileError, one sentence that names the file and the entry."""
    path = Path(path)
    try:
        if path.stat().st_size > 2**20:
            raise ProfileError(f"the signal map {path} is larger than 1 MB; give a map, not a recording")
        text = path.read_bytes()
    except OSError as error:
        raise ProfileError(f"the signal map {path} cannot be read: {error.strerror}") from error
    return decode_signals(text, path.name)


def decode_signals(text: bytes, label: str) -> SignalMap:
    """Read a map from TOML text; ``label`` names it in errors."""
    signals = decode_toml(text, SignalMap, f"signal map {label}", noun="a signal map", words=Meaning)
    return check_signals(signals, label)


def check_signals(signals: SignalMap, label: str) -> SignalMap:
    """Return the map unchanged; ProfileError if an entry is impossible."""
    for fault in _faults(signals):
        raise ProfileError(f"signal map {label}: {fault}")
    return signals


def _faults(signals: SignalMap) -> Iterator[str]:
    if not signals.signals:
        yield "it has no [[signals]]; name at least one item and its meaning"
    item_of: dict[Meaning, str] = {}
    for signal in signals.signals:
        if signal.meaning in item_of:
            yield f"{signal.meaning} is mapped to {item_of[signal.meaning]!r} and to {signal.item!r}; keep one of them"
        item_of[signal.meaning] = signal.item
        yield from _faults_of(signal)
    if signals.work_zero is not None and not all(math.isfinite(value) for value in signals.work_zero):
        yield "work_zero_mm must be three finite numbers"
    if signals.work_zero is not None and signals.coordinates == "work":
        yield 'work_zero_mm is for coordinates = "machine"; leave it out, or set coordinates to "machine"'


def _faults_of(signal: Signal) -> Iterator[str]:
    if not math.isfinite(signal.scale) or signal.scale == 0 or not math.isfinite(signal.offset):
        yield (
            f"{signal.item!r} has scale {signal.scale:g} and offset {signal.offset:g}; "
            "give finite numbers and no scale 0"
        )
    if not signal.unit:
        return
    own_unit = signal.quantity.unit
    if own_unit is None:
        yield f"{signal.item!r} is a word ({signal.meaning}) and has no unit; leave out {signal.unit!r}"
    elif not units.is_unit_of(signal.unit, own_unit):
        choices = units.convertible_units(own_unit)
        yield f"{signal.item!r}: {signal.unit!r} is no unit of {signal.meaning}; known are {choices}"


def encode_signals(signals: SignalMap) -> bytes:
    """Return a map as TOML text, such as a proposed map, for a person to correct."""
    table = msgspec.to_builtins(signals)
    rows = table.pop("signals")
    lines = [f"{key} = {_value(value)}" for key, value in table.items()]
    for row in rows:
        lines += ["", "[[signals]]", *(f"{key} = {_value(value)}" for key, value in row.items())]
    return "\n".join([*lines, ""]).encode()


def _value(value: object) -> str:
    # JSON writes numbers, lists and strings as TOML does, but for the character DEL.
    return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
