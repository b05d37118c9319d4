# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures of one execution: its times, its load beside the prediction, and the quality of its data."""

import numpy as np
from msgspec import Struct

from freecad_camtwin.twin.alignment.align import Alignment
from freecad_camtwin.twin.base.arrays import Floats, Mask
from freecad_camtwin.twin.base.sequences import sums_before
from freecad_camtwin.twin.base.weighted import weighted_mean, weighted_quantile
from freecad_camtwin.twin.package.package import Package
from freecad_camtwin.twin.runs.net_load import NetLoad
from freecad_camtwin.twin.runs.passage import Passage, Spent, shares
from freecad_camtwin.twin.signals.run import Run

#: A ratio of measured to predicted is taken over pieces of this much cutting time [s], for its spread.
PIECE = 1.0
#: Predicted loads below this share of the typical one are left out of the ratio.
_FAINT = 0.05
_LIMITS = ("power", "torque", "force")

Known = float | None


class LoadFigures(Struct, frozen=True, forbid_unknown_fields=True):
    """One load of an operation or of the whole run while it cut; unknown is None."""

    unit: str
    mean: Known  #: of the cut's part, over time
    p95: Known
    greatest: Known
    predicted: Known  #: mean over the same samples
    ratio: Known  #: measured over predicted, of the sums
    ratio_low: Known  #: of a second's cut: a sixth of them lies below
    ratio_high: Known  #: … and a sixth above this
    idle: Known  #: idle load that was subtracted
    limit: Known  #: limit of the load, if there is one
    over_limit: Known  #: share of the cutting time above it


class OperationFigures(Struct, frozen=True, forbid_unknown_fields=True):
    """One operation of an execution."""

    label: str
    length: float  #: of its path [mm]; 0 where it only stops
    seen: float  #: share of its path that was seen, 0 … 1
    time: float  #: from entering to leaving its moves [s]
    stood: float  #: of this standing still, changing tools included [s]
    unseen: float  #: … and unknown [s]
    predicted_time: Known  #: for what was seen of it [s]
    feed_override: Known  #: mean [%]
    feed_reached: Known  #: of the programmed feed, in feed moves
    removed: float  #: predicted volume of the steps that were seen [mm³]
    loads: dict[str, LoadFigures]

    @property
    def seen_time(self) -> float:
        """Its time without the unseen time [s]: the time to compare with the predicted one."""
        return self.time - self.unseen


class Quality(Struct, frozen=True, forbid_unknown_fields=True):
    """How far the data can be trusted."""

    method: str  #: "position", "position and line", "line" or "power"
    samples: int
    placed: float  #: share of the samples of this execution's time that have a place
    seen: float  #: share of the path of all feed moves that was seen
    interval: float  #: usual, between two samples [s]
    confidence: float  #: mean, 0 … 1
    off_path: Known  #: 95 % of the samples lie nearer to the path than this [mm]
    lag: float  #: estimated and taken out [s]
    delay: float  #: … of positions against lines [s]
    bias: tuple[float, float, float]  #: … [mm]
    gaps: int
    gap_time: float  #: [s]
    received: int | None
    dropped: dict[str, int]


class RunFigures(Struct, frozen=True, forbid_unknown_fields=True):
    """One execution as a whole."""

    cycle_time: float  #: from the first to the last motion [s]
    predicted_time: Known  #: for what was seen of it [s]
    breakdown: dict[str, float]  #: cutting, air, rapid, stopped, tool_change, elsewhere, gap [s]; they sum up to it
    feed_override: Known  #: mean over the feed moves [%]
    feed_override_low: Known
    feed_override_high: Known
    feed_reached: Known
    energy: Known  #: drawn by the spindle, over the time that was seen [J]
    cutting_energy: Known  #: of this, what the cut took [J]
    removed: float  #: [mm³]
    q: Known  #: mean over the cutting time [mm³/s]
    loads: dict[str, LoadFigures]

    @property
    def seen_time(self) -> float:
        """The cycle time without the unseen time [s]: the time to compare with the predicted one."""
        return self.cycle_time - self.breakdown["gap"] - self.breakdown["elsewhere"]


