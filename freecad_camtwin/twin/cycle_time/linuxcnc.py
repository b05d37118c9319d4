# SPDX-License-Identifier: LGPL-2.1-or-later
"""A toolpath on LinuxCNC: merged, joined and run cycle by cycle as in its trajectory planner."""

import numpy as np

from camtwin_kernels import linuxcnc_join, linuxcnc_merge, linuxcnc_run, linuxcnc_tables
from freecad_camtwin.twin.base.arrays import Floats, Ints
from freecad_camtwin.twin.base.sequences import numbered_pieces
from freecad_camtwin.twin.cycle_time.path_geometry import Geometry
from freecad_camtwin.twin.cycle_time.schedule import Legs
from freecad_camtwin.twin.job.toolpath import PLANE_AXES, EventKind, MoveKind, Toolpath
from freecad_camtwin.twin.shop.machine import Linuxcnc, Machine

#: Legs per piece for which memory is reserved; a run with more is repeated with memory for all.
_LEGS_PER_PIECE = 6


class LinuxcncPlanner:
    """The planner for one toolpath on one machine; values that do not depend on feeds are computed once."""

    def __init__(self, toolpath: Toolpath, machine: Machine, geometry: Geometry, controller: Linuxcnc) -> None:
        self.toolpath = toolpath
        self.geometry = geometry
        axes = machine.axes
        self._limits = np.stack([axes.row("velocity"), axes.row("acceleration")])
        path_speed = np.inf if machine.path_velocity is None else machine.path_velocity
        self._machine = np.array([controller.servo_period, controller.override, path_speed])
        self._circles, self._shape = _circles(toolpath, geometry)
        self._rules = _rules(toolpath, controller)

    def run(self, feed: Floats, waits: Floats) -> tuple[Legs, Floats, Floats]:
        """Return the legs, the highest speed in every move, and the arc length at which each is first reported.

        feed: (moves,) finite [mm/s]; waits: (moves,) seconds of rest before every move, NaN where there is none
        """
        toolpath, geometry = self.toolpath, self.geometry
        moves = toolpath.moves
        rules = self._rules.copy()
        rules[:, linuxcnc_tables.RULE_FEED] = feed
        rules[:, linuxcnc_tables.RULE_WAIT] = _waits_that_move(waits, toolpath.length)
        pieces = np.empty((2 * moves, linuxcnc_tables.PIECE_COLUMNS))
        chain = np.empty((linuxcnc_tables.LONGEST_CHAIN + 2, 3))
        count = linuxcnc_merge.merge(
            self._shape, toolpath.start, toolpath.end, rules, geometry.way, self._circles, self._limits, chain, pieces
        )  # fmt: skip
        queue = np.empty((2 * count + 1, linuxcnc_tables.QUEUE_COLUMNS))
        work = np.zeros((3, linuxcnc_tables.WORK_COLUMNS))
        rays = np.empty((6, 3))
        rows = linuxcnc_join.join(pieces, count, self._circles, self._limits, self._machine, work, rays, queue)
        linuxcnc_join.look_ahead(queue, rows, self._machine)
        legs, peaks = self._clock(queue, rows)
        return legs, _peaks_of_moves(queue[:rows], peaks, moves), _reported(queue[:rows], moves)

    def _clock(self, queue: Floats, rows: int) -> tuple[Legs, Floats]:
        runners = np.empty((2, linuxcnc_tables.RUNNER_COLUMNS))
        pen = np.empty(8)
        peaks = np.zeros(rows)
        room = _LEGS_PER_PIECE * rows + 8
        while True:
            legs = np.zeros((room, linuxcnc_tables.LEG_COLUMNS))
            drawn = linuxcnc_run.run(queue, rows, self._machine, runners, pen, legs, peaks)
            if drawn <= room:
                break
            room = drawn
        columns = np.ascontiguousarray(legs[: max(1, drawn)].T)
        return Legs(*columns), peaks


def _waits_that_move(waits: Floats, length: Floats) -> Floats:
    """Return the waits, -1 for none; a wait before a move of no length is added to the next move with a length."""
    out = np.where(np.isnan(waits), -1.0, waits)
    for move in np.flatnonzero((length <= 0) & (out >= 0)):
        later = np.flatnonzero(length[move + 1 :] > 0)
        if later.size:
            next_move = move + 1 + later[0]
            out[next_move] = max(out[next_move], 0.0) + out[move]
    return np.asarray(out)


