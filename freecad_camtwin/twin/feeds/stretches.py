# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stretches of the path: the steps within a distance of each step, and runs of steps with one feed."""

from dataclasses import dataclass

import numpy as np

from freecad_camtwin.twin.base.arrays import Floats, Indices, Mask
from freecad_camtwin.twin.base.sequences import sums_before
from freecad_camtwin.twin.base.weighted import weighted_quantile
from freecad_camtwin.twin.job.toolpath import Toolpath

#: The most that ``quantise`` takes off a feed, as a share.
FEED_ROUNDING = 0.02


@dataclass(frozen=True)
class StepTrack:
    """The positions of steps along the path. A rapid or the next operation ends a segment; windows end there."""

    start: Floats  #: (steps,) distance travelled at the start of each step [mm]
    end: Floats  #: (steps,) at its end
    first: Indices  #: (steps,) the first step of its segment
    last: Indices  #: (steps,) the last step of its segment

    @classmethod
    def of(cls, toolpath: Toolpath, move: Indices, length: Floats) -> "StepTrack":
        """Lay the steps of ``move`` with ``length`` [mm] end to end."""
        end = np.cumsum(length)
        rapids = np.cumsum(~toolpath.is_cutting)[move]
        operation = toolpath.operation[move]
        fresh = np.ones(move.size, bool)
        fresh[1:] = (np.diff(rapids) != 0) | (np.diff(operation) != 0)
        bounds = np.flatnonzero(np.append(fresh, True))
        size = np.diff(bounds)
        return cls(end - length, end, np.repeat(bounds[:-1], size), np.repeat(bounds[1:] - 1, size))

    def around(self, behind: Floats, ahead: Floats) -> tuple[Indices, Indices]:
        """The first and the last step that lie within ``behind`` before each step and ``ahead`` after it."""
        low = np.searchsorted(self.end, self.start - behind, side="right")
        high = np.searchsorted(self.start, self.end + ahead, side="left") - 1
        own = np.arange(self.start.size)
        return np.maximum(np.minimum(low, own), self.first), np.minimum(np.maximum(high, own), self.last)

    def sustained(self, value: Floats, distance: float, within: Mask) -> float:
        """The greatest mean of ``value`` over a stretch of ``distance``; steps outside ``within`` count as 0.

        Where no stretch is that long, the median by length; NaN where nothing is within.
        """
        if not within.any():
            return float("nan")
        length = self.end - self.start
        total = sums_before(np.where(within, value, 0.0) * length)
        last = np.searchsorted(self.end, self.start + distance * (1 - 1e-9), side="left")
        whole = np.flatnonzero(last <= self.last)
        if whole.size:
            last = last[whole]
            mean = (total[last + 1] - total[whole]) / (self.end[last] - self.start[whole])
            if mean.max() > 0:
                return float(mean.max())
        return weighted_quantile(value[within], length[within], 0.5)


def window_argmin(value: Floats, low: Indices, high: Indices) -> Indices:
    """Index of the least of ``value[low : high + 1]`` for every pair, by a sparse table (Bender, Farach-Colton 2000).

    Level k holds the winner of every window of 2^k; two of them that overlap cover any window.
    """
    level = np.log2(np.maximum(high - low + 1, 1)).astype(np.int64)
    winner = np.empty_like(low)
    table = np.arange(value.size)
    for k in range(int(level.max(initial=0)) + 1):
        if k:
            half = 1 << (k - 1)
            one, two = table[:-half], table[half:]
            table = np.where(value[two] < value[one], two, one)
        of = np.flatnonzero(level == k)
        one, two = table[low[of]], table[high[of] - (1 << k) + 1]
        winner[of] = np.where(value[two] < value[one], two, one)
    return winner


def runs(value: Floats, length: Floats, apart: Mask, band: float, shortest: Floats) -> Indices:
    """Number the runs of neighboring steps within which a feed may stay the same, shape (steps,).

    A run's greatest value is at most ``1 + band`` times its least, and neighbors whose least values are that near
    become one. ``apart`` marks steps that must start a run.
    A run shorter than its first step's ``shortest`` [mm] joins its neighbor with the greater value not above its
    own, if it has one: only what is slower than both of its neighbors may be short.
    """
    fresh = _starts(value, apart, band)
    _join_short(fresh, value, length, apart, shortest)
    begin = np.flatnonzero(fresh)
    if begin.size:
        least = np.minimum.reduceat(value, begin)
        fresh[begin] = _starts(least, apart[begin], band)
    return np.cumsum(fresh) - 1


def _starts(value: Floats, apart: Mask, band: float) -> Mask:
    """Where a new run must begin, going from left to right."""
    fresh = np.zeros(value.size, bool)
    least = most = 0.0
    for i, (x, must) in enumerate(zip(value.tolist(), apart.tolist(), strict=True)):
        if must or i == 0 or max(x, most) > min(x, least) * (1 + band):
            fresh[i] = True
            least = most = x
        else:
            least, most = min(x, least), max(x, most)
    return fresh


def _join_short(fresh: Mask, value: Floats, length: Floats, apart: Mask, shortest: Floats) -> None:
    """Clear ``fresh`` at one border of every run that is too short to be worth an F word."""
    begin = np.flatnonzero(fresh)
    if not begin.size:
        return
    least = np.minimum.reduceat(value, begin).tolist()
    size = np.add.reduceat(length, begin).tolist()
    bound = apart[begin].tolist()
    enough = shortest[begin].tolist()
    joined: list[int] = []  # runs as they stand, left to right
    for i in range(len(begin)):
        joins = joined and not bound[i]
        left = least[joined[-1]] if joins else np.inf
        if joins and _ends(joined[-1], i, size, enough, least):
            # The short run before is not slower than this one: it is absorbed, and so may be the run before it.
            _swallow(joined[-1], i, fresh, begin, size, least)
            while len(joined) > 1 and _ends(joined[-2], joined[-1], size, enough, least) and not bound[joined[-1]]:
                last = joined.pop()
                _swallow(joined[-1], last, fresh, begin, size, least)
            continue
        right = least[i + 1] if i + 1 < len(begin) and not bound[i + 1] else np.inf
        if joins and size[i] < enough[i] and left <= least[i] and not left < right <= least[i]:
            fresh[begin[i]] = False
            size[joined[-1]] += size[i]
            continue
        joined.append(i)


def _ends(run: int, following: int, size: list[float], enough: list[float], least: list[float]) -> bool:
    """Whether a run is too short, and not slower than the one that follows."""
    return size[run] < enough[run] and least[following] <= least[run]


def _swallow(run: int, following: int, fresh: Mask, begin: Indices, size: list[float], least: list[float]) -> None:
    """Extend a run to the end of the following one, which is not faster."""
    fresh[begin[following]] = False
    size[run] += size[following]
    least[run] = least[following]


def quantise(feed: Floats) -> Floats:
    """Round feeds [mm/s] down to round values in mm/min: multiples of 1, 2 or 5·10^k, at most 2 % apart.

    A feed that is already round, to a millionth, stays as it is.
    """
    per_minute = (feed + 6e-7) * 60
    exponent = np.log10(np.maximum(per_minute, 1e-6) * 0.02)
    decade = 10.0 ** np.floor(exponent)
    share = exponent - np.floor(exponent)
    step = decade * np.select([share >= np.log10(5), share >= np.log10(2)], [5.0, 2.0], 1.0)
    return np.asarray(np.round(np.floor(per_minute / step) * step / 60, 6))