class Sums:
    """The time and length seen of every move of the program, to sum up by operation and in total."""

    def __init__(self, package: Package, passage: Passage) -> None:
        self.package, self.passage = package, passage
        self.start, self.time, self.stood, self.unseen, self.seen = shares(package, passage)
        length = package.lines.program.length
        #: Until the next move begins, as what passes between two moves counts with the first of them (moves,) [s].
        self.predicted = np.diff(np.append(package.start, package.start[-1] + package.time[-1]))
        self.covered = np.where(length > 0, self.seen / np.where(length > 0, length, 1.0), np.isfinite(self.start))

    def removed(self, of: Mask) -> float:
        """Predicted volume of the steps of some moves of the program, as far as they were seen [mm³]."""
        lines, steps = self.package.lines, self.package.steps
        per_move = np.bincount(steps.move, weights=steps.volume, minlength=self.package.job.toolpath.moves)
        has = of & (lines.move >= 0)
        share = (lines.end - lines.begin)[has] * np.clip(self.covered[has], 0.0, 1.0)
        return float((per_move[lines.move[has]] * share).sum())

    def predicted_time(self, of: Mask) -> float:
        """Return how long the seen part of some moves of the program was predicted to take, stops included [s]."""
        return float((self.predicted * np.clip(self.covered, 0.0, 1.0))[of].sum())


def run_figures(package: Package, run: Run, sums: Sums, loads: dict[str, NetLoad]) -> RunFigures:
    """Return the figures of the whole execution."""
    passage = sums.passage
    everything = np.ones(len(sums.time), bool)
    whole = np.ones(len(passage.time), bool)
    removed = sums.removed(everything)
    cutting = passage.seconds(Spent.CUTTING)
    override = _column(run, passage, "feed_override")[_feeding(passage)]
    overrides = override[np.isfinite(override)]
    power = loads.get("power")
    return RunFigures(
        cycle_time=float(passage.time[-1] - passage.time[0]),
        predicted_time=sums.predicted_time(everything),
        breakdown={kind.name.lower(): passage.seconds(kind) for kind in Spent},
        feed_override=number_or_none(
            weighted_mean(_column(run, passage, "feed_override"), passage.weight * _feeding(passage))
        ),
        feed_override_low=float(overrides.min()) if overrides.size else None,
        feed_override_high=float(overrides.max()) if overrides.size else None,
        feed_reached=feed_reached(package, passage, whole),
        energy=_energy(passage, power.raw, seen=True) if power is not None else None,
        cutting_energy=_energy(passage, power.net, seen=False) if power is not None else None,
        removed=removed,
        q=removed / cutting if cutting > 0 else None,
        loads={name: load_figures(package, passage, load, whole) for name, load in loads.items()},
    )


def operation_figures(
    package: Package, run: Run, alignment: Alignment, sums: Sums, loads: dict[str, NetLoad]
) -> tuple[OperationFigures, ...]:
    """Return the figures of every operation of the job, in its order."""
    passage, lines = sums.passage, package.lines
    of_sample = alignment.operation[passage.rows]
    rows = []
    for index, operation in enumerate(package.job.operations):
        moves, samples = lines.operation == index, of_sample == index
        length = float(lines.program.length[moves].sum())
        rows.append(
            OperationFigures(
                label=operation.label,
                length=length,
                seen=float(sums.seen[moves].sum()) / length if length else 0.0,
                time=float(sums.time[moves].sum()),
                stood=float(sums.stood[moves].sum()),
                unseen=float(sums.unseen[moves].sum()),
                predicted_time=sums.predicted_time(moves),
                feed_override=_mean_override(run, passage, samples & _feeding(passage)),
                feed_reached=feed_reached(package, passage, samples),
                removed=sums.removed(moves),
                loads={
                    name: load_figures(package, passage, load, samples, operation=index) for name, load in loads.items()
                },
            )
        )
    return tuple(rows)


def load_figures(
    package: Package, passage: Passage, load: NetLoad, among: Mask, operation: int | None = None
) -> LoadFigures:
    """Return the figures of one load over the samples that cut, of those ``among``."""
    cuts = among & passage.is_spent(Spent.CUTTING) & np.isfinite(load.net)
    net, predicted, weight = load.net[cuts], load.predicted[cuts], passage.weight[cuts]
    limits = np.array([getattr(each, load.name, None) or np.nan for each in package.limits] or [np.nan])
    has_limit = load.name in _LIMITS and operation is not None and operation < len(limits)
    limit = float(limits[operation or 0]) if has_limit else np.nan
    ratio, low, high = _ratio(net, predicted, weight)
    return LoadFigures(
        unit=load.unit,
        mean=number_or_none(weighted_mean(net, weight)),
        p95=number_or_none(weighted_quantile(net, weight, 0.95)),
        greatest=float(net.max()) if net.size else None,
        predicted=number_or_none(weighted_mean(predicted, weight)),
        ratio=ratio,
        ratio_low=low,
        ratio_high=high,
        idle=number_or_none(float(load.idle[operation])) if operation is not None else None,
        limit=number_or_none(limit),
        over_limit=float(weight[net > limit].sum() / weight.sum()) if np.isfinite(limit) and weight.sum() > 0 else None,
    )


