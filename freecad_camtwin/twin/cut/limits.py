# SPDX-License-Identifier: LGPL-2.1-or-later
"""The limits of each operation and their sources: user, operation, machine and spindle, tool.

The user's limit comes first, then the operation's. If neither states a limit, it comes from the machine at the
operation's spindle speed and from the defaults of ``data/limits.csv`` for the tool; if both machine and tool have
one, the tighter one holds.
"""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path

import numpy as np

from freecad_camtwin.errors import CamTwinError, ProfileError
from freecad_camtwin.twin.base.power import torque_of
from freecad_camtwin.twin.job.job import Job, Limits
from freecad_camtwin.twin.job.tool import Shape, Tool
from freecad_camtwin.twin.shop.machine import Machine
from freecad_camtwin.twin.shop.material import Material, find_material

#: The limits of load; the others limit the feed itself.
LOADS = ("h_ex_max", "force", "torque", "power", "deflection")

_TABLE = Path(__file__).parents[1] / "data" / "limits.csv"
_END_MILLS = (Shape.FLAT, Shape.BULL, Shape.BALL)


@dataclass(frozen=True, slots=True)
class OperationLimits(Limits):
    """The limits of one operation, and the source of each that is set."""

    sources: Mapping[str, str] = field(default_factory=dict)  #: limit → "user", "operation", "machine" or "tool"
    notes: tuple[str, ...] = ()  #: sentences: limits that could not be derived, unusual values

    @property
    def is_explicit(self) -> bool:
        """Whether the user or the operation states a limit of load, so that the plan may go up to it."""
        return any(self.sources.get(name) in ("user", "operation") for name in LOADS)


def limits_for(
    job: Job, machine: Machine | None = None, user: Limits | None = None, *, material: Material | None = None
) -> tuple[OperationLimits, ...]:
    """Return the limits of every operation of ``job``, in order.

    ``user`` holds for all operations; ``material`` replaces the job's material.
    """
    cut = material or _material(job)
    return tuple(_operation_limits(job, index, machine, user or Limits(), cut) for index in range(len(job.operations)))


def _material(job: Job) -> Material | None:
    try:
        return find_material(job.material) if job.material else None
    except ProfileError:
        return None


def _operation_limits(
    job: Job, index: int, machine: Machine | None, user: Limits, material: Material | None
) -> OperationLimits:
    path = job.toolpath
    moves = path.is_cutting & (path.operation == index)
    tools = {int(tool) for tool in path.tool[moves] if tool >= 0}
    speeds = path.n_rpm[moves]
    notes: list[str] = []
    layers = [
        ("user", user),
        ("operation", job.operations[index].limits),
        ("machine", _machine_limits(machine, speeds, job.operations[index].label, notes)),
        *(("tool", tool_limits(job.tools[tool], material)) for tool in sorted(tools)),
    ]
    values: dict[str, float] = {}
    sources: dict[str, str] = {}
    for item in fields(Limits):
        stated = [(source, getattr(limits, item.name)) for source, limits in layers]
        chosen = _choose(item.name, [(source, value) for source, value in stated if value is not None])
        if chosen is not None:
            sources[item.name], values[item.name] = chosen
    return OperationLimits(**values, sources=sources, notes=tuple(notes))


def _choose(name: str, stated: list[tuple[str, float]]) -> tuple[str, float] | None:
    """Return the first limit of user or operation; else the tightest of machine and tools."""
    for source, value in stated:
        if source in ("user", "operation"):
            return source, value
    if not stated:
        return None
    tightest = max if name in ("feed_min", "h_ex_min") else min
    return tightest(stated, key=lambda pair: pair[1])


def _machine_limits(machine: Machine | None, speeds: np.ndarray, label: str, notes: list[str]) -> Limits:
    """Return power and torque at the tool at the weakest of ``speeds``, and the feeds that the machine accepts.

    Net power is what is left of the continuous power after idling, times the efficiency; a tooth's short peak of
    torque may exceed the continuous torque by ``torque_overload``, which the rotor's inertia carries.
    """
    if machine is None:
        return Limits()
    power = torque = None
    turning = np.unique(speeds[np.isfinite(speeds) & (speeds > 0)])
    if turning.size:
        spindle = machine.spindle
        at_motor = spindle.power_at(turning)
        if np.isnan(at_motor).any() or turning[-1] > spindle.n_max_rpm:
            notes.append(f"'{label}' turns at {turning[-1]:g} rpm, beyond what '{machine.name}' gives.")
        net = (at_motor - spindle.idle_power) * spindle.efficiency
        net = net[np.isfinite(net) & (net > 0)]
        if net.size == turning.size:
            power = float(net.min())
            torque = float(torque_of(net, turning).min()) * _number("torque_overload")
        elif not notes:
            notes.append(f"'{label}' turns at {turning[0]:g} rpm, where '{machine.name}' has no power to spare.")
    return Limits(power=power, torque=torque, feed_min=machine.feed_min or None, feed_max=fastest_feed(machine))


def fastest_feed(machine: Machine) -> float:
    """Return the greatest feed that a machine accepts [mm/s]: its own, its path's, or its fastest axis's."""
    return machine.feed_max or machine.path_velocity or float(machine.axes.row("velocity").max())


def tool_limits(tool: Tool, material: Material | None) -> Limits:
    """The defaults for an end mill: chip by diameter and material class, bending of the shank, deflection.

    The chip is the upper end of a published range. The force bends a rod of 0.8·dc that protrudes by lpr up to the
    allowed stress, F = π·d³·σ / (32·lpr). A drill, a cone and an unknown shape have no defaults.
    """
    if tool.shape not in _END_MILLS or tool.dc is None:
        return Limits()
    force = None
    if tool.lpr is not None:
        d = _number("flute_diameter") * tool.dc
        force = math.pi * d**3 * _number("bending_stress") / (32 * tool.lpr)
    deflection = min(
        max(_number("deflection_share") * tool.dc, _number("deflection_least")), _number("deflection_most")
    )
    return Limits(h_ex_max=_chip(tool.dc, material), force=force, deflection=deflection)


def _chip(dc: float, material: Material | None) -> float | None:
    """Largest chip thickness for an end mill [mm]: proportional to dc below the table, constant above it.

    A material's own rows are used if it has any; else those of its ISO group.
    """
    if material is None:
        return None
    table = [row for row, _ in _rows() if row["quantity"] == "h_ex_max"]
    own = [row for row in table if row["group"] == material.key]
    rows = [
        (float(row["dc"]), float(row["value"])) for row in own or table if own or row["group"] == material.iso_group
    ]
    if not rows:
        return None
    return float(np.interp(dc, [0.0, *(d for d, _ in rows)], [0.0, *(value for _, value in rows)]))


def _number(quantity: str) -> float:
    """A number of ``data/limits.csv`` that holds for all tools."""
    return next(value for row, value in _rows() if row["quantity"] == quantity)


def feed_min_share() -> float:
    """Least feed of an operation as a share of its highest programmed feed, if no least feed is stated."""
    return _number("feed_min_share")


@cache
def _rows() -> tuple[tuple[Mapping[str, str], float], ...]:
    try:
        with _TABLE.open(encoding="utf-8", newline="") as text:
            return tuple((row, float(row["value"])) for row in csv.DictReader(text))
    except (OSError, ValueError, KeyError) as error:
        raise CamTwinError(f"the addon's own table {_TABLE.name} is damaged: install the addon again") from error
