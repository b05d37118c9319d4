# SPDX-License-Identifier: LGPL-2.1-or-later
"""Place every measured sample on the path: operation, move, arc length, step, predicted load and confidence.

Samples are placed by reported positions, bounded by the line number; by the line number alone; or, if only the
spindle's load is measured, by the course of the load over time. docs/alignment.md explains.
"""

import math
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np

from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.alignment import by_load
from freecad_camtwin.twin.alignment import lag as lags
from freecad_camtwin.twin.alignment.follow import (
    SILENCE,
    PositionTrack,
    doubts_lines,
    follow_path,
    fresh_rows,
    is_lost,
    memory,
    spread_places,
)
from freecad_camtwin.twin.alignment.lag import Correction, Rate
from freecad_camtwin.twin.alignment.learn import Lesson
from freecad_camtwin.twin.alignment.places import Alignment, ByLine, NewLine, Places, line_state
from freecad_camtwin.twin.base.arrays import Floats, Ints
from freecad_camtwin.twin.package.package import Package
from freecad_camtwin.twin.signals.columns import Columns, joined

__all__ = ["Aligner", "Alignment", "Correction", "align"]

#: After a loss the place is searched once the tool has moved this far [mm], or after this time [s].
FOUND, PATIENCE = 20.0, 0.8


def align(package: Package, columns: Columns, *, correction: Correction | None = None) -> Alignment:
    """Place every sample of a run. Lag, bias and delay are estimated unless given.

    Raises InputError if the run has neither positions nor line numbers nor a measured load.
    """
    places = Places(package)
    by_line = places.by_line(columns.column("line"), line_state())
    points = columns.points
    rows = fresh_rows(columns.time, points)
    if len(rows):
        return _by_position(places, columns.time, points, rows, by_line, correction)
    nowhere = np.full(columns.rows, math.nan)
    if by_line.is_known:
        arc_length, _ = places.way_by_line(columns.time, by_line.moves)
        return places.alignment(columns.time, arc_length, nowhere, by_line.moves, "line", Correction())
    measured = by_load.measured_load(columns)
    if measured is None:
        raise InputError(
            "the run has no position, no line number and no load of the spindle: its samples cannot be placed; "
            "map one of them in the signal map"
        )
    timing, clock, confidence = by_load.lay_over(places.timing, places.power, columns.time, measured)
    alignment = places.alignment(
        columns.time, places.way_at(clock, timing), nowhere, by_line.moves, "power", Correction()
    )
    return replace(alignment, confidence=np.where(alignment.executed >= 0, confidence, 0.0))


def _by_position(
    places: Places, time: Floats, points: Floats, rows: Ints, by_line: ByLine, given: Correction | None
) -> Alignment:
    is_all = len(rows) == len(time)
    t, p = (time, points) if is_all else (time[rows], points[rows])
    span = by_line.span if is_all or not by_line.is_known else by_line.span[rows]

    def match(t: Floats, p: Floats, window: slice, limit: float) -> tuple[Ints, Floats, Floats]:
        return follow_path(places.line, t, p, span[window], limit, memory())

    correction = given or lags.estimate(places.line, t, p, match)
    path_memory = memory()
    _, arc_length, distance = follow_path(places.line, t, correction.of(t, p), span, correction.limit, path_memory)
    if doubts_lines(path_memory):
        by_line = ByLine.nothing(len(time))
    if by_line.is_known and given is None:
        correction = replace(
            correction, delay=places.lateness(t, arc_length, by_line.moves if is_all else by_line.moves[rows])
        )
    if not is_all or correction.delay or np.isnan(arc_length).any():
        arc_length, distance = spread_places(places.line, time, t, arc_length, distance, correction.delay)
    method = "position and line" if by_line.is_known else "position"
    return places.alignment(time, arc_length, distance, by_line.moves, method, correction)