def quality(package: Package, run: Run, alignment: Alignment, sums: Sums) -> Quality:
    """Return how far one execution's data can be trusted."""
    passage = sums.passage
    time = alignment.time
    within = (time >= passage.time[0]) & (time <= passage.time[-1])
    feeds = package.lines.program.is_cutting
    length = float(package.lines.program.length[feeds].sum())
    distance = alignment.distance[passage.rows]
    distance = distance[np.isfinite(distance)]
    gaps = np.flatnonzero(passage.spent == Spent.GAP)
    return Quality(
        method=alignment.method,
        samples=int(within.sum()),
        placed=len(passage.rows) / max(int(within.sum()), 1),
        seen=float(sums.seen[feeds].sum()) / length if length else 0.0,
        interval=float(np.median(passage.interval)),
        confidence=float(alignment.confidence[passage.rows].mean()),
        off_path=float(np.quantile(distance, 0.95)) if distance.size else None,
        lag=float(alignment.correction.lag),
        delay=float(alignment.correction.delay),
        bias=(
            float(alignment.correction.bias[0]),
            float(alignment.correction.bias[1]),
            float(alignment.correction.bias[2]),
        ),
        gaps=int((np.diff(gaps, prepend=-2) > 1).sum()),
        gap_time=passage.seconds(Spent.GAP),
        received=run.received,
        dropped=dict(run.dropped),
    )


def feed_reached(package: Package, passage: Passage, among: Mask) -> float | None:
    """Return the reached share of the programmed feed in feed moves: time at that feed over time taken."""
    program = package.lines.program
    has_feed = program.is_cutting & (program.feed > 0)
    at_feed = np.where(has_feed, program.length / np.where(has_feed, program.feed, 1.0), 0.0)
    others = np.where(has_feed, 0.0, program.length)
    planned, other = (
        np.diff(np.interp(passage.way, package.lines.way, sums_before(each))) for each in (at_feed, others)
    )
    fed = np.isin(passage.spent, (Spent.CUTTING, Spent.AIR)) & among[:-1] & (other <= 1e-9)
    taken = float(passage.interval[fed].sum())
    return float(planned[fed].sum()) / taken if taken > 0 else None


def _feeding(passage: Passage) -> Mask:
    return passage.is_spent(Spent.CUTTING, Spent.AIR)


def _mean_override(run: Run, passage: Passage, among: Mask) -> float | None:
    return number_or_none(weighted_mean(_column(run, passage, "feed_override"), passage.weight * among))


def _column(run: Run, passage: Passage, name: str) -> Floats:
    return run.columns.column(name)[passage.rows]


def _energy(passage: Passage, power: Floats, *, seen: bool) -> float | None:
    """Integrate power over the time that was seen, or over that of the cut [J]."""
    use = ~np.isin(passage.spent, (Spent.GAP, Spent.ELSEWHERE)) if seen else passage.spent == Spent.CUTTING
    between = (power[:-1] + power[1:]) / 2
    use = use & np.isfinite(between)
    return float((between[use] * passage.interval[use]).sum()) if use.any() else None


def _ratio(net: Floats, predicted: Floats, weight: Floats) -> tuple[Known, Known, Known]:
    """Return measured over predicted: of the sums, and what a sixth of all seconds of cut lies below and above."""
    use = np.isfinite(predicted) & (weight > 0)
    if not use.any() or not (predicted[use] > 0).any():
        return None, None, None
    use &= predicted > _FAINT * float(np.quantile(predicted[use], 0.9))
    net, predicted, weight = net[use], predicted[use], weight[use]
    if not weight.sum() > 0:
        return None, None, None
    piece = (np.cumsum(weight) / PIECE).astype(np.int64)
    one, other = (np.bincount(piece, weights=values * weight) for values in (net, predicted))
    pieces = one[other > 0] / other[other > 0]
    low, high = np.quantile(pieces, [1 / 6, 5 / 6])
    return float((net * weight).sum() / (predicted * weight).sum()), float(low), float(high)


def number_or_none(value: float) -> float | None:
    """Return the number, None if it is not finite."""
    return value if np.isfinite(value) else None
