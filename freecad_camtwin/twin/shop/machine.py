# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine that will run the job: travel, speed, acceleration and power, and the rules of its controller.

A profile is a TOML file whose keys carry their units (``velocity_mm_s``); here they are plain names in mm, s, N
and W. Every value is checked while it is read; a ProfileError names the wrong entry in one sentence.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta, Struct, field

from freecad_camtwin.errors import ProfileError
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.base.toml import decode_toml

#: The folder of the profiles that come with the addon.
PROFILES = Path(__file__).parents[1] / "data" / "machines"

Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Fraction = Annotated[float, Meta(gt=0, le=1)]


class Axis(Struct, frozen=True, forbid_unknown_fields=True):
    """One linear axis."""

    lower: float = field(name="min_mm")  #: end of travel [mm], machine coordinates
    upper: float = field(name="max_mm")  #: [mm]
    velocity: Positive = field(name="velocity_mm_s")  #: [mm/s]
    acceleration: Positive = field(name="acceleration_mm_s2")  #: [mm/s²]
    jerk: Positive | None = field(default=None, name="jerk_mm_s3")  #: [mm/s³], None if the controller does not limit it

    @property
    def travel(self) -> float:
        """From end to end [mm]."""
        return self.upper - self.lower


class Axes(Struct, frozen=True, forbid_unknown_fields=True):
    """The three axes of the machine."""

    x: Axis
    y: Axis
    z: Axis

    def row(self, name: str) -> Floats:
        """Return one quantity of all three axes, shape (3,): ``row("velocity")``. An unset jerk is inf."""
        values = (getattr(axis, name) for axis in (self.x, self.y, self.z))
        return np.array([math.inf if value is None else value for value in values])


class Linuxcnc(Struct, frozen=True, forbid_unknown_fields=True, tag_field="strategy", tag="linuxcnc"):
    """LinuxCNC 2.7 and later: trapezoids without jerk, arc and parabolic blends, all in whole servo cycles."""

    servo_period: Positive = field(default=0.001, name="servo_period_s")  #: [s]
    blending: bool = True  #: path mode of a program that states none: True is G64, False is G61
    tolerance: NotNegative = field(default=0.0, name="tolerance_mm")  #: P of that G64 [mm], 0 for no bound
    naive: NotNegative = field(default=0.0, name="naive_tolerance_mm")  #: Q, naive-CAM tolerance [mm]
    override: Annotated[float, Meta(ge=1)] = field(default=1.0, name="max_feed_override")  #: corner speeds allow for it


class Grbl(Struct, frozen=True, forbid_unknown_fields=True, tag_field="strategy", tag="junction_deviation"):
    """grbl, grblHAL and similar: trapezoids, and a corner speed from an imagined arc that touches the corner."""

    junction_deviation: Positive = field(name="junction_deviation_mm")  #: grbl's $11 [mm]
    arc_tolerance: Positive = field(default=0.002, name="arc_tolerance_mm")  #: grbl's $12 [mm]


class Jerk(Struct, frozen=True, forbid_unknown_fields=True, tag_field="strategy", tag="jerk_limited"):
    """A generic industrial control: corner speeds from a path tolerance, trapezoids smoothed to bounded jerk."""

    tolerance: Positive = field(name="tolerance_mm")  #: how far a corner may be rounded [mm] (G642, cycle 32, AICC)
    block_time: NotNegative = field(default=0.0, name="block_time_s")  #: least time for one block [s]


class ExactStop(Struct, frozen=True, forbid_unknown_fields=True, tag_field="strategy", tag="exact_stop"):
    """A control that comes to rest at the end of every move."""

    settling: NotNegative = field(default=0.0, name="settling_s")  #: wait until in position [s]


Controller = Linuxcnc | Grbl | Jerk | ExactStop


class Overheads(Struct, frozen=True, forbid_unknown_fields=True):
    """Time for everything but motion along the path [s each]."""

    start: NotNegative = field(default=0.0, name="program_start_s")
    tool_change: NotNegative = field(default=0.0, name="tool_change_s")  #: chip to chip
    spindle: NotNegative = field(default=0.0, name="spindle_s")  #: to reach speed
    spindle_stop: NotNegative = field(default=0.0, name="spindle_stop_s")
    coolant: NotNegative = field(default=0.0, name="coolant_s")
    dwell: NotNegative = field(default=0.0, name="dwell_s")  #: on top of a programmed dwell
    move: NotNegative = field(default=0.0, name="per_move_s")  #: on top of every move's own time


class SpindlePoint(Struct, frozen=True, forbid_unknown_fields=True):
    """One corner of the spindle's curve of continuous power."""

    n_rpm: Positive
    power: Positive = field(name="power_w")  #: [W]


class Spindle(Struct, frozen=True, forbid_unknown_fields=True):
    """The speeds of the spindle and its continuous (S1) power."""

    n_min_rpm: NotNegative
    n_max_rpm: Positive
    curve: tuple[SpindlePoint, ...]  #: corners in order of speed; straight lines of power between them
    efficiency: Fraction = 1.0  #: power at the tool over power at the motor
    idle_power: NotNegative = field(default=0.0, name="idle_power_w")  #: drawn without cutting, at the motor [W]

    @property
    def rated_power(self) -> float:
        """The greatest continuous power [W]."""
        return max(point.power for point in self.curve)

    def power_at(self, n_rpm: Floats | float) -> Floats:
        """Continuous power [W] at ``n_rpm``: falls to 0 with speed below the first corner, NaN above the last.

        Below the first corner torque is constant, which makes power proportional to speed.
        """
        speeds = np.array([0.0, *(point.n_rpm for point in self.curve)])
        powers = np.array([0.0, *(point.power for point in self.curve)])
        return np.asarray(np.interp(n_rpm, speeds, powers, right=math.nan))


