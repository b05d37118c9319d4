# SPDX-License-Identifier: LGPL-2.1-or-later
"""From toolpath and machine to time: the Schedule of a path for each kind of controller."""

from functools import cached_property

import numpy as np

from camtwin_kernels import kinematics
from freecad_camtwin.errors import ToolpathError
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.base.sequences import sums_before
from freecad_camtwin.twin.cycle_time.linuxcnc import LinuxcncPlanner
from freecad_camtwin.twin.cycle_time.path_geometry import Geometry
from freecad_camtwin.twin.cycle_time.schedule import Legs, Schedule
from freecad_camtwin.twin.job.geometry import extent
from freecad_camtwin.twin.job.toolpath import EventKind, MoveKind, Toolpath
from freecad_camtwin.twin.shop.machine import ExactStop, Grbl, Jerk, Linuxcnc, Machine


def schedule(toolpath: Toolpath, machine: Machine, *, feed: Floats | None = None) -> Schedule:
    """Time a toolpath on a machine, with ``feed`` [mm/s] in place of the programmed feeds, shape (moves,).

    For many feeds on one path keep a ``Motion``.
    """
    return Motion(toolpath, machine).schedule(feed)


def check_travel(toolpath: Toolpath, machine: Machine) -> None:
    """Raise ToolpathError, naming move and axis, if a program does not fit into the machine.

    If the profile has a work zero, every coordinate must be within the axis; else the whole program must not span
    more than the travel of the axis.
    """
    if not toolpath.moves:
        return
    lower, upper = extent(toolpath)
    zero = machine.work_zero
    for index, (name, axis) in enumerate(zip("xyz", (machine.axes.x, machine.axes.y, machine.axes.z), strict=True)):
        least, most = axis.lower, axis.upper
        if zero is None:
            middle = (lower[:, index].min() + upper[:, index].max()) / 2
            least, most = middle - axis.travel / 2, middle + axis.travel / 2
        else:
            least, most = least - zero[index], most - zero[index]
        over = np.maximum(upper[:, index] - most, least - lower[:, index])
        move = int((over > 1e-6).argmax())
        if over[move] <= 1e-6:
            continue
        reach = upper[move, index] if upper[move, index] - most > 1e-6 else lower[move, index]
        bounds = f"which goes from {least:g} to {most:g} mm"
        if zero is None:
            span = upper[:, index].max() - lower[:, index].min()
            bounds = f"whose travel is {axis.travel:g} mm, and the program spans {span:g} mm"
        raise ToolpathError(
            f"{toolpath.where(move)} takes axis {name.upper()} to {reach:g} mm, "
            f"outside the axis of {machine.name!r}, {bounds}"
        )


