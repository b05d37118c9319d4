# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measured and predicted load along the path: the data of the comparison's charts."""

from dataclasses import dataclass

import numpy as np

from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.base.arrays import Floats, Ints, Mask
from freecad_camtwin.twin.base.sequences import run_begins, sums_before
from freecad_camtwin.twin.base.weighted import means_by_group
from freecad_camtwin.twin.job.geometry import points_along
from freecad_camtwin.twin.job.job import Job
from freecad_camtwin.twin.package.package import Package
from freecad_camtwin.twin.runs.execution import Execution
from freecad_camtwin.twin.runs.figures import PIECE
from freecad_camtwin.twin.runs.net_load import NetLoad
from freecad_camtwin.twin.runs.passage import Passage, Spent

#: A ratio on the path is taken from sums over this length to each side [mm], as single steps are noisy.
AROUND = 5.0
#: Where less than this share of the typical load is predicted there is no ratio.
_FAINT = 0.05


@dataclass(frozen=True)
class PathStrokes:
    """Start and end of every step of the path."""

    move: Ints  #: (steps,)
    start: Floats  #: (steps, 3) [mm]
    end: Floats  #: (steps, 3) [mm]


@dataclass(frozen=True)
class MovingSamples:
    """The samples of an execution while the machine moved, in order, (n,)."""

    way: Floats  #: length of the program's path up to there [mm]
    since: Floats  #: that of the sample before; its own where what lies between was not seen
    operation: Ints
    measured: Floats  #: the cut's part of the load
    predicted: Floats
    feed: Floats  #: reached along the path [mm/s], NaN in rapids, and beside them and gaps
    programmed: Floats  #: feed [mm/s]


@dataclass(frozen=True)
class CutPieces:
    """The cut in pieces of about a second of one operation, (pieces,)."""

    operation: Ints
    measured: Floats
    predicted: Floats


@dataclass(frozen=True)
class Comparison:
    """One load of one execution, measured and predicted."""

    job: Job
    execution: Execution
    load: NetLoad | None  #: None: nothing was measured
    engagement: PathStrokes
    measured: Floats  #: (steps,) mean of each step's samples; NaN where it has none
    ratio: Floats  #: (steps,) measured over predicted around it
    samples: MovingSamples
    pieces: CutPieces
    gaps: tuple[tuple[float, float], ...]  #: from and to, ways of the program that were passed unseen [mm]


def compare_load(package: Package, execution: Execution, name: str | None = None) -> Comparison:
    """Lay a load of an execution that was just made on the path: the one called ``name``, or ``Execution.load``."""
    trace = execution.trace
    if trace is None:
        raise InputError("this execution was read from its file and holds no samples; make it from its run again")
    name = name or execution.load
    load = trace.loads.get(name) if name is not None else None
    passage, alignment = trace.passage, trace.alignment
    step, operation = alignment.step[passage.rows], alignment.operation[passage.rows]
    nothing = np.full(len(passage.time), np.nan)
    net, predicted = (load.net, load.predicted) if load is not None else (nothing, nothing)
    measured, ratio = _of_steps(package, step, passage.weight, net, predicted)
    path, steps = package.job.toolpath, package.steps
    strokes = PathStrokes(
        steps.move, points_along(path, steps.move, steps.begin), points_along(path, steps.move, steps.end)
    )
    moving = passage.is_spent(Spent.CUTTING, Spent.AIR, Spent.RAPID)
    return Comparison(
        job=package.job,
        execution=execution,
        load=load,
        engagement=strokes,
        measured=measured,
        ratio=ratio,
        samples=_samples(package, passage, alignment.executed[passage.rows], operation, (net, predicted), moving),
        pieces=_pieces(operation, passage.weight, net, predicted, passage.is_spent(Spent.CUTTING)),
        gaps=tuple(
            (float(passage.way[at]), float(passage.way[at + 1]))
            for at in np.flatnonzero(np.isin(passage.spent, (Spent.GAP, Spent.ELSEWHERE)))
        ),
    )


def _samples(
    package: Package,
    passage: Passage,
    executed: Ints,
    operation: Ints,
    loads: tuple[Floats, Floats],
    moving: Mask,
) -> MovingSamples:
    half = max(0.1, 2 * float(np.median(passage.interval)))
    ahead, behind = (np.interp(passage.time + side, passage.time, passage.way) for side in (half, -half))
    until, since = (np.clip(passage.time + side, passage.time[0], passage.time[-1]) for side in (half, -half))
    feed = (ahead - behind) / np.maximum(until - since, 1e-9)
    strange = passage.is_spent(Spent.RAPID, Spent.GAP, Spent.ELSEWHERE)
    others = np.concatenate([[0], np.cumsum(strange)])
    around = others[np.searchsorted(passage.time, until, side="right")] - others[np.searchsorted(passage.time, since)]
    feed[around > 0] = np.nan
    unseen = np.isin(passage.spent, (Spent.GAP, Spent.ELSEWHERE))
    before = np.concatenate([passage.way[:1], np.where(unseen, passage.way[1:], passage.way[:-1])])
    programmed = package.lines.program.feed[executed]
    net, predicted = (load[moving] for load in loads)
    return MovingSamples(
        way=passage.way[moving],
        since=before[moving],
        operation=operation[moving],
        measured=net,
        predicted=predicted,
        feed=feed[moving],
        programmed=programmed[moving],
    )


def _of_steps(package: Package, step: Ints, weight: Floats, net: Floats, predicted: Floats) -> tuple[Floats, Floats]:
    """Return the measured mean of every step, and measured over predicted around it, (steps,) each."""
    count = len(package.steps.move)
    use = (step >= 0) & np.isfinite(net) & (weight > 0)

    def sums(values: Floats) -> Floats:
        return np.bincount(step[use], weights=values[use], minlength=count).astype(np.float64)

    time, total = sums(weight), sums(weight * net)
    measured = means_by_group(net, weight, step, count)
    expected = sums(weight * np.nan_to_num(predicted))
    length = np.cumsum(package.steps.end - package.steps.begin)
    low = np.searchsorted(length, length - AROUND)
    high = np.minimum(np.searchsorted(length, length + AROUND), count)
    around_time, around_total, around_expected = (
        (running := sums_before(each))[high] - running[low] for each in (time, total, expected)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        typical = around_expected / around_time
        ratio = around_total / around_expected
    strong = np.isfinite(typical) & (time > 0)
    floor = _FAINT * float(np.quantile(typical[strong], 0.9)) if strong.any() else 0.0
    return measured, np.where(strong & (typical > max(floor, 1e-12)), ratio, np.nan)


def _pieces(operation: Ints, weight: Floats, net: Floats, predicted: Floats, cuts: Mask) -> CutPieces:
    use = cuts & np.isfinite(net) & np.isfinite(predicted) & (weight > 0) & (operation >= 0)
    if not use.any():
        return CutPieces(np.empty(0, np.int32), np.empty(0), np.empty(0))
    operation, weight, net, predicted = operation[use], weight[use], net[use], predicted[use]
    second = (np.cumsum(weight) / PIECE).astype(np.int64)
    first = np.flatnonzero(run_begins(second, operation))
    time, one, other = (np.add.reduceat(each, first) for each in (weight, weight * net, weight * predicted))
    return CutPieces(operation[first], one / time, other / time)