class Machine(Struct, frozen=True, forbid_unknown_fields=True):
    """One machine with its controller, as stated in its profile."""

    name: str
    source: str  #: where the numbers come from, in words
    axes: Axes
    controller: Controller
    spindle: Spindle
    path_velocity: Positive | None = field(default=None, name="path_velocity_mm_s")  #: cap along the path [mm/s]
    feed_min: NotNegative = field(default=0.0, name="feed_min_mm_s")  #: least feed that may be written [mm/s]
    feed_max: Positive | None = field(default=None, name="feed_max_mm_s")  #: greatest feed it accepts [mm/s]
    stiffness: Positive | None = field(default=None, name="stiffness_n_mm")  #: holder and spindle at the nose [N/mm]
    work_zero: tuple[float, float, float] | None = field(default=None, name="work_zero_mm")  #: a program's zero [mm]
    overheads: Overheads = field(default_factory=Overheads)

    @property
    def rated_power(self) -> float:
        """The spindle's greatest continuous power [W]."""
        return self.spindle.rated_power


def read_machine(path_or_name: str | Path) -> Machine:
    """Read a profile from a TOML file, or by the name of one that comes with the addon.

    Raises ProfileError, one sentence that names the file and the entry.
    """
    path = Path(path_or_name)
    shipped = PROFILES / f"{path_or_name}.toml"
    if path.suffix != ".toml" and not path.is_file() and shipped.is_file():
        path = shipped
    try:
        text = path.read_bytes()
    except OSError as error:
        names = ", ".join(machine_names())
        raise ProfileError(
            f"there is no machine profile {str(path_or_name)!r}: give a TOML file, or one of {names}"
        ) from error
    return decode_machine(text, path.name)


def machine_names() -> tuple[str, ...]:
    """Return the names of the profiles that come with the addon."""
    return tuple(sorted(path.stem for path in PROFILES.glob("*.toml")))


def decode_machine(text: bytes, label: str) -> Machine:
    """Read a profile from TOML text; ``label`` names it in errors."""
    machine = decode_toml(text, Machine, f"machine profile {label}", noun="a machine profile")
    _check_sense(machine, label)
    return machine


def encode_machine(machine: Machine) -> bytes:
    """Return the TOML text of a profile, such as one that was fitted to a log."""
    return _toml(msgspec.to_builtins(machine))


def _toml(table: dict[str, object], prefix: str = "") -> bytes:
    """Write nested tables as TOML: scalars and lists first, then each table under its full name."""
    lines: list[str] = []
    below: list[bytes] = []
    for key, value in table.items():
        if isinstance(value, dict):
            below.append(f"\n[{prefix}{key}]\n".encode() + _toml(value, f"{prefix}{key}."))
        elif value is not None:
            lines.append(f"{key} = {_value(value)}\n")
    return "".join(lines).encode() + b"".join(below)


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    # JSON writes numbers, booleans and strings as TOML does.
    return msgspec.json.encode(value).decode()


def _check_sense(machine: Machine, label: str) -> None:
    """Refuse what types alone cannot: infinite numbers, travel of no length, a curve whose speeds do not rise."""
    for fault in (*_infinite(machine), *_senseless_axes(machine), *_senseless_spindle(machine.spindle)):
        raise ProfileError(f"machine profile {label}: {fault}")
    if machine.feed_max is not None and machine.feed_min >= machine.feed_max:
        raise ProfileError(
            f"machine profile {label}: feed_min_mm_s must be less than feed_max_mm_s, which is {machine.feed_max:g}"
        )


def _infinite(machine: Machine) -> Iterator[str]:
    for entry, value in _numbers(msgspec.to_builtins(machine), ""):
        if not math.isfinite(value):
            yield f"{entry} must be a finite number"


def _senseless_axes(machine: Machine) -> Iterator[str]:
    for name in "xyz":
        axis: Axis = getattr(machine.axes, name)
        if axis.lower >= axis.upper:
            yield f"axes.{name}.min_mm must be less than max_mm, which is {axis.upper:g}"
        if axis.jerk is None and isinstance(machine.controller, Jerk):
            yield f"axes.{name}.jerk_mm_s3 is missing, and a jerk_limited controller needs it"


def _senseless_spindle(spindle: Spindle) -> Iterator[str]:
    speeds = [point.n_rpm for point in spindle.curve]
    if not speeds or speeds != sorted(set(speeds)):
        yield "spindle.curve must have at least one point, in order of rising n_rpm"
    if spindle.n_min_rpm >= spindle.n_max_rpm:
        yield f"spindle.n_min_rpm must be less than n_max_rpm, which is {spindle.n_max_rpm:g}"


def _numbers(value: object, entry: str) -> list[tuple[str, float]]:
    """Return every number below ``value`` with its dotted entry name."""
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _numbers(item, f"{entry}.{key}".lstrip("."))]
    if isinstance(value, list):
        return [pair for index, item in enumerate(value) for pair in _numbers(item, f"{entry}[{index}]")]
    return [(entry, value)] if isinstance(value, float | int) and not isinstance(value, bool) else []