class Motion:
    """One toolpath on one machine: the geometry is computed once, then the time at any feeds is cheap."""

    def __init__(self, toolpath: Toolpath, machine: Machine) -> None:
        self.toolpath = toolpath
        self.machine = machine
        self.geometry = Geometry.of(toolpath)

    def schedule(self, feed: Floats | None = None) -> Schedule:
        """Time the path, with ``feed`` [mm/s] in place of the programmed feeds, shape (moves,)."""
        toolpath = self.toolpath
        feed = np.asarray(toolpath.feed if feed is None else feed, np.float64)
        if feed.shape != (toolpath.moves,):
            raise ToolpathError(f"there are {feed.size} feeds for {toolpath.moves} moves")
        given = np.isfinite(feed) & (feed > 0)
        wanted = np.where(toolpath.is_cutting & given, feed, np.inf)
        warnings = []
        unknown = int((toolpath.is_cutting & ~given).sum())
        if unknown:
            warnings.append(
                f"{unknown} feed moves state no feed: they are timed at the machine's own limit, so the total is "
                "the least it can be"
            )
        legs, peaks, moving, reported = self._run(wanted)
        return self._assemble(legs, peaks, moving, reported, wanted, tuple(warnings))

    def _run(self, wanted: Floats) -> tuple[Legs, Floats, float, Floats]:
        """Return legs, highest speed in every move, seconds in motion, and the arc length where each is reported."""
        waits = self._waiting[:-1] if self.toolpath.moves else np.empty(0)
        if not self.toolpath.moves:
            zero = np.zeros(1)
            return Legs(zero, zero, zero, zero), np.empty(0), 0.0, np.empty(0)
        if self._linuxcnc is not None:
            legs, peaks, reported = self._linuxcnc.run(wanted, np.where(self._stops[:-1], waits, np.nan))
            return legs, peaks, float(legs.time[-1] - waits[self._stops[:-1]].sum()), reported
        top = np.minimum(self.velocity, wanted)
        entry = np.empty(self.toolpath.moves + 1)
        peak = np.empty(self.toolpath.moves)
        phases = np.zeros((self.toolpath.moves, 3))
        length = self.geometry.length
        kinematics.plan_speeds(length, top, self.acceleration, self._corners, entry)
        kinematics.trapezoids(length, top, self.acceleration, entry, peak, phases)
        rests = np.append(entry[1:] == 0.0, True)[:-1] & (length > 0)
        waits = waits.copy()
        waits[1:] += np.where(rests[:-1], self.smoothing, 0.0)
        legs = _legs(self.geometry, waits, entry, peak, phases, self.smoothing)
        moving = float(phases.sum()) + self.smoothing * float(rests.sum())
        return legs, peak, moving, self.geometry.way[:-1]

    @cached_property
    def _linuxcnc(self) -> LinuxcncPlanner | None:
        controller = self.machine.controller
        if not isinstance(controller, Linuxcnc):
            return None
        return LinuxcncPlanner(self.toolpath, self.machine, self.geometry, controller)

    @cached_property
    def acceleration(self) -> Floats:
        """The acceleration along every move [mm/s²], shape (moves,)."""
        return self._along(self.machine.axes.row("acceleration"))

    @cached_property
    def velocity(self) -> Floats:
        """The highest speed along every move that axes, arcs and path velocity allow [mm/s], shape (moves,)."""
        bound = self._along(self.machine.axes.row("velocity"))
        if self.machine.path_velocity is not None:
            bound = np.minimum(bound, self.machine.path_velocity)
        controller = self.machine.controller
        if isinstance(controller, Jerk) and controller.block_time > 0:
            bound = np.minimum(bound, np.maximum(self.geometry.length / controller.block_time, 1e-6))
        radius = np.nan_to_num(self.toolpath.radius, nan=np.inf)
        return np.asarray(np.minimum(bound, np.sqrt(self.acceleration * self._sharpness * radius)))

    @cached_property
    def smoothing(self) -> float:
        """The time over which a control with bounded jerk averages its motion [s]; 0 for others."""
        if not isinstance(self.machine.controller, Jerk):
            return 0.0
        axes = self.machine.axes
        return float(np.max(axes.row("acceleration") / axes.row("jerk")))

    def _along(self, limits: Floats) -> Floats:
        """Return the limit along every move from the axis ``limits``; an arc has every direction of its plane."""
        direction = np.abs(self.geometry.arriving)
        with np.errstate(divide="ignore"):
            along = np.min(limits / direction, axis=1)
        arcs = self.toolpath.kind == MoveKind.ARC
        along[arcs] = np.min(limits)
        along[~np.isfinite(along)] = np.min(limits)
        return np.asarray(along)

    @property
    def _sharpness(self) -> float:
        """The centripetal acceleration that a controller allows on an arc, as a multiple of its acceleration."""
        controller = self.machine.controller
        # grbl cuts an arc into chords of sagitta arc_tolerance; its corner rule gives v² = a·r·deviation/tolerance.
        return controller.junction_deviation / controller.arc_tolerance if isinstance(controller, Grbl) else 1.0

    @cached_property
    def _corners(self) -> Floats:
        """The speed at which every corner may be taken [mm/s], shape (moves + 1,)."""
        corner = np.zeros(self.toolpath.moves + 1)
        controller = self.machine.controller
        limits = self.machine.axes.row("acceleration")
        geometry = self.geometry
        if isinstance(controller, Grbl):
            deviation = controller.junction_deviation
            kinematics.junction_speeds(geometry.leaving, geometry.arriving, limits, deviation, corner)
        elif isinstance(controller, Jerk):
            bounds = np.array([controller.tolerance, self.smoothing])
            kinematics.tolerance_speeds(geometry.leaving, geometry.arriving, limits, bounds, corner)
        corner[self._stops] = 0.0
        return corner

    @cached_property
    def _stops(self) -> np.ndarray:
        """Whether the machine stops before a move because of an event, shape (moves + 1,)."""
        stops = np.zeros(self.toolpath.moves + 1, np.bool_)
        for event in self.toolpath.events:
            if event.kind is not EventKind.PATH_MODE:
                stops[event.before] = True
        stops[0] = True
        return stops

    @cached_property
    def _waits(self) -> dict[str, Floats]:
        """The seconds spent before every move, by cause, each (moves + 1,)."""
        overheads = self.machine.overheads
        moves = self.toolpath.moves
        waits = {name: np.zeros(moves + 1) for name in ("dwell", "tool_change", "spindle", "other")}
        waits["other"][0] += overheads.start
        for event in self.toolpath.events:
            if event.kind is EventKind.DWELL:
                waits["dwell"][event.before] += event.value + overheads.dwell
            elif event.kind is EventKind.TOOL_CHANGE:
                waits["tool_change"][event.before] += overheads.tool_change
            elif event.kind is EventKind.SPINDLE:
                waits["spindle"][event.before] += overheads.spindle if event.value else overheads.spindle_stop
            elif event.kind is EventKind.COOLANT:
                waits["other"][event.before] += overheads.coolant
        waits["other"][:moves] += overheads.move
        if isinstance(self.machine.controller, ExactStop):
            waits["other"][1:] += self.machine.controller.settling
        return waits

    @cached_property
    def _waiting(self) -> Floats:
        return np.asarray(np.sum(list(self._waits.values()), axis=0))

    def _assemble(
        self, legs: Legs, peaks: Floats, moving: float, reported: Floats, wanted: Floats, warnings: tuple[str, ...]
    ) -> Schedule:
        top = np.minimum(self.velocity, wanted) if self.toolpath.moves else wanted
        steady = np.divide(self.geometry.length, top, out=np.zeros_like(top), where=top > 0)
        cutting = self.toolpath.is_cutting
        breakdown = {
            "cutting": float(steady[cutting].sum()),
            "rapids": float(steady[~cutting].sum()),
            "acceleration": moving - float(steady.sum()),
            **{name: float(seconds.sum()) for name, seconds in self._waits.items()},
        }
        total = sum(breakdown.values())
        return Schedule(self.toolpath, legs, peaks, reported, total, breakdown, self.smoothing, warnings)


