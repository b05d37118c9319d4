# SPDX-License-Identifier: LGPL-2.1-or-later
"""Estimate lag, bias and delay of a running machine from its own samples."""

from concurrent.futures import Executor, Future
from dataclasses import replace

import numpy as np

from freecad_camtwin.twin.alignment import lag as lags
from freecad_camtwin.twin.alignment.follow import SILENCE, doubts_lines, follow_path, memory
from freecad_camtwin.twin.alignment.lag import Correction
from freecad_camtwin.twin.alignment.places import Places
from freecad_camtwin.twin.base.arrays import Floats, Ints

#: A correction is estimated after these times of motion [s], each time from more samples.
LESSON_TIMES = (3.0, 15.0, 60.0)
#: Positions nearer in time than this are left out [s].
APART = 1e-3
#: Parts that are joined as soon as there are so many: ten thousand at once would hold rows up for 10 ms.
_TOGETHER = 64

#: time, points, span and moves
Positions = tuple[Floats, Floats, Floats, Ints]


class Lesson:
    """Collects positions until there are enough to learn from; at most one a millisecond for a minute of motion.

    Learning takes up to 0.3 s. With a ``teacher`` it runs in parallel, and ``take`` does not wait: it returns the
    correction on the first call after it is ready.
    """

    def __init__(self, places: Places, teacher: Executor | None = None) -> None:
        self.places = places
        self._teacher = teacher
        self._due = list(LESSON_TIMES)
        self._seconds = -SILENCE  # the first position seems to come after one
        self._last, self._point = -np.inf, np.full((1, 3), np.nan)
        self._moved = -np.inf  # when it did last
        self._known: list[Positions] = []
        self._parts: list[Positions] = []  # those that came last, in small parts
        self._learning: Future[Correction] | None = None

    @property
    def is_over(self) -> bool:
        """Whether there is no more to learn."""
        return not self._due and self._learning is None

    def take(self, time: Floats, points: Floats, span: Floats, moves: Ints) -> Correction | None:
        """Add positions; return a correction when there is one.

        span, moves: (n, 2) least and greatest way [mm], and first and last move, that the line allows
        """
        if self._due:
            self._keep(time, points, span, moves)
        if self._learning is not None:
            return self._learned() if self._learning.done() else None
        if not self._due or self._seconds < self._due[0]:
            return None
        self._due.pop(0)
        positions = _joined([*self._known, *self._parts])
        if not self._due:
            self._known.clear()
            self._parts.clear()
        if self._teacher is None:
            return self._learn(*positions)
        self._learning = self._teacher.submit(self._learn, *positions)
        return None

    def _keep(self, time: Floats, points: Floats, span: Floats, moves: Ints) -> None:
        place = np.floor(np.concatenate([[self._last], time]) / APART)
        rows = np.flatnonzero(place[1:] > place[:-1])
        if not len(rows):
            return
        time, points = time[rows], points[rows]
        gaps = np.minimum(time - np.concatenate([[self._last], time[:-1]]), SILENCE)
        has_moved = (points != np.concatenate([self._point, points[:-1]])).any(axis=1)
        self._seconds += float(gaps[has_moved].sum())
        self._last, self._point = float(time[-1]), points[-1:]
        # Samples of a machine that stands for long are not collected.
        moved = np.maximum.accumulate(np.where(has_moved, time, self._moved))
        self._moved = float(moved[-1])
        recent = time - moved <= SILENCE
        self._parts.append((time[recent], points[recent], span[rows][recent], moves[rows][recent]))
        if len(self._parts) >= _TOGETHER:
            self._known.append(_joined(self._parts))
            self._parts.clear()

    def _learned(self) -> Correction | None:
        learning, self._learning = self._learning, None
        return learning.result() if learning is not None else None

    def _learn(self, time: Floats, points: Floats, span: Floats, moves: Ints) -> Correction:
        line = self.places.line

        def match(t: Floats, p: Floats, window: slice, limit: float) -> tuple[Ints, Floats, Floats]:
            return follow_path(line, t, p, span[window], limit, memory())

        correction = lags.estimate(line, time, points, match)
        if not (moves >= 0).any():
            return correction
        path_memory = memory()
        _, arc_length, _ = follow_path(line, time, correction.of(time, points), span, correction.limit, path_memory)
        if doubts_lines(path_memory):
            return correction
        return replace(correction, delay=self.places.lateness(time, arc_length, moves))


def _joined(parts: list[Positions]) -> Positions:
    time, points, span, moves = (np.concatenate(column) for column in zip(*parts, strict=True))
    return time, points, span, moves
