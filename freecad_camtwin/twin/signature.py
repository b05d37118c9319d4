# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a run is by its load alone: the measured curve laid over the predicted one in time.

For a machine that tells nothing but what its spindle draws. Idle power and the ratio of measured to predicted load are
not known either, so they are fitted between two rounds of warping (``camtwin_kernels.signature``): first coarsely over
the whole run, then finely beside what was found.
"""

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels import signature as kernels
from freecad_camtwin.twin.columns import Columns
from freecad_camtwin.twin.toolpath import Floats, Ints

#: Samples of both curves are this long [s].
FINE = 0.1
#: The first round looks at so many samples at most.
COARSE = 3000
#: The machine may be behind or ahead of the prediction by this share of the run and so many seconds.
BAND, BAND_S = 0.3, 20.0
_PRICE = 0.03  # of going by another than the predicted pace, in units of the load's variance
_ROUNDS = 3


def measured_load(columns: Columns) -> Floats | None:
    """Return what tells the spindle's load best, in whatever unit; None if nothing does."""
    for name in ("power", "torque", "spindle_load", "current"):
        values = columns.column(name)
        if np.isfinite(values).sum() > 20:
            return values
    return None


def lay_over(predicted: Floats, time: Floats, measured: Floats) -> tuple[Floats, Floats]:
    """Return the predicted time of every sample [s], and how sure that is, 0 … 1.

    ``predicted``: every ``FINE`` seconds from the program's start; ``time`` [s] and ``measured`` of the run.
    """
    run = _regular(time, measured)
    if not predicted.any() or np.nanstd(run) == 0.0:
        return np.full(len(time), np.nan), np.zeros(len(time))
    fold = max(1, -(-max(len(run), len(predicted)) // COARSE))
    pairs, _ = _match(_folded(run, fold), _folded(predicted, fold), None)
    centre = np.interp(np.arange(len(run)), (np.arange(len(pairs)) + 0.5) * fold - 0.5, (pairs + 0.5) * fold - 0.5)
    # An override slows air and cut alike, but in air there is nothing to see it by: so the whole curve is stretched.
    pace = _pace(centre, len(predicted))
    stretched = np.interp(np.arange(round(len(predicted) / pace)) * pace, np.arange(len(predicted)), predicted)
    half = 20 * fold + 20
    pairs, fits = _match(run, stretched, np.stack([centre / pace - half, centre / pace + half], axis=1))
    at = (time - time[0]) / FINE - 0.5
    clock = (np.interp(at, np.arange(len(pairs)), pairs * pace) + 0.5) * FINE
    confidence = np.interp(at, np.arange(len(fits)), fits)
    return clock, np.where(np.isfinite(measured), confidence, 0.0)


def _pace(pairs: Floats, end: int) -> float:
    """Return how much faster than predicted most of the run went: what half of its stretches of 5 s exceed."""
    inside = pairs[(pairs > 0.01 * end) & (pairs < 0.99 * end)]
    stretch = round(5.0 / FINE)
    if len(inside) < 4 * stretch:
        return 1.0
    return float(np.clip(np.median((inside[stretch:] - inside[:-stretch]) / stretch), 0.2, 3.0))


def _regular(time: Floats, values: Floats) -> Floats:
    """Return the mean of every ``FINE`` seconds from the first sample on; NaN where there was none."""
    known = np.isfinite(values)
    cell = ((time[known] - time[0]) / FINE).astype(int)
    count = np.bincount(cell, minlength=int((time[-1] - time[0]) / FINE) + 1)
    total = np.bincount(cell, weights=values[known], minlength=len(count))
    with np.errstate(invalid="ignore"):
        means = total / np.where(count > 0, count, np.nan)
    # A source slower than the cells is held in between; a silence is not.
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


def _match(run: Floats, predicted: Floats, band: Floats | None) -> tuple[Ints, Floats]:
    """Return the predicted sample of every measured one, and how well each fits."""
    n, m = len(run), len(predicted)
    if band is None:
        width = BAND * max(n, m) + BAND_S / FINE * m / max(n, m)
        centre = np.arange(n) * (m / n)
        band = np.stack([centre - width, centre + width], axis=1)
    limits = np.clip(np.rint(band), 0, m).astype(np.int64)
    limits[:, 0] = np.minimum.accumulate(np.minimum(limits[:, 0], m - 1)[::-1])[::-1]
    limits[:, 1] = np.maximum.accumulate(np.maximum(limits[:, 1], limits[:, 0] + 1))
    choice = np.empty((n, int((limits[:, 1] - limits[:, 0]).max())), np.int8)
    pairs: NDArray[np.int64] = np.arange(n) * (m - 1) // max(n - 1, 1)
    unit = float(predicted.std()) or 1.0
    known = np.isfinite(run)
    idle, top = np.quantile(run[known], [0.05, 0.95])
    gain = (np.quantile(predicted, 0.95) - np.quantile(predicted, 0.05)) / max(top - idle, 1e-12)
    offset = float(np.quantile(predicted, 0.05) - gain * idle)
    for _ in range(_ROUNDS):
        sums = np.full((2, m), np.inf)
        kernels.warp((gain * run + offset) / unit, predicted / unit, limits, _PRICE, sums, choice, pairs)
        fitted = np.polyfit(run[known], predicted[pairs[known]], 1) if run[known].std() > 0 else (gain, offset)
        if fitted[0] <= 0:
            break
        gain, offset = float(fitted[0]), float(fitted[1])
    gap = (gain * run + offset - predicted[pairs]) / unit
    return np.asarray(pairs, np.int32), np.exp(-0.5 * np.nan_to_num(gap, nan=10.0) ** 2) * 0.8
