# SPDX-License-Identifier: LGPL-2.1-or-later
"""From toolpath and machine to time: when every move starts, how long it takes, and where the tool is at any moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from camtwin_kernels import kinematics
from freecad_camtwin.errors import ToolpathError
from freecad_camtwin.twin.machine import ExactStop, Grbl, Jerk, Linuxcnc, Machine
from freecad_camtwin.twin.toolpath import PLANE_AXES, EventKind, Floats, MoveKind, Toolpath


@dataclass(frozen=True)
class Geometry:
    """What a planner needs to know of the path's shape; independent of feed."""

    length: Floats  #: (moves,) [mm]
    arriving: Floats  #: (moves, 3) unit vector at the start of every move
    leaving: Floats  #: (moves, 3) unit vector at the end of the move before; the first is zero

    @staticmethod
    def of(toolpath: Toolpath) -> "Geometry":
        """Work out lengths and tangents. A move of no length has the zero vector."""
        first, last = _tangents(toolpath)
        leaving = np.vstack([np.zeros((1, 3)), last[:-1]])
        return Geometry(np.ascontiguousarray(toolpath.length), first, leaving)


def _tangents(toolpath: Toolpath) -> tuple[Floats, Floats]:
    """Return the unit tangents at start and end of every move, each (moves, 3)."""
    first = toolpath.end - toolpath.start
    last = first.copy()
    arcs = np.flatnonzero(toolpath.kind == MoveKind.ARC)
    if arcs.size:
        axes = np.array(PLANE_AXES)[toolpath.plane[arcs]]
        rise = np.take_along_axis(first[arcs], axes[:, 2:], axis=1)[:, 0]
        for tangent, points in ((first, toolpath.start), (last, toolpath.end)):
            offset = np.take_along_axis(points[arcs] - toolpath.centre[arcs], axes, axis=1)
            turned = np.stack([-offset[:, 1], offset[:, 0]], axis=1) * toolpath.sweep[arcs][:, None]
            np.put_along_axis(offset, np.broadcast_to([[0, 1]], turned.shape), turned, axis=1)
            offset[:, 2] = rise
            row = np.empty_like(offset)
            np.put_along_axis(row, axes, offset, axis=1)
            tangent[arcs] = row
    for tangent in (first, last):
        size = np.linalg.norm(tangent, axis=1, keepdims=True)
        np.divide(tangent, size, out=tangent, where=size > 0)
    return first, last


@dataclass(frozen=True)
class Schedule:
    """When the machine is where. All times are in seconds from the start of the program."""

    toolpath: Toolpath
    start: Floats  #: (moves,) when every move starts [s]
    time: Floats  #: (moves,) how long it takes [s]
    reachable: Floats  #: (moves,) highest speed really reached in it [mm/s]
    total: float  #: of the whole program with everything that happens between moves [s]
    breakdown: dict[str, float]  #: seconds by cause; their sum is the total
    entry: Floats  #: (moves + 1,) speed at the start of every move, and at the end of the last [mm/s]
    phases: Floats  #: (moves, 3) how long it gains, cruises and loses speed [s]

    def travelled(self, times: Sequence[float] | Floats) -> tuple[np.ndarray, Floats]:
        """Return the move running at each of ``times`` [s] and how far it has come in it [mm]."""
        when = np.asarray(times, np.float64)
        move = np.clip(np.searchsorted(self.start, when, side="right") - 1, 0, len(self.start) - 1)
        since = np.clip(when - self.start[move], 0.0, self.time[move])
        gaining, cruising, braking = self.phases[move].T
        first, peak, last = self.entry[move], self.reachable[move], self.entry[move + 1]
        one = np.minimum(since, gaining)
        two = np.clip(since - gaining, 0.0, cruising)
        three = np.clip(since - gaining - cruising, 0.0, braking)
        gain = np.divide(peak - first, gaining, out=np.zeros_like(peak), where=gaining > 0)
        loss = np.divide(peak - last, braking, out=np.zeros_like(peak), where=braking > 0)
        way = first * one + 0.5 * gain * one**2 + peak * two + peak * three - 0.5 * loss * three**2
        return move, np.asarray(np.minimum(way, self.toolpath.length[move]))

    def position(self, times: Sequence[float] | Floats) -> Floats:
        """Return where the tool is at ``times`` [s], shape (times, 3) [mm]."""
        move, way = self.travelled(times)
        return points_along(self.toolpath, move, way)


def points_along(toolpath: Toolpath, move: np.ndarray, way: Floats) -> Floats:
    """Return the points ``way`` [mm] into the moves ``move``, shape (len(move), 3)."""
    length = toolpath.length[move]
    share = np.divide(way, length, out=np.ones_like(way), where=length > 0)[:, None]
    points: Floats = toolpath.start[move] + share * (toolpath.end[move] - toolpath.start[move])
    arcs = np.flatnonzero(toolpath.kind[move] == MoveKind.ARC)
    if arcs.size:
        of = move[arcs]
        axes = np.array(PLANE_AXES)[toolpath.plane[of]]
        spoke = np.take_along_axis(toolpath.start[of] - toolpath.centre[of], axes[:, :2], axis=1)
        angle = toolpath.sweep[of] * share[arcs, 0]
        cosine, sine = np.cos(angle), np.sin(angle)
        turned = np.stack([cosine * spoke[:, 0] - sine * spoke[:, 1], sine * spoke[:, 0] + cosine * spoke[:, 1]], 1)
        turned += np.take_along_axis(toolpath.centre[of], axes[:, :2], axis=1)
        row = points[arcs]
        np.put_along_axis(row, axes[:, :2], turned, axis=1)
        points[arcs] = row
    return points


