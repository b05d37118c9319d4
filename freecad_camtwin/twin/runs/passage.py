# SPDX-License-Identifier: LGPL-2.1-or-later
"""A passage: arc length over time of one execution, and the use of the time between its samples.

Samples with a place give the arc length (``way``) over time. It never decreases (noise does not count as motion), so
the time at which any place was left is interpolated between two samples: durations of moves do not depend on the
sampling. The use of the time between two samples is one of ``Spent``; of a silence only the length is known.
"""

from bisect import bisect_right
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from freecad_camtwin.twin.alignment.align import Alignment
from freecad_camtwin.twin.base.arrays import Floats, Indices, Mask
from freecad_camtwin.twin.base.sequences import sums_before
from freecad_camtwin.twin.job.toolpath import EventKind, MoveKind
from freecad_camtwin.twin.package.package import Package
from freecad_camtwin.twin.signals.run import Run

#: A silence longer than this, and than five times the usual interval, is a gap [s].
SILENT = 0.5
#: The tool counts as standing if it moves less than this [mm] within this time [s].
STANDS, STANDS_FOR = 0.02, 0.2
#: A new execution begins where the arc length falls by more than this share of the path.
ANEW = 0.2
#: An interval is a leap if its predicted time exceeds three times its length by more than this [s].
LEAP = 0.2
#: A stop this near to a tool change of the program counts as a tool change [mm].
_NEAR = 0.5


class Spent(IntEnum):
    """The use of the time between two samples."""

    CUTTING = 0
    AIR = 1  # feed moves that remove nothing
    RAPID = 2
    STOPPED = 3
    TOOL_CHANGE = 4
    ELSEWHERE = 5  # samples came, none of them on the path
    GAP = 6  # no samples came