def _legs(geometry: Geometry, waits: Floats, entry: Floats, peak: Floats, phases: Floats, smoothing: float) -> Legs:
    """Turn trapezoids into legs: a wait, then accelerating, cruising and braking for every move."""
    moves = len(peak)
    duration = np.column_stack([waits, phases]).ravel()
    time = sums_before(duration)
    gaining, cruising, braking = phases.T
    speed = np.column_stack([np.zeros(moves), entry[:-1], peak, peak])
    pull = np.zeros((moves, 4))
    pull[:, 1] = np.divide(peak - entry[:-1], gaining, out=np.zeros(moves), where=gaining > 0)
    pull[:, 3] = np.divide(entry[1:] - peak, braking, out=np.zeros(moves), where=braking > 0)
    way = np.empty((moves, 4))
    way[:, :2] = geometry.way[:-1, None]
    way[:, 2] = way[:, 1] + 0.5 * (entry[:-1] + peak) * gaining
    way[:, 3] = way[:, 2] + peak * cruising
    end = np.array([geometry.way[-1]])
    time[-1] += 0.0
    zero = np.zeros(1)
    legs = Legs(time, np.concatenate([way.ravel(), end]), np.append(speed.ravel(), zero), np.append(pull.ravel(), zero))
    keep = np.append(duration > 0, True)
    return Legs(legs.time[keep], legs.way[keep], legs.speed[keep], legs.pull[keep])