class Motion:
    """One toolpath on one machine: the geometry is worked out once, then any feeds can be timed cheaply."""

    def __init__(self, toolpath: Toolpath, machine: Machine) -> None:
        self.toolpath = toolpath
        self.machine = machine
        self.geometry = Geometry.of(toolpath)

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
        radius = np.nan_to_num(self.toolpath.radius, nan=np.inf)
        return np.asarray(np.minimum(bound, np.sqrt(self.acceleration * self._sharpness() * radius)))

    def _along(self, limits: Floats) -> Floats:
        """Return what ``limits`` of the axes give along every move; an arc counts as if it met every direction."""
        direction = np.abs(self.geometry.arriving)
        with np.errstate(divide="ignore"):
            along = np.min(limits / direction, axis=1)
        arcs = self.toolpath.kind == MoveKind.ARC
        along[arcs] = np.min(limits)
        along[~np.isfinite(along)] = np.min(limits)
        return np.asarray(along)

    def _sharpness(self) -> float:
        """Return how many times its acceleration a controller takes towards the centre of an arc."""
        controller = self.machine.controller
        # grbl cuts an arc into chords of sagitta arc_tolerance; its corner rule gives v² = a·r·deviation/tolerance.
        return controller.junction_deviation / controller.arc_tolerance if isinstance(controller, Grbl) else 1.0

    def schedule(self, feed: Floats | None = None) -> Schedule:
        """Time the path, with ``feed`` [mm/s] in place of the programmed feeds, shape (moves,)."""
        toolpath, geometry = self.toolpath, self.geometry
        feed = toolpath.feed if feed is None else feed
        if len(feed) != toolpath.moves:
            raise ToolpathError(f"there are {len(feed)} feeds for {toolpath.moves} moves")
        wanted = np.where(toolpath.is_cutting & np.isfinite(feed), feed, np.inf)
        top = np.minimum(self.velocity, wanted)
        corner = self._corners()
        entry = np.empty(toolpath.moves + 1)
        peak = np.empty(toolpath.moves)
        phases = np.zeros((toolpath.moves, 3))
        if toolpath.moves:
            kinematics.plan_speeds(geometry.length, top, self.acceleration, corner, entry)
            kinematics.trapezoids(geometry.length, top, self.acceleration, entry, peak, phases)
        return self._assemble(top, entry, peak, phases)

    def _corners(self) -> Floats:
        moves = self.toolpath.moves
        corner = np.zeros(moves + 1)
        controller = self.machine.controller
        if moves and isinstance(controller, Grbl | Jerk | Linuxcnc):
            if isinstance(controller, Grbl):
                deviation = controller.junction_deviation
            else:
                deviation = max(controller.tolerance, 1e-4)
            limits = self.machine.axes.row("acceleration")
            kinematics.junction_speeds(self.geometry.leaving, self.geometry.arriving, limits, deviation, corner)
        for event in self.toolpath.events:
            if event.kind is not EventKind.PATH_MODE:
                corner[event.before] = 0.0
        return corner

    def _waits(self) -> dict[str, Floats]:
        """Return the seconds spent before every move, by cause, each (moves + 1,)."""
        overheads = self.machine.overheads
        waits = {name: np.zeros(self.toolpath.moves + 1) for name in ("dwell", "tool change", "spindle", "other")}
        waits["other"][0] += overheads.start
        for event in self.toolpath.events:
            if event.kind is EventKind.DWELL:
                waits["dwell"][event.before] += event.value
            elif event.kind is EventKind.TOOL_CHANGE:
                waits["tool change"][event.before] += overheads.tool_change
            elif event.kind is EventKind.SPINDLE:
                waits["spindle"][event.before] += overheads.spindle
            elif event.kind is EventKind.COOLANT:
                waits["other"][event.before] += overheads.coolant
        waits["other"][:-1] += overheads.move
        if isinstance(self.machine.controller, ExactStop):
            waits["other"][1:] += self.machine.controller.settling
        return waits

    def _assemble(self, top: Floats, entry: Floats, peak: Floats, phases: Floats) -> Schedule:
        toolpath = self.toolpath
        time = phases.sum(axis=1)
        waits = self._waits()
        waiting = np.sum(list(waits.values()), axis=0)
        start = np.cumsum(waiting[:-1]) + np.concatenate([[0.0], np.cumsum(time)[:-1]]) if toolpath.moves else time
        steady = np.divide(self.geometry.length, top, out=np.zeros_like(top), where=top > 0)
        cutting = toolpath.is_cutting
        breakdown = {
            "cutting": float(steady[cutting].sum()),
            "rapids": float(steady[~cutting].sum()),
            "acceleration": float((time - steady).sum()),
            **{name: float(seconds.sum()) for name, seconds in waits.items()},
        }
        total = float(time.sum() + waiting.sum())
        return Schedule(toolpath, start, time, peak, total, breakdown, entry, phases)


def schedule(toolpath: Toolpath, machine: Machine, *, feed: Floats | None = None) -> Schedule:
    """Time a toolpath on a machine; for many feeds on one path keep a ``Motion``."""
    return Motion(toolpath, machine).schedule(feed)
