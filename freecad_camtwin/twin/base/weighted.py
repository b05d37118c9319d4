# SPDX-License-Identifier: LGPL-2.1-or-later
"""Means and quantiles of values weighted by length of path or by time. Unknown values are left out."""

import math

import numpy as np

from freecad_camtwin.twin.base.arrays import Floats, Indices


def weighted_mean(values: Floats, weight: Floats) -> float:
    """Return the mean; NaN if no value is known and has weight."""
    use = np.isfinite(values) & (weight > 0)
    return float((values[use] * weight[use]).sum() / weight[use].sum()) if use.any() else math.nan


def weighted_quantile(values: Floats, weight: Floats, share: float) -> float:
    """Return the value that ``share`` of the weight does not exceed; NaN if no value is known and has weight."""
    use = np.isfinite(values) & (weight > 0)
    if not use.any():
        return math.nan
    order = np.argsort(values[use])
    covered = np.cumsum(weight[use][order])
    return float(values[use][order][np.searchsorted(covered, share * covered[-1])])


def means_by_group(values: Floats, weight: Floats, group: Indices, count: int) -> Floats:
    """Return the mean of every group, (count,), NaN if it is empty; a value of no group has a negative ``group``."""
    use = np.isfinite(values) & (group >= 0) & (weight > 0)
    total = np.bincount(group[use], weights=weight[use], minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.bincount(group[use], weights=(values * weight)[use], minlength=count) / total)