@dataclass(frozen=True)
class Passage:
    """One execution of the program: samples that have a place, in order, (n,), and the intervals between them."""

    rows: Indices  #: (n,) rows of the run's columns
    time: Floats  #: (n,) [s] since the epoch
    way: Floats  #: (n,) length of the program's path up to there [mm], never falling
    spent: NDArray[np.int8]  #: (n - 1,) Spent
    is_vague: Mask  #: (n - 1,) whether its place is too uncertain to look up the predicted load

    @cached_property
    def interval(self) -> Floats:
        """Seconds between two samples, (n - 1,)."""
        return np.asarray(np.diff(self.time))

    @cached_property
    def weight(self) -> Floats:
        """How long each sample stands for while the machine moved, (n,) [s]: half the intervals beside it."""
        moving = np.where((self.spent <= Spent.RAPID) & ~self.is_vague, self.interval, 0.0) / 2
        return np.asarray(np.concatenate([moving, [0.0]]) + np.concatenate([[0.0], moving]))

    def is_spent(self, *kinds: Spent) -> Mask:
        """Whether the interval after each sample (before the last) was spent on one of ``kinds``, (n,)."""
        is_kind = np.isin(self.spent, kinds)
        return np.append(is_kind, is_kind[-1:]) if len(is_kind) else np.zeros(len(self.time), bool)

    def seconds(self, *kinds: Spent) -> float:
        """Total time spent on ``kinds`` [s]."""
        return float(self.interval[np.isin(self.spent, kinds)].sum())

    def leaving(self, way: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return, per place: time of leaving, standing time and unseen time until then [s], unseen length [mm].

        Places before the first sample have its time, those beyond the last sample the last one's.
        """
        after = np.clip(np.searchsorted(self.way, way, side="right"), 1, len(self.way) - 1)
        before = after - 1
        span = self.way[after] - self.way[before]
        share = np.clip((way - self.way[before]) / np.where(span > 0, span, 1.0), 0.0, 1.0)
        share = np.where(span > 0, share, np.where(way >= self.way[after], 1.0, 0.0))
        sums = (self.time, *self._sums)
        left, stood, unseen, unseen_way = (one[before] + share * (one[after] - one[before]) for one in sums)
        return left, stood, unseen, unseen_way

    @cached_property
    def _sums(self) -> tuple[Floats, Floats, Floats]:
        stands = np.isin(self.spent, (Spent.STOPPED, Spent.TOOL_CHANGE))
        is_unseen = np.isin(self.spent, (Spent.GAP, Spent.ELSEWHERE))
        parts = (
            np.where(stands, self.interval, 0.0),
            np.where(is_unseen, self.interval, 0.0),
            np.where(is_unseen, np.diff(self.way), 0.0),
        )
        stood, unseen, unseen_way = (sums_before(part) for part in parts)
        return stood, unseen, unseen_way


def passages(package: Package, run: Run, alignment: Alignment) -> tuple[Passage, ...]:
    """Split a run into executions of its program; an execution without motion is left out."""
    rows = np.flatnonzero(np.isfinite(alignment.way) & (alignment.executed >= 0))
    whole = float(package.lines.way[-1])
    if len(rows) < 2 or whole <= 0:
        return ()
    begins = _begins(alignment.time[rows], alignment.way[rows], ANEW * whole)
    parts = (_passage(package, run, alignment, part) for part in np.split(rows, begins))
    return tuple(part for part in parts if part is not None)


def _begins(time: Floats, arc_length: Floats, fall: float) -> list[int]:
    """Return the first samples of new executions: where the arc length falls and stays low."""
    second = ((time - time[0]) / 1.0).astype(np.int64)
    order = np.lexsort((arc_length, second))
    _, first, count = np.unique(second, return_index=True, return_counts=True)
    usual = arc_length[order][first + count // 2]
    padded = np.concatenate([usual[:1], usual, usual[-1:]])
    steady = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    begins, farthest, before = [], steady[0], 0
    for at, value in enumerate(steady.tolist()):
        if farthest - value > fall:
            low = int(first[max(at - 2, before)])
            high = min(int(first[at] + count[at]), len(arc_length) - 1)
            begins.append(low + 1 + int(np.argmin(np.diff(arc_length[low : high + 1]))))
            farthest, before = value, at
        farthest = max(farthest, value)
    return begins


def _onward(arc_length: Floats) -> Mask:
    """Which samples advance along the path: those near the longest non-decreasing series of samples.

    A sample that is misplaced for a moment, ahead or behind, is left out; else all following samples would count as
    standing.
    """
    some = np.unique(np.linspace(0, len(arc_length) - 1, min(len(arc_length), 50_000)).astype(int))
    cells = np.floor(arc_length[some] / STANDS).tolist()
    tails: list[float] = []
    ends: list[int] = []
    before = [-1] * len(cells)
    for at, cell in enumerate(cells):  # longest series: patience sorting
        pile = bisect_right(tails, cell)
        before[at] = ends[pile - 1] if pile else -1
        tails[pile : pile + 1], ends[pile : pile + 1] = [cell], [at]
    series, at = [], ends[-1]
    while at >= 0:
        series.append(at)
        at = before[at]
    series.reverse()
    rows = some[series]
    after = np.clip(np.searchsorted(rows, np.arange(len(arc_length)), side="left"), 0, len(rows) - 1)
    earlier = np.clip(np.searchsorted(rows, np.arange(len(arc_length)), side="right") - 1, 0, len(rows) - 1)
    low = np.where(np.arange(len(arc_length)) < rows[0], -np.inf, arc_length[rows[earlier]])
    high = np.where(np.arange(len(arc_length)) > rows[-1], np.inf, arc_length[rows[after]])
    return np.asarray((arc_length >= low - 2 * STANDS) & (arc_length <= high + 2 * STANDS))


def _passage(package: Package, run: Run, alignment: Alignment, rows: Indices) -> Passage | None:
    """Cut off the standstill before and after, and classify every interval."""
    if len(rows) < 2:
        return None
    rows = rows[_onward(alignment.way[rows])]
    arc_length = np.maximum.accumulate(alignment.way[rows])
    if arc_length[-1] - arc_length[0] <= STANDS:
        return None
    first = max(int(np.searchsorted(arc_length, arc_length[0] + STANDS, side="right")) - 1, 0)
    last = int(np.searchsorted(arc_length, arc_length[-1] - STANDS, side="left")) + 1
    rows, arc_length = rows[first : last + 1], arc_length[first : last + 1]
    if len(rows) < 2:
        return None
    time = alignment.time[rows]
    stands = _stands(time, arc_length)
    # In a run placed by load, standing in the warping means a misfit of the loads, not a standing machine.
    is_vague = stands if alignment.method == "power" else np.zeros(len(stands), bool)
    return Passage(
        rows, time, arc_length, _spent(package, run, alignment, rows, (time, arc_length, stands & ~is_vague)), is_vague
    )


def _stands(time: Floats, arc_length: Floats) -> Mask:
    """Which intervals belong to a time in which the tool stands, (n - 1,)."""
    window = max(STANDS_FOR, 2 * float(np.median(np.diff(time))))
    ahead, behind = np.interp(time + window, time, arc_length), np.interp(time - window, time, arc_length)
    return np.asarray((ahead - arc_length < STANDS)[:-1] | (arc_length - behind < STANDS)[1:])


def _spent(
    package: Package,
    run: Run,
    alignment: Alignment,
    rows: Indices,
    course: tuple[Floats, Floats, Mask],
) -> NDArray[np.int8]:
    """Classify every interval; ``course``: time, arc length, and which intervals stand."""
    time, arc_length, stands = course
    interval = np.diff(time)
    usual = float(np.median(interval))
    executed, step = alignment.executed[rows[:-1]], alignment.step[rows[:-1]]
    takes = (step >= 0) & (package.steps.volume[np.maximum(step, 0)] > 0) if len(package.steps.volume) else step > 0
    is_rapid = package.lines.program.kind[executed] == MoveKind.RAPID
    spent = np.where(takes, Spent.CUTTING, np.where(is_rapid, Spent.RAPID, Spent.AIR))
    spent[stands] = Spent.STOPPED
    is_silent = interval > max(SILENT, 5 * usual)
    between = np.diff(rows) > 1
    spent[is_silent] = np.where(between[is_silent], Spent.ELSEWHERE, Spent.GAP)
    spent[_frozen(package, time, arc_length, stands)] = Spent.GAP
    spent[_noted_silence(run, time)] = Spent.GAP
    at_change = _at_tool_change(package, arc_length) & np.isin(spent, (Spent.STOPPED, Spent.ELSEWHERE))
    spent[at_change] = Spent.TOOL_CHANGE
    return np.asarray(spent, np.int8)


def _frozen(package: Package, time: Floats, arc_length: Floats, stands: Mask) -> Mask:
    """Which intervals repeat an old position, and the one in which the reported position caught up.

    The reported position stands and then leaps farther than the machine moves in three times that interval.
    """
    path = package.lines.way
    clock = sums_before(package.time)
    predicted = np.diff(np.interp(arc_length, path, clock))
    frozen = predicted > 3 * np.diff(time) + LEAP
    for leap in np.flatnonzero(frozen):
        first = int(leap)
        while first > 0 and stands[max(first - 2, 0) : first].any():  # catching up may take two samples
            first -= 1
        frozen[first:leap] = True
    return np.asarray(frozen)


def _noted_silence(run: Run, time: Floats) -> Mask:
    """Which intervals contain a silence that the recorder noted."""
    silent = np.zeros(len(time) - 1, bool)
    for silence in run.silences:
        stop = time[-1] if silence.stop is None else silence.stop
        first = int(np.searchsorted(time, silence.start, side="right")) - 1
        last = int(np.searchsorted(time, stop, side="left"))
        if last > 0 and first < len(silent):
            silent[max(first, 0) : last] = True
    return silent


def _at_tool_change(package: Package, arc_length: Floats) -> Mask:
    """Which intervals begin or end where the program changes tools, or reach across such a place."""
    ways = package.lines.way
    places = np.array(
        [ways[event.before] for event in package.lines.program.events if event.kind == EventKind.TOOL_CHANGE]
    )
    if not len(places):
        return np.zeros(len(arc_length) - 1, bool)
    low, high = arc_length[:-1] - _NEAR, arc_length[1:] + _NEAR
    return np.asarray(np.searchsorted(places, high, side="right") > np.searchsorted(places, low, side="left"))


def shares(package: Package, passage: Passage) -> tuple[Floats, Floats, Floats, Floats, Floats]:
    """Return start, elapsed, stood and unseen seconds and seen length [mm] of every move of the program, (moves,).

    ``start`` [s since the epoch] is NaN for a move that was not reached.
    """
    ways = package.lines.way
    left, stood, unseen, unseen_way = passage.leaving(ways)
    length = np.diff(np.clip(ways, passage.way[0], passage.way[-1]))
    is_reached = (ways[1:] > passage.way[0]) & (ways[:-1] < passage.way[-1])
    start = np.where(is_reached, left[:-1], np.nan)
    return start, np.diff(left), np.diff(stood), np.diff(unseen), length - np.diff(unseen_way)