def _rules(toolpath: Toolpath, controller: Linuxcnc) -> Floats:
    """Return the rules for the end of each move, (moves, RULE_COLUMNS). Canned cycles run in exact path."""
    rules = np.zeros((toolpath.moves, linuxcnc_tables.RULE_COLUMNS))
    rule = (2.0, controller.tolerance, controller.naive) if controller.blending else (1.0, 0.0, 0.0)
    since = 0
    for event in (*toolpath.events, None):
        if event is not None and event.kind is not EventKind.PATH_MODE:
            continue
        until = toolpath.moves if event is None else event.before
        rules[since:until, :3] = rule
        since = until
        if event is None:
            break
        tolerance = event.tolerance or 0.0
        naive = tolerance if event.naive is None else event.naive
        exact = 0.0 if event.value == 61.1 else 1.0
        rule = (2.0, tolerance, naive) if event.value == 64 else (exact, 0.0, 0.0)
    rules[toolpath.cycle != 0, :3] = (1.0, 0.0, 0.0)
    feeds = np.flatnonzero(toolpath.is_cutting)
    for event in toolpath.events:
        if event.kind is EventKind.SPINDLE and event.value != 0:
            rules[feeds[np.searchsorted(feeds, event.before) :][:1], linuxcnc_tables.RULE_HELD] = 1.0
    return rules


def _circles(toolpath: Toolpath, geometry: Geometry) -> tuple[Floats, Ints]:
    """Return the table of arcs, and for every move its row there, or the code of a line or a rapid."""
    shape = np.where(toolpath.kind == MoveKind.RAPID, linuxcnc_tables.SHAPE_RAPID, linuxcnc_tables.SHAPE_LINE)
    arcs = np.flatnonzero((toolpath.kind == MoveKind.ARC) & (toolpath.sweep != 0))
    shape[arcs] = np.arange(arcs.size)
    table = np.zeros((arcs.size, linuxcnc_tables.CIRCLE_COLUMNS))
    if not arcs.size:
        return table, shape.astype(np.int32)
    rows = np.arange(arcs.size)
    axes = np.array(PLANE_AXES)[toolpath.plane[arcs]]
    sweep = toolpath.sweep[arcs]
    spoke = toolpath.start[arcs] - toolpath.centre[arcs]
    last_spoke = toolpath.end[arcs] - toolpath.centre[arcs]
    rise = last_spoke[rows, axes[:, 2]] - spoke[rows, axes[:, 2]]
    last_spoke[rows, axes[:, 2]] = spoke[rows, axes[:, 2]] = 0.0
    radius = toolpath.radius[arcs]
    table[:, linuxcnc_tables.ARRIVING : linuxcnc_tables.ARRIVING + 3] = geometry.arriving[arcs]
    table[:, linuxcnc_tables.LEAVING : linuxcnc_tables.LEAVING + 3] = geometry.ending[arcs]
    table[:, linuxcnc_tables.SPOKE : linuxcnc_tables.SPOKE + 3] = spoke
    table[:, linuxcnc_tables.LAST_SPOKE : linuxcnc_tables.LAST_SPOKE + 3] = last_spoke
    table[rows, linuxcnc_tables.NORMAL + axes[:, 2]] = np.sign(sweep)
    middle = geometry.middle(arcs)
    table[:, linuxcnc_tables.MIDDLE : linuxcnc_tables.MIDDLE + 3] = middle
    table[:, linuxcnc_tables.ANGLE] = np.abs(sweep)
    table[:, linuxcnc_tables.RADIUS] = radius
    table[:, linuxcnc_tables.RISE] = rise * np.sign(sweep)
    flat = radius * (1.0 - np.cos(sweep / 2))
    table[:, linuxcnc_tables.FLATNESS] = np.where(toolpath.plane[arcs] == 0, flat, np.inf)
    return table, shape.astype(np.int32)


def _reported(queue: Floats, moves: int) -> Floats:
    """Return the arc length at which LinuxCNC begins to report every move [mm]; NaN for moves joined to the one before.

    It reports the piece that it runs; an arc that rounds a corner is reported as the move after the corner.
    """
    first, final = np.full(moves, np.nan), np.full(moves, np.nan)
    # In reversed order the first of several pieces of one move is written last, so its value remains.
    first[queue[::-1, linuxcnc_tables.Q_FIRST].astype(np.int64)] = queue[::-1, linuxcnc_tables.Q_FROM]
    final[queue[::-1, linuxcnc_tables.Q_FINAL].astype(np.int64)] = queue[::-1, linuxcnc_tables.Q_FROM]
    return np.where(np.isnan(final), first, final)


def _peaks_of_moves(queue: Floats, peaks: Floats, moves: int) -> Floats:
    """Return the highest speed in every move from the peaks of the pieces; a piece may cover several moves."""
    first = queue[:, linuxcnc_tables.Q_FIRST].astype(np.int64)
    final = queue[:, linuxcnc_tables.Q_FINAL].astype(np.int64)
    out = np.zeros(moves)
    piece, number = numbered_pieces(final - first + 1)
    np.maximum.at(out, first[piece] + number, peaks[piece])
    return out
