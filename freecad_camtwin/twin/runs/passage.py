# SPDX-License-Identifier: LGPL-2.1-or-later
"""When a machine passed which place of its path, and what it did with its time.

Samples that have a place give the way over time. It never runs back (noise does not count as motion), so the time at
which any place was left can be read off between two samples: durations of moves are not bound to the sampling.
What the machine did between two samples is one of ``Spent``; of a silence nothing is known but its length.
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
#: Who comes less far than this within so long stands [mm, s].
STANDS, STANDS_FOR = 0.02, 0.2
#: A run begins anew where the way falls by more than this share of the path.
ANEW = 0.2
#: A place that the machine is predicted to reach so much later than it was told there was leapt to [s].
LEAP = 0.2
#: A stop this near to a tool change of the program is one [mm].
_NEAR = 0.5


class Spent(IntEnum):
    """What the time between two samples went into."""

    CUTTING = 0
    AIR = 1  # feed moves that take nothing
    RAPID = 2
    STOPPED = 3
    TOOL_CHANGE = 4
    ELSEWHERE = 5  # samples came, and none of them lay on the path
    GAP = 6  # nothing came


@dataclass(frozen=True)
class Passage:
    """One execution of the program: samples that have a place, in order, (n,), and the intervals between them."""

    rows: Indices  #: (n,) rows of the run's columns
    time: Floats  #: (n,) [s] since the epoch
    way: Floats  #: (n,) length of the program's path up to there [mm], never falling
    spent: NDArray[np.int8]  #: (n - 1,) Spent
    is_vague: Mask  #: (n - 1,) whether its place is too vague to say what load was predicted there

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
        """Whether the interval after each sample (before the last) went into one of ``kinds``, (n,)."""
        found = np.isin(self.spent, kinds)
        return np.append(found, found[-1:]) if len(found) else np.zeros(len(self.time), bool)

    def seconds(self, *kinds: Spent) -> float:
        """How long the machine spent so."""
        return float(self.interval[np.isin(self.spent, kinds)].sum())

    def leaving(self, way: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Return when places were left [s], and how long it had stood, how long and how far it was unseen by then.

        Places before the first sample were left with it, those beyond the last with the last.
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


def passages(package: Package, run: Run, found: Alignment) -> tuple[Passage, ...]:
    """Split a run into executions of its program; where it only began and never moved, there is none."""
    rows = np.flatnonzero(np.isfinite(found.way) & (found.executed >= 0))
    whole = float(package.lines.way[-1])
    if len(rows) < 2 or whole <= 0:
        return ()
    begins = _begins(found.time[rows], found.way[rows], ANEW * whole)
    parts = (_passage(package, run, found, part) for part in np.split(rows, begins))
    return tuple(part for part in parts if part is not None)


def _begins(time: Floats, way: Floats, fall: float) -> list[int]:
    """Return the samples with which the program was begun anew: where the way falls for good, not for a blink."""
    second = ((time - time[0]) / 1.0).astype(np.int64)
    order = np.lexsort((way, second))
    _, first, count = np.unique(second, return_index=True, return_counts=True)
    usual = way[order][first + count // 2]
    padded = np.concatenate([usual[:1], usual, usual[-1:]])
    steady = np.median(np.stack([padded[:-2], padded[1:-1], padded[2:]]), axis=0)
    begins, farthest, before = [], steady[0], 0
    for at, value in enumerate(steady.tolist()):
        if farthest - value > fall:
            low = int(first[max(at - 2, before)])
            high = min(int(first[at] + count[at]), len(way) - 1)
            begins.append(low + 1 + int(np.argmin(np.diff(way[low : high + 1]))))
            farthest, before = value, at
        farthest = max(farthest, value)
    return begins


def _onward(way: Floats) -> Mask:
    """Which samples go on along the path: those beside the longest series of samples that never runs back.

    A sample that was misplaced for a moment, ahead or behind, is left out; else it would stand for all that follow.
    """
    some = np.unique(np.linspace(0, len(way) - 1, min(len(way), 50_000)).astype(int))
    cells = np.floor(way[some] / STANDS).tolist()
    tails: list[float] = []
    ends: list[int] = []
    before = [-1] * len(cells)
    for at, cell in enumerate(cells):  # longest series: patience sorting
        pile = bisect_right(tails, cell)
        before[at] = ends[pile - 1] if pile else -1
        tails[pile : pile + 1], ends[pile : pile + 1] = [cell], [at]
    kept, at = [], ends[-1]
    while at >= 0:
        kept.append(at)
        at = before[at]
    kept.reverse()
    rows = some[kept]
    after = np.clip(np.searchsorted(rows, np.arange(len(way)), side="left"), 0, len(rows) - 1)
    earlier = np.clip(np.searchsorted(rows, np.arange(len(way)), side="right") - 1, 0, len(rows) - 1)
    low = np.where(np.arange(len(way)) < rows[0], -np.inf, way[rows[earlier]])
    high = np.where(np.arange(len(way)) > rows[-1], np.inf, way[rows[after]])
    return np.asarray((way >= low - 2 * STANDS) & (way <= high + 2 * STANDS))


def _passage(package: Package, run: Run, found: Alignment, rows: Indices) -> Passage | None:
    """Cut off the standing still before and after, and say what each interval went into."""
    if len(rows) < 2:
        return None
    rows = rows[_onward(found.way[rows])]
    way = np.maximum.accumulate(found.way[rows])
    if way[-1] - way[0] <= STANDS:
        return None
    first = max(int(np.searchsorted(way, way[0] + STANDS, side="right")) - 1, 0)
    last = int(np.searchsorted(way, way[-1] - STANDS, side="left")) + 1
    rows, way = rows[first : last + 1], way[first : last + 1]
    if len(rows) < 2:
        return None
    time = found.time[rows]
    stands = _stands(time, way)
    # A load laid over another waits where the two differ, and not where the machine does.
    is_vague = stands if found.method == "power" else np.zeros(len(stands), bool)
    return Passage(rows, time, way, _spent(package, run, found, rows, (time, way, stands & ~is_vague)), is_vague)


def _stands(time: Floats, way: Floats) -> Mask:
    """Which intervals belong to a while in which the way hardly grows, (n - 1,)."""
    window = max(STANDS_FOR, 2 * float(np.median(np.diff(time))))
    ahead, behind = np.interp(time + window, time, way), np.interp(time - window, time, way)
    return np.asarray((ahead - way < STANDS)[:-1] | (way - behind < STANDS)[1:])


def _spent(
    package: Package,
    run: Run,
    found: Alignment,
    rows: Indices,
    course: tuple[Floats, Floats, Mask],
) -> NDArray[np.int8]:
    """Say what every interval went into; ``course``: time, way, and which intervals stand."""
    time, way, stands = course
    interval = np.diff(time)
    usual = float(np.median(interval))
    executed, step = found.executed[rows[:-1]], found.step[rows[:-1]]
    takes = (step >= 0) & (package.steps.volume[np.maximum(step, 0)] > 0) if len(package.steps.volume) else step > 0
    is_rapid = package.lines.program.kind[executed] == MoveKind.RAPID
    spent = np.where(takes, Spent.CUTTING, np.where(is_rapid, Spent.RAPID, Spent.AIR))
    spent[stands] = Spent.STOPPED
    is_silent = interval > max(SILENT, 5 * usual)
    between = np.diff(rows) > 1
    spent[is_silent] = np.where(between[is_silent], Spent.ELSEWHERE, Spent.GAP)
    spent[_frozen(package, time, way, stands)] = Spent.GAP
    spent[_told_silent(run, time)] = Spent.GAP
    at_change = _at_tool_change(package, way) & np.isin(spent, (Spent.STOPPED, Spent.ELSEWHERE))
    spent[at_change] = Spent.TOOL_CHANGE
    return np.asarray(spent, np.int8)


def _frozen(package: Package, time: Floats, way: Floats, stands: Mask) -> Mask:
    """Which intervals a source repeated an old position in, and then the one in which it caught up.

    It stood, as it said, and then came farther at once than the machine goes in three times as long.
    """
    path = package.lines.way
    clock = sums_before(package.time)
    predicted = np.diff(np.interp(way, path, clock))
    found = predicted > 3 * np.diff(time) + LEAP
    for leap in np.flatnonzero(found):
        first = int(leap)
        while first > 0 and stands[max(first - 2, 0) : first].any():  # catching up may take two samples
            first -= 1
        found[first:leap] = True
    return np.asarray(found)


def _told_silent(run: Run, time: Floats) -> Mask:
    """Which intervals hold a silence that the recorder told of."""
    found = np.zeros(len(time) - 1, bool)
    for silence in run.silences:
        stop = time[-1] if silence.stop is None else silence.stop
        first = int(np.searchsorted(time, silence.start, side="right")) - 1
        last = int(np.searchsorted(time, stop, side="left"))
        if last > 0 and first < len(found):
            found[max(first, 0) : last] = True
    return found


def _at_tool_change(package: Package, way: Floats) -> Mask:
    """Which intervals begin or end where the program changes tools, or reach across such a place."""
    ways = package.lines.way
    places = np.array(
        [ways[event.before] for event in package.lines.program.events if event.kind == EventKind.TOOL_CHANGE]
    )
    if not len(places):
        return np.zeros(len(way) - 1, bool)
    low, high = way[:-1] - _NEAR, way[1:] + _NEAR
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
