# SPDX-License-Identifier: LGPL-2.1-or-later
"""Place a run by its load alone: time warping of the measured load onto the predicted one.

This serves machines that report only the spindle's load. Three unknowns are estimated in turn: idle power and the
ratio of measured to predicted load (a line fitted through the pairs of the warping, repeatedly), and the real pace. An
override slows feed moves, also in air, where the load does not show it, but not rapids. So the first rounds, coarse
and over the whole run, estimate how long each stretch of feed moves took; the program is timed again with that pace;
and the last round, fine and near that result, starts from there.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from camtwin_kernels import signature as kernels
from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.base.arrays import Floats, Indices, Mask
from freecad_camtwin.twin.base.sequences import sums_before
from freecad_camtwin.twin.signals.columns import Columns

#: Samples of both curves are this long [s].
FINE = 0.1
#: The first rounds look at so many samples at most.
COARSE = 2000
#: The warping's memory grows with the square of the time, to 8 GB at this [s].
_LONGEST = 86400.0
#: The run may be behind or ahead of the prediction by this share of the run and so many seconds.
BAND, BAND_S = 0.3, 20.0
#: Pace is estimated from stretches of feed moves with this predicted time in total [s].
_STRETCH = 10.0
#: Below this share of the greatest load the spindle stands; this quantile is the idle load of a turning spindle.
_STANDS, _IDLE = 0.02, 0.05
_PRICE, _PACED = 0.4, 0.6  # of another than the predicted pace, in units of the load's variance: first, and at last
_HOLD, _STOP = 3.0, 0.1  # cost of a hold, elsewhere and where the program stops
_HELD = 1.0  # a standstill of this length is a hold [s]
_ROUNDS, _RETIMED = 3, 2


@dataclass(frozen=True)
class Timing:
    """When a program's moves are made, (moves,) each [s]."""

    start: Floats
    time: Floats
    is_feed: Mask
    stops: Indices  #: moves before which the program stops, or an operation ends

    @property
    def end(self) -> float:
        """When the last move ends [s]."""
        return float(self.start[-1] + self.time[-1]) if len(self.start) else 0.0

    def at_pace(self, pace: Floats) -> "Timing":
        """Return the timing with feed moves made ``pace`` times as fast, (moves,); all else takes as long as before."""
        time = np.where(self.is_feed, self.time / pace, self.time)
        waits = np.diff(self.start, prepend=0.0)
        waits[1:] -= self.time[:-1]
        return Timing(np.cumsum(waits + np.append(0.0, time[:-1])), time, self.is_feed, self.stops)


def measured_load(columns: Columns) -> Floats | None:
    """Return the best measure of the spindle's load, in its own unit; None if there is none."""
    for name in ("power", "torque", "spindle_load", "current"):
        values = columns.column(name)
        if np.isfinite(values).sum() > 20:
            return _turning(values)
    return None


def _turning(load: Floats) -> Floats:
    """Return the load with idle load where the spindle stands: its start-up load is not caused by the cut."""
    least = _STANDS * float(np.nanmax(load))
    turns = load > least
    return np.where(load <= least, np.quantile(load[turns], _IDLE), load) if turns.any() else load


