# SPDX-License-Identifier: LGPL-2.1-or-later
"""Adds the places on the path of a package to rows, as further columns, while the rows arrive.

After the place was lost, finding it again takes some seconds of motion. A recording cannot wait for that: a kill would
lose these rows. So a row without a place after ``UNPLACED`` seconds is passed on without one. For the same reason lag
is learned in a thread.
"""

import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from freecad_camtwin.twin.alignment.align import Aligner, Alignment
from freecad_camtwin.twin.alignment.learn import LESSON_TIMES
from freecad_camtwin.twin.base.arrays import Floats, Ints
from freecad_camtwin.twin.package.package import Package
from freecad_camtwin.twin.signals.columns import Columns, joined

#: How long a row waits for its place [s of this computer's clock].
UNPLACED = 0.3


class PathPlacer:
    """Adds ``operation``, ``move``, ``way`` [mm], ``predicted_power`` [W] and ``confidence`` to rows; NaN unknown."""

    def __init__(self, package: Package) -> None:
        _warm_up(package)
        self._teacher = ThreadPoolExecutor(1, "camtwin-teacher")
        self._aligner = Aligner(package, teacher=self._teacher)
        self._waiting: deque[tuple[float, Columns]] = deque()  # rows in the aligner, with the time they entered it
        self._ahead = 0  # rows that are still in the aligner but were passed on without a place

    def take(self, columns: Columns) -> Columns:
        """Return the rows that are ready, in their order, without words."""
        now = time.monotonic()
        parts = []
        if columns.rows:
            columns = Columns(columns.time, columns.values)
            self._waiting.append((now, columns))
            parts.append(self._placed(*self._aligner.take(columns)))
        overdue = []
        while self._waiting and now - self._waiting[0][0] > UNPLACED:
            overdue.append(self._waiting.popleft()[1])
        self._ahead += sum(each.rows for each in overdue)
        return joined([*parts, *overdue])

    def rest(self) -> Columns:
        """Return all rows that still wait, at the end."""
        self._teacher.shutdown(wait=False, cancel_futures=True)
        return self._placed(*self._aligner.rest())

    def _placed(self, columns: Columns, alignment: Alignment) -> Columns:
        """Return rows with their places, without those that were passed on already."""
        passed = min(self._ahead, columns.rows)
        self._ahead -= passed
        self._forget(columns.rows - passed)
        values = dict(columns.values)
        values["operation"] = _number(alignment.operation)
        values["move"] = _number(alignment.move)
        values["way"] = alignment.way
        values["predicted_power"] = alignment.predicted("power")
        values["confidence"] = alignment.confidence
        return Columns(columns.time, values).part(slice(passed, None))

    def _forget(self, rows: int) -> None:
        """Remove the oldest waiting rows, which the aligner has returned."""
        while rows:
            since, columns = self._waiting.popleft()
            if columns.rows > rows:
                self._waiting.appendleft((since, columns.part(slice(rows, None))))
            rows -= min(rows, columns.rows)


def _warm_up(package: Package) -> None:
    """Compile the kernels now, with a run as predicted: on first use compiling takes seconds.

    A machine does not wait for that. The run is long enough for an aligner to learn its first correction.
    """
    aligner = Aligner(package)
    places = aligner.places
    if not len(places.line.segments):
        return
    time = np.arange(0.0, LESSON_TIMES[0] + 0.5, 0.01)
    clock = np.linspace(0.0, float(package.start[-1] + package.time[-1]), len(time))
    segment = np.clip(np.searchsorted(places.line.clock, clock, side="right") - 1, 0, None)
    points = places.line.points(segment.astype(np.int32), places.way_at(clock))
    line = package.lines.program.line[places.line.move[segment]]
    aligner.take(Columns(time, dict(zip("xyz", points.T, strict=True)) | {"line": line.astype(np.float64)}))
    aligner.rest()


def _number(index: Ints) -> Floats:
    return np.where(index >= 0, index, np.nan)
