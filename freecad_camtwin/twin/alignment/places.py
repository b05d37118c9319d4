# SPDX-License-Identifier: LGPL-2.1-or-later
"""Places along a program's path: their move, step and load, and the place of a reported line or predicted time."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from camtwin_kernels import placing as kernels
from freecad_camtwin.twin.alignment import lag as lags
from freecad_camtwin.twin.alignment.by_load import FINE, Timing
from freecad_camtwin.twin.alignment.follow import SILENCE
from freecad_camtwin.twin.alignment.lag import Correction
from freecad_camtwin.twin.alignment.polyline import Polyline
from freecad_camtwin.twin.base.arrays import Floats, Indices, Ints
from freecad_camtwin.twin.job.toolpath import EventKind
from freecad_camtwin.twin.package.package import Package, PredictedSteps

#: The greatest number of moves behind one reported line.
MERGED = 200
#: Greatest delay of a position against the line number [s].
LATE = 0.3
#: At this distance from the path the place of a sample is as likely wrong as right [mm].
_NEAR = 0.1


@dataclass(frozen=True)
class Alignment:
    """The place of every sample, (samples,) each; -1 and NaN where unknown."""

    time: Floats  #: [s] since the epoch
    executed: Ints  #: move of the program
    move: Ints  #: move of the document
    operation: Ints  #: operation of the document
    way: Floats  #: length of the program's path up to the sample [mm]
    step: Ints  #: row of the package's steps
    distance: Floats  #: from the path, after correction [mm]; NaN where no position was reported
    confidence: Floats  #: 0 … 1
    method: str  #: "position", "position and line", "line", "power" or "nothing"
    correction: Correction
    steps: PredictedSteps

    def predicted(self, name: str) -> Floats:
        """Return a predicted load of every sample, such as ``power``: 0 where the tool touches nothing."""
        values = getattr(self.steps, name)
        at_step = np.where(self.step >= 0, values[np.maximum(self.step, 0)] if len(values) else math.nan, 0.0)
        return np.asarray(np.where(self.executed >= 0, at_step, math.nan))


@dataclass(frozen=True)
class ByLine:
    """The moves and arc lengths that the reported lines of some samples allow."""

    moves: Ints  #: (n, 2) first and last move, -1 where no line is known
    span: Floats  #: (n, 2) least and greatest arc length [mm], or (0, 2) where no line is known

    @staticmethod
    def nothing(samples: int) -> "ByLine":
        """Return the value for samples without lines: no bounds."""
        return ByLine(np.full((samples, 2), -1, np.int32), np.empty((0, 2)))

    @property
    def is_known(self) -> bool:
        """Whether any line bounds a sample."""
        return len(self.span) > 0

    def part(self, rows: slice) -> "ByLine":
        """Return some of the samples."""
        return ByLine(self.moves[rows], self.span[rows])

    def joined(self, later: "ByLine") -> "ByLine":
        """Return these samples and later ones."""
        return ByLine(np.concatenate([self.moves, later.moves]), np.concatenate([self.span, later.span]))


@dataclass(frozen=True)
class NewLine:
    """A line that began to be reported."""

    last: int  #: its last move
    seen: float  #: when that was [s]
    clock: float  #: when it was predicted [s]


def line_state() -> Indices:
    """Return what ``Places.by_line`` carries from block to block, at the start of a run."""
    return np.full(3, -1, np.int64)


class Places:
    """Look up places of the program's path by line, predicted time or arc length (``way``)."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self.line = Polyline.of(package.lines.program, package.start, package.time)
        self.end_of_time = float(package.start[-1] + package.time[-1]) if len(package.start) else 0.0
        self.has_lines = bool((package.lines.program.line > 0).any())

    def by_line(self, line: Floats, state: Indices) -> ByLine:
        """Return the bounds that the line of every sample gives; ``state`` is carried from block to block."""
        if not self.has_lines or (len(line) and np.isnan(line).all()):
            return ByLine.nothing(len(line))
        moves, span = np.empty((len(line), 2), np.int32), np.empty((len(line), 2))
        late = self.line.speed * LATE + 2.0
        is_bounded = kernels.follow_lines(line, *self._lines, self.line.way, late, MERGED, state, moves, span)
        return ByLine(moves, span if is_bounded else np.empty((0, 2)))

    @cached_property
    def _lines(self) -> tuple[Ints, Ints, Ints]:
        """Where each line's moves begin in the second, the moves by line, and the line of every move."""
        of_move = self.package.lines.program.line
        moves = np.argsort(of_move, kind="stable").astype(np.int32)
        moves = moves[of_move[moves] >= 0]
        rows = np.searchsorted(of_move[moves], np.arange(int(of_move.max()) + 2)).astype(np.int32)
        return rows, moves, of_move

    @cached_property
    def timing(self) -> Timing:
        """When the program's moves are predicted to be made, and where it stops."""
        path, operation = self.package.lines.program, self.package.lines.operation
        at = [event.before for event in path.events if event.kind in (EventKind.TOOL_CHANGE, EventKind.STOP)]
        stops = np.union1d(at, np.flatnonzero(np.diff(operation)) + 1).astype(np.int64)
        return Timing(self.package.start, self.package.time, path.is_cutting, stops[stops < path.moves])

    def way_at(self, clock: Floats, timing: Timing | None = None) -> Floats:
        """Return the way at a predicted time."""
        timing = timing or self.timing
        move = np.clip(np.searchsorted(timing.start, clock, side="right") - 1, 0, None)
        # During a wait after a move the next move has not begun.
        share = np.clip((clock - timing.start[move]) / np.maximum(timing.time[move], 1e-9), 0.0, 1.0 - 1e-6)
        arc_length = self.line.way
        return np.asarray(arc_length[move] + share * (arc_length[move + 1] - arc_length[move]))

    def way_by_line(self, time: Floats, moves: Ints, latest: NewLine | None = None) -> tuple[Floats, NewLine | None]:
        """Spread the samples that report one line over its moves, as the predicted time does.

        moves: (n, 2) first and last move that the line allows; latest: the newest line of the block before
        Returns the way of every sample and the newest line.
        """
        first, last = moves.T
        lines = ([latest] if latest else []) + self._new_lines(time, moves, latest.last if latest else -1)
        if not lines:
            return np.full(len(time), math.nan), None
        seen, clocks = np.array([[line.seen, line.clock] for line in lines]).T
        clock = np.interp(time, seen, clocks)
        after = time > seen[-1]
        clock[after] = clocks[-1] + time[after] - seen[-1]
        ends = np.append(self.package.start[1:], self.end_of_time)
        earliest = np.fmin(self.package.start[np.maximum(first, 0)], self._reported_time[np.maximum(first, 0)])
        clock = np.clip(clock, earliest, ends[last])
        return np.where(first >= 0, self.way_at(clock), math.nan), lines[-1]

    def _new_lines(self, time: Floats, moves: Ints, latest: int) -> list[NewLine]:
        first, last = moves.T
        has_line = np.flatnonzero(first >= 0)
        fresh = has_line[np.diff(last[has_line], prepend=latest) != 0]
        # A line that is seen at a sample came between it and the one before, unless that was long ago.
        seen = np.where(fresh > 0, (time[fresh] + time[np.maximum(fresh - 1, 0)]) / 2, time[fresh])
        seen = np.where(time[fresh] - seen > SILENCE, time[fresh], seen)
        reported_time = self._reported_time[first[fresh]]
        clock = np.where(np.isnan(reported_time), self.package.start[first[fresh]], reported_time)
        return [NewLine(*row) for row in zip(last[fresh].tolist(), seen.tolist(), clock.tolist(), strict=True)]

    @cached_property
    def reported(self) -> Floats:
        """Return the way at which every move is reported first [mm], NaN where it is joined to the one before."""
        return self.line.way[:-1] if self.package.reported is None else self.package.reported

    @cached_property
    def _reported_time(self) -> Floats:
        """When every move is predicted to be reported first [s], NaN where it is not."""
        arc_length, start, time = self.line.way, self.package.start, self.package.time
        move = np.clip(np.searchsorted(arc_length, self.reported, side="right") - 1, 0, max(len(start) - 1, 0))
        share = (self.reported - arc_length[move]) / np.maximum(arc_length[move + 1] - arc_length[move], 1e-12)
        return np.asarray(start[move] + np.clip(share, 0.0, 1.0) * time[move])

    def lateness(self, time: Floats, way: Floats, moves: Ints) -> float:
        """Return by how much positions are late against the line number [s]; 0 if it cannot be estimated.

        way: (n,) matched; moves: (n, 2) first and last move that each sample's line allows
        """
        first, last = moves.T
        changed = np.flatnonzero((np.diff(first) > 0) & (first[:-1] >= 0)) + 1
        of_move = self.package.lines.program.line
        lines = np.cumsum(np.isfinite(self.reported) & (np.diff(of_move, prepend=-2) != 0))
        # Where lines were passed over between two samples, the last of them is not as old as half of that time.
        is_exact = np.isfinite(self.reported[first[changed]]) & (lines[last[changed]] == lines[first[changed]])
        changed = changed[is_exact]
        return lags.delay(time, way, changed, self.reported[first[changed]])

    def power(self, timing: Timing) -> Floats:
        """Return the predicted power over time, the mean of every ``signature.FINE`` seconds.

        If no material is known, the removal rate is used instead: its course over time is similar.
        """
        steps = self.package.steps
        grid = np.arange(0.0, timing.end, FINE / 5)
        step = self._look_up(self.way_at(grid, timing), np.full(len(grid), math.nan), np.empty((0, 2), np.int32))[0][3]
        length = np.maximum(steps.end - steps.begin, 1e-9)
        power = steps.power if np.isfinite(steps.power).any() else steps.volume / length * steps.feed
        drawn = np.where(step >= 0, np.nan_to_num(power)[np.maximum(step, 0)] if len(power) else 0.0, 0.0)
        return np.asarray(np.add.reduceat(drawn, np.arange(0, len(drawn), 5)) / 5 if len(drawn) else drawn)

    def alignment(
        self, time: Floats, way: Floats, distance: Floats, by_line: Ints, method: str, correction: Correction
    ) -> Alignment:
        """Look up the place at every arc length ``way``; ``by_line``: (n, 2) first and last move by line, or -1."""
        (executed, move, operation, step), confidence = self._look_up(way, distance, by_line)
        return Alignment(
            time, executed, move, operation, way, step, distance, confidence, method, correction, self.package.steps
        )

    def _look_up(self, way: Floats, distance: Floats, by_line: Ints) -> tuple[Ints, Floats]:
        place = np.empty((4, len(way)), np.int32)
        confidence = np.empty(len(way))
        kernels.place(way, distance, by_line, *self._tables, _NEAR, place, confidence)
        return place, confidence

    @cached_property
    def _tables(self) -> tuple[Floats, Ints, Floats, Ints]:
        """Return the moves of the program, their counterparts, the steps, and where each move's steps begin."""
        lines, steps = self.package.lines, self.package.steps
        document_length = self.package.job.toolpath.length[np.maximum(lines.move, 0)]
        program_length = lines.program.length
        program = np.empty((len(program_length), 4))
        program[:, kernels.BEFORE], program[:, kernels.AFTER] = self.line.way[:-1], self.line.way[1:]
        program[:, kernels.BEGIN] = lines.begin * document_length
        program[:, kernels.GAIN] = (lines.end - lines.begin) * document_length / np.maximum(program_length, 1e-12)
        moves = np.stack([lines.move, lines.operation], axis=1).astype(np.int32)
        rows = np.searchsorted(steps.move, np.arange(self.package.job.toolpath.moves + 1)).astype(np.int32)
        return program, moves, np.stack([steps.begin, steps.end], axis=1), rows