def lay_over(
    timing: Timing, draw: Callable[[Timing], Floats], time: Floats, measured: Floats
) -> tuple[Timing, Floats, Floats]:
    """Return the timing of the program, every sample's time in it [s], and the confidence, 0 … 1.

    timing: as predicted; draw: its predicted load, every ``FINE`` seconds; time [s] and measured: of the run
    Raises InputError where either is longer than ``_LONGEST``.
    """
    _check_span("the run", time[-1] - time[0], "leave out the rows whose clock was wrong, or compare it in parts")
    _check_span("the program", max(timing.end, timing.time.sum()), "let the machine report its line or its position")
    run = _regular(time, measured)
    predicted = draw(timing)
    if not predicted.any() or np.nanstd(run) == 0.0:
        return timing, np.full(len(time), np.nan), np.zeros(len(time))
    fold = max(1, -(-max(len(run), len(predicted)) // COARSE))
    centre = np.empty(0)
    for _ in range(_RETIMED):
        pairs, _ = _match(_folded(run, fold), _folded(predicted, fold), _stops(timing, fold), None, _PRICE)
        centre = np.interp(np.arange(len(run)), (np.arange(len(pairs)) + 0.5) * fold - 0.5, (pairs + 0.5) * fold - 0.5)
        paced = timing.at_pace(_pace(timing, centre))
        centre = _retimed(centre, timing, paced)
        timing, predicted = paced, draw(paced)
    half = 10 * fold + 30
    pairs, fits = _match(run, predicted, _stops(timing, 1), np.stack([centre - half, centre + half], axis=1), _PACED)
    at = (time - time[0]) / FINE - 0.5
    clock = (np.interp(at, np.arange(len(pairs)), pairs) + 0.5) * FINE
    confidence = np.interp(at, np.arange(len(fits)), fits)
    return timing, clock, np.where(np.isfinite(measured), confidence, 0.0)


def _check_span(what: str, seconds: float, way_out: str) -> None:
    if seconds > _LONGEST:
        days, most = seconds / 86400.0, _LONGEST / 86400.0
        raise InputError(f"{what} lasts {days:,.1f} days, and a load alone places {most:.0f} at most; {way_out}")


def _stops(timing: Timing, fold: int) -> Floats:
    """Return the samples before which the program stops."""
    return timing.start[timing.stops] / (FINE * fold)


def _pace(timing: Timing, centre: Floats) -> Floats:
    """Return how much faster than timed every move was made, by the predicted sample of every measured one."""
    running = np.diff(centre, prepend=centre[0] - 1)
    stays = np.concatenate([[0], np.cumsum(running > 1e-6)])[:-1]
    is_hold = np.bincount(stays)[stays] * FINE > _HELD
    lasted = np.bincount(np.clip(np.rint(centre), 0, None).astype(int), weights=~is_hold * FINE)
    passed = sums_before(lasted)
    ends = np.stack([timing.start, timing.start + timing.time])
    took = np.diff(np.interp(ends / FINE, np.arange(len(passed)), passed), axis=0)[0]
    feed = np.flatnonzero(timing.is_feed & (timing.time > 0))
    if not len(feed):
        return np.ones(len(took))
    # Enough feed moves together to include the ends of a flat stretch: only these show how long it took.
    predicted, real = np.cumsum(timing.time[feed]), np.cumsum(took[feed])
    grid = np.interp(np.stack([predicted - _STRETCH, predicted + _STRETCH]), predicted, real)
    span = np.clip(predicted + _STRETCH, None, predicted[-1]) - np.clip(predicted - _STRETCH, predicted[0], None)
    pace = np.ones(len(took))
    pace[feed] = np.clip(span / np.maximum(grid[1] - grid[0], 1e-3), 0.3, 2.0) if span[0] > 0 else 1.0
    return pace


def _retimed(centre: Floats, before: Timing, after: Timing) -> Floats:
    """Return the samples of another timing of the same program."""
    old = np.append(before.start, before.end) / FINE
    return np.interp(centre, old, np.append(after.start, after.end) / FINE)


def _regular(time: Floats, values: Floats) -> Floats:
    """Return the mean of every ``FINE`` seconds from the first sample on; NaN where there was none."""
    is_finite = np.isfinite(values)
    cell = ((time[is_finite] - time[0]) / FINE).astype(int)
    count = np.bincount(cell, minlength=int((time[-1] - time[0]) / FINE) + 1)
    total = np.bincount(cell, weights=values[is_finite], minlength=len(count))
    with np.errstate(invalid="ignore"):
        means = total / np.where(count > 0, count, np.nan)
    # Between the samples of a slow source the last value is kept; during a silence it is not.
    last = np.maximum.accumulate(np.where(count > 0, np.arange(len(count)), 0))
    is_near = np.arange(len(count)) - last <= 2.0 / FINE
    return np.asarray(np.where(is_near, means[last], np.nan))


def _folded(values: Floats, fold: int) -> Floats:
    """Return the means of ``fold`` values each."""
    if fold == 1:
        return values
    padded = np.concatenate([values, np.full(-len(values) % fold, np.nan)]).reshape(-1, fold)
    count = np.isfinite(padded).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nansum(padded, axis=1) / np.where(count > 0, count, np.nan))


def _limits(n: int, m: int, band: Floats | None) -> Indices:
    """Return the first and one past the last predicted sample of every measured one, (n, 2), both rising."""
    if band is None:
        width = BAND * max(n, m) + BAND_S / FINE * m / max(n, m)
        centre = np.arange(n) * (m / n)
        band = np.stack([centre - width, centre + width], axis=1)
    limits = np.clip(np.rint(band), 0, m).astype(np.int64)
    limits[:, 0] = np.minimum.accumulate(np.minimum(limits[:, 0], m - 1)[::-1])[::-1]
    limits[:, 1] = np.maximum.accumulate(np.maximum(limits[:, 1], limits[:, 0] + 1))
    return limits


def _match(run: Floats, predicted: Floats, stops: Floats, band: Floats | None, price: float) -> tuple[Indices, Floats]:
    """Return the predicted sample of every measured one, and how well each fits; ``stops`` in samples."""
    n, m = len(run), len(predicted)
    limits = _limits(n, m, band)
    choice = np.empty((n, int((limits[:, 1] - limits[:, 0]).max())), np.int8)
    pairs: Indices = np.arange(n) * (m - 1) // max(n - 1, 1)
    unit = float(predicted.std()) or 1.0
    is_finite = np.isfinite(run)
    idle, top = np.quantile(run[is_finite], [0.05, 0.95])
    gain = (np.quantile(predicted, 0.95) - np.quantile(predicted, 0.05)) / max(top - idle, 1e-12)
    offset = float(np.quantile(predicted, 0.05) - gain * idle)
    hold = np.full(m, _HOLD)
    hold[np.clip(np.ceil(stops - 0.5).astype(int) - 1, 0, m - 1)] = _STOP
    for _ in range(_ROUNDS):
        sums = np.full((4, m), math.inf)
        kernels.warp((gain * run + offset) / unit, predicted / unit, hold, limits, price, sums, choice, pairs)
        fitted = (
            np.polyfit(run[is_finite], predicted[pairs[is_finite]], 1) if run[is_finite].std() > 0 else (gain, offset)
        )
        if fitted[0] <= 0:
            break
        gain, offset = float(fitted[0]), float(fitted[1])
    gap = (gain * run + offset - predicted[pairs]) / unit
    return pairs, np.exp(-0.5 * np.nan_to_num(gap, nan=10.0) ** 2) * 0.8