class Aligner:
    """Places the samples of a running machine as they come; ``align`` does a whole run at once.

    Without a given correction it estimates lag, bias and delay from the first minute of motion, in parallel if there is
    a ``teacher`` (a thread: see ``alignment.learn``). Rows are returned when their place is known: this takes up to
    ``PATIENCE`` seconds while the place is lost, the few samples of the velocity with a lag, and the delay with a
    delay. This bounds the memory.
    """

    def __init__(
        self, package: Package, correction: Correction | None = None, *, teacher: Executor | None = None
    ) -> None:
        self.package = package
        self.correction = correction or Correction()
        self.places = Places(package)
        self._lesson = Lesson(self.places, teacher) if correction is None else None
        self._rate = Rate(0, 0.0)
        self._lines = line_state()
        self._memory = memory()
        self._waiting = Columns(np.empty(0))
        self._by_line = ByLine(np.empty((0, 2), np.int32), np.empty((0, 2)))
        self._track = PositionTrack.empty()
        self._newest: NewLine | None = None

    def take(self, columns: Columns) -> tuple[Columns, Alignment]:
        """Take the next rows; return those whose place has become known, and their places."""
        by_line = self.places.by_line(columns.column("line"), self._lines)
        span = by_line.span if by_line.is_known else np.full((columns.rows, 2), (-math.inf, math.inf))
        self._waiting = joined([self._waiting, columns])
        self._by_line = self._by_line.joined(ByLine(by_line.moves, span))
        rows = self._track.add(columns.time, columns.points, span)
        if self._lesson is not None and len(rows):
            self._learn(self._lesson, rows, by_line.moves[rows])
        if self.correction.lag and len(self._track.time) > 4:
            self._rate = Rate.of(self._track.time)
        self._match(len(self._track.time) - self._rate.reach)
        return self._release(self._ready())

    def _learn(self, lesson: Lesson, rows: Ints, moves: Ints) -> None:
        track, new = self._track, slice(-len(rows), None)
        learned = lesson.take(track.time[new], track.points[new], track.span[new], moves)
        self.correction = learned or self.correction
        if lesson.is_over:
            self._lesson = None

    def rest(self) -> tuple[Columns, Alignment]:
        """Return the waiting rows at the end of the run."""
        self._match(len(self._track.time), is_last=True)
        return self._release(self._waiting.rows)

    def _match(self, end: int, *, is_last: bool = False) -> None:
        """Match the positions up to ``end``; if the place is lost, only once there are enough to search it."""
        track = self._track
        if end <= track.done:
            return
        time = track.time[track.done]
        if is_lost(self._memory, time) and not is_last and track.time[-1] - time < PATIENCE and track.come() < FOUND:
            return
        window = slice(track.done, end)
        points = self.correction.of(track.time, track.points, self._rate)[window]
        _, track.way[window], track.distance[window] = follow_path(
            self.places.line, track.time[window], points, track.span[window], self.correction.limit, self._memory
        )
        track.done = end

    def _ready(self) -> int:
        """How many of the waiting rows can be placed now."""
        time, track = self._waiting.time, self._track
        if not len(time):
            return 0
        if track.done < len(track.time):  # rows wait for positions that wait to be matched
            until = track.time[track.done - 1] - self.correction.delay if track.done else -math.inf
        elif track.done:  # or for the next position, but no longer than a silence
            until = max(track.time[-1] - self.correction.delay, time[-1] - SILENCE)
        else:
            until = math.inf
        return int(np.searchsorted(time, until, side="right"))

    def _release(self, count: int) -> tuple[Columns, Alignment]:
        ready, self._waiting = self._waiting.part(slice(0, count)), self._waiting.part(slice(count, None))
        by_line, self._by_line = self._by_line.part(slice(0, count)), self._by_line.part(slice(count, None))
        return ready, self._placed(ready.time, by_line.moves)

    def _placed(self, time: Floats, moves: Ints) -> Alignment:
        track, line = self._track, self.places.line
        if doubts_lines(self._memory):
            moves = ByLine.nothing(len(time)).moves
        has_lines = bool((moves >= 0).any())
        if not len(track.time):
            arc_length, self._newest = self.places.way_by_line(time, moves, self._newest)
            nowhere = np.full(len(time), math.nan)
            return self.places.alignment(
                time, arc_length, nowhere, moves, "line" if has_lines else "nothing", self.correction
            )
        done = slice(0, track.done)
        arc_length, distance = spread_places(
            line, time, track.time[done], track.way[done], track.distance[done], self.correction.delay
        )
        track.forget(self._waiting.time[0] if self._waiting.rows else math.inf, 2 * self._rate.reach)
        method = "position and line" if has_lines else "position"
        return self.places.alignment(time, arc_length, distance, moves, method, self.correction)
