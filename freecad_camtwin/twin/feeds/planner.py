# SPDX-License-Identifier: LGPL-2.1-or-later
"""From load to feed plan: the feeds of the steps, written as changes of commands, with reasons, totals and words.

A long move is split where its feed changes, not into pieces shorter than the options' ``shortest``; a raised feed
that the machine does not reach in its stretch is lowered to the reached one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import pairwise

import numpy as np

from freecad_camtwin.twin.base.arrays import Floats, Indices, Mask
from freecad_camtwin.twin.base.weighted import weighted_quantile
from freecad_camtwin.twin.cut.engagement import Engagement
from freecad_camtwin.twin.cut.limits import OperationLimits
from freecad_camtwin.twin.cut.load import LoadModel
from freecad_camtwin.twin.cycle_time.motion import schedule
from freecad_camtwin.twin.feeds.ceiling import CODE, LIMIT_SLACK, REASONS, Holder, JobCut
from freecad_camtwin.twin.feeds.into_toolpath import MovePieces, split
from freecad_camtwin.twin.feeds.plan import Binding, Change, FeedPlan, OperationPlan, Reason, Totals
from freecad_camtwin.twin.feeds.second_look import Simulation, simulate, too_fast
from freecad_camtwin.twin.feeds.step_feeds import (
    BENDING_GAPS,
    HARMLESS_GAPS,
    PlanOptions,
    StepFeeds,
    plan_steps,
    planned_by_chip,
    planned_relative,
)
from freecad_camtwin.twin.feeds.stretches import quantise
from freecad_camtwin.twin.job.geometry import fractions
from freecad_camtwin.twin.job.job import Job
from freecad_camtwin.twin.job.toolpath import Toolpath
from freecad_camtwin.twin.shop.machine import Machine

#: A stretch is listed if its load over limit exceeds the first; at the least feed, if it exceeds the second.
TOLERATED, _NEAR = 1.016, 0.98
#: In a corner the engagement exceeds the median of the operation by this factor.
_CORNER = 1.15


def plan_feeds(
    job: Job,
    engagement: Engagement,
    model: LoadModel,
    limits: Sequence[OperationLimits],
    machine: Machine | None = None,
    options: PlanOptions | None = None,
) -> FeedPlan:
    """Plan the feeds of ``job``. Rapids stay as they are; an operation without programmed feeds stays as it is.

    With a ``machine`` the saving includes its acceleration, and no feed is written that it does not reach. The
    planned path is simulated afresh (``options.checks``), and what exceeds a limit there is slowed.
    """
    return plan_and_simulate(job, engagement, model, limits, machine, options)[0]


def plan_and_simulate(
    job: Job,
    engagement: Engagement,
    model: LoadModel,
    limits: Sequence[OperationLimits],
    machine: Machine | None = None,
    options: PlanOptions | None = None,
    *,
    threads: int = 1,
    begin: Callable[[], Callable[[float], None] | None] = lambda: None,
) -> tuple[FeedPlan, Simulation | None]:
    """Plan as ``plan_feeds`` does; return the plan and the last simulation of a planned path, None if there was none.

    The simulation is that of the plan unless the last check slowed a step; see ``Simulation.is_of``. ``begin`` is
    called before each simulation and returns what is called with the share of it that is done.
    """
    chosen = options or PlanOptions()
    simulation = None
    cut = JobCut(job, engagement, model)
    relative = planned_relative(cut, limits, chosen)
    by_chip = planned_by_chip(limits, chosen)
    holder = Holder(cut, limits, relative, by_chip)
    feed_bound = np.full(cut.feed.size, np.inf)
    for checks_left in range(chosen.checks, -1, -1):
        steps = plan_steps(cut, holder, limits, chosen, feed_bound)
        parts = _parts(cut, steps, chosen.shortest)
        if machine is not None:
            parts = _within_reach(job.toolpath, parts, machine, chosen.band)
        if not checks_left or not _changed(cut, parts).any():
            break
        simulation = simulate(cut, parts, threads, begin(), simulation)
        bearable = too_fast(cut, parts, limits, steps.low, chosen.margin, simulation)
        if bearable is None:
            break
        feed_bound = np.minimum(feed_bound, bearable)
    bindings = list(_bindings(cut, holder, steps, limits))
    changes = list(_changes(cut, steps, parts))
    plan = FeedPlan(
        toolpath=job.toolpath.hash,
        operations=tuple(
            OperationPlan(
                label=operation.label,
                name=operation.name,
                uuid=operation.uuid,
                base_hash=operation.base_hash,
                changes=tuple(change for owner, change in changes if owner == index),
                bindings=tuple(binding for owner, binding in bindings if owner == index),
                note=_note(cut, index, limits[index], bool(relative[index]), bool(by_chip[index])),
            )
            for index, operation in enumerate(job.operations)
        ),
        relative=bool(relative.any()),
        sentence=_sentence(job, relative),
        totals=_totals(job.toolpath, parts, machine),
        options=asdict(chosen),
        warnings=tuple(note for own in limits for note in own.notes),
    )
    return plan, simulation


@dataclass(frozen=True)
class PlannedPieces(MovePieces):
    """The pieces of all moves, and the step that decided each feed."""

    step: Indices  #: (pieces,) a step in it, -1 for a piece without steps
    run: Indices  #: (pieces,) the run whose feed it shares, -1 without


_COLUMNS = tuple(item.name for item in fields(PlannedPieces))


def _parts(cut: JobCut, steps: StepFeeds, shortest: float) -> PlannedPieces:
    """Cut every move where the feed of its steps changes."""
    path = cut.job.toolpath
    used = np.flatnonzero(np.isfinite(steps.feed))
    move = cut.engagement.move[used].astype(np.int64)
    stop = fractions(move, cut.engagement.length[used])
    feed = steps.feed[used]
    fresh = np.ones(used.size, bool)
    fresh[1:] = (np.diff(move) != 0) | (np.diff(feed) != 0)
    last = np.flatnonzero(np.append(fresh[1:], True)) if used.size else np.zeros(0, np.int64)
    head = np.flatnonzero(fresh)
    begin = np.where(np.diff(move[head], prepend=-1) != 0, 0.0, np.concatenate([[0.0], stop[last][:-1]])[: head.size])
    parts = PlannedPieces(move[head].astype(np.int32), begin, stop[last], feed[head], used[head], steps.run[used[head]])
    parts = _lengthened(parts, path.length, shortest)
    without = np.ones(path.moves, bool)
    without[parts.move] = False
    uncut = np.flatnonzero(without)
    none = np.full(uncut.size, -1)
    whole = PlannedPieces(
        uncut.astype(np.int32), np.zeros(uncut.size), np.ones(uncut.size), path.feed[uncut], none, none
    )
    return _in_order(parts, whole)


def _in_order(*groups: PlannedPieces) -> PlannedPieces:
    columns = {name: np.concatenate([getattr(group, name) for group in groups]) for name in _COLUMNS}
    order = np.lexsort((columns["start"], columns["move"]))
    return PlannedPieces(**{name: column[order] for name, column in columns.items()})


def _lengthened(parts: PlannedPieces, length: Floats, shortest: float) -> PlannedPieces:
    """Merge pieces that are too short for their own F word; feeds never rise."""
    count = np.bincount(parts.move, minlength=length.size)
    short = (parts.end - parts.start) * length[parts.move] < shortest
    crowded = np.zeros(length.size, bool)
    crowded[parts.move[short]] = True
    of = (crowded & (count > 1))[parts.move]
    if not of.any():
        return parts
    rows = []
    begin = np.flatnonzero(of)
    for group in np.split(begin, np.flatnonzero(np.diff(parts.move[begin])) + 1):
        least = shortest / float(length[parts.move[group[0]]])
        borders = [0.0, *parts.end[group].tolist()]
        rows += [
            (piece, low, high)
            for piece, low, high in _merged(borders, parts.feed[group].tolist(), group.tolist(), least)
        ]
    index = np.array([row[0] for row in rows])
    fixed = PlannedPieces(
        parts.move[index], np.array([row[1] for row in rows]), np.array([row[2] for row in rows]),
        parts.feed[index], parts.step[index], parts.run[index],
    )  # fmt: skip
    unchanged = PlannedPieces(**{name: getattr(parts, name)[~of] for name in _COLUMNS})
    return _in_order(unchanged, fixed)


def _merged(borders: list[float], feeds: list[float], names: list[int], least: float) -> list[tuple[int, float, float]]:
    """Merge the pieces of one move until each is at least ``least`` long, as (name, start, end)."""
    while len(feeds) > 1:
        sizes = [high - low for low, high in pairwise(borders)]
        k = min(range(len(sizes)), key=sizes.__getitem__)
        if sizes[k] >= least * (1 - 1e-9):
            break
        near = [j for j in (k - 1, k + 1) if 0 <= j < len(feeds)]
        slower = [j for j in near if feeds[j] <= feeds[k]]
        if slower:
            into = max(slower, key=feeds.__getitem__)
            del borders[max(k, into)], feeds[k], names[k]
            continue
        # Slower than its neighbors: it grows, first into the one before it.
        j = near[0]
        if sizes[j] >= 2 * least - sizes[k]:
            borders[max(k, j)] += (least - sizes[k]) * (1 if j > k else -1)
        else:
            del borders[max(k, j)], feeds[j], names[j]
    ends = [round(border, 6) for border in borders]
    return list(zip(names, ends[:-1], ends[1:], strict=True))


def _within_reach(path: Toolpath, parts: PlannedPieces, machine: Machine, band: float) -> PlannedPieces:
    """Lower raised feeds to what the machine reaches somewhere in their run; to the programmed feed if near it."""
    before = path.feed[parts.move]
    raised = parts.feed > before
    if not raised.any():
        return parts
    reached = schedule(split(path, parts), machine).reachable
    _, group = np.unique(np.stack([parts.run, np.nan_to_num(parts.feed)]), axis=1, return_inverse=True)
    group = group.ravel()
    best = np.zeros(group.max() + 1)
    np.maximum.at(best, group, reached)
    top = quantise(best[group] * 1.02)
    lower = raised & (top < parts.feed)
    feed = np.where(lower, np.where(top < before * (1 + band), before, np.maximum(top, before)), parts.feed)
    return replace(parts, feed=feed, step=np.where(lower, -2 - parts.step, parts.step))


def _changed(cut: JobCut, parts: PlannedPieces) -> Mask:
    """Which pieces have another feed than the programmed one."""
    before = cut.job.toolpath.feed[parts.move]
    return np.asarray((parts.step != -1) & (np.abs(parts.feed - before) > 1e-6 * before))


def _changes(cut: JobCut, steps: StepFeeds, parts: PlannedPieces) -> Iterator[tuple[int, Change]]:
    """Every stretch whose feed differs from the programmed one, with its operation, in path order."""
    path = cut.job.toolpath
    before = path.feed[parts.move]
    differs = np.flatnonzero(_changed(cut, parts))
    wide = _in_corner(cut)
    pending: tuple[int, Change] | None = None
    cycles: set[tuple[int, int, int]] = set()
    for i in differs.tolist():
        move = int(parts.move[i])
        where = (int(path.operation[move]), int(path.command[move]), int(path.line[move]))
        in_cycle = bool(path.cycle[move])
        if where[0] < 0 or (in_cycle and where in cycles):
            continue
        cycles |= {where} if in_cycle else set()
        start, end = (0.0, 1.0) if in_cycle else (float(parts.start[i]), float(parts.end[i]))
        feed, old = round(float(parts.feed[i]), 6), round(float(before[i]), 6)
        reason = _reason(steps, int(parts.step[i]), feed > old, wide)
        if pending and pending[1].move == move and pending[1].end == start and pending[1].feed_after == feed:
            pending = (where[0], replace(pending[1], end=end))
            continue
        if pending:
            yield pending
        pending = (where[0], Change(where[1], where[2], move, start, end, old, feed, reason))
    if pending:
        yield pending


def _reason(steps: StepFeeds, step: int, raised: bool, wide: Mask) -> Reason:
    if step < -1:
        return Reason.ACCELERATION
    reason: Reason = REASONS[steps.code[step]]
    if reason is Reason.CHIP_LIMIT and raised:
        return Reason.CHIP_THINNING
    if reason in (Reason.CHIP_THINNING, Reason.REFERENCE) and not raised:
        return Reason.CORNER if wide[steps.decider[step]] else Reason.REFERENCE
    return reason


def _in_corner(cut: JobCut) -> Mask:
    """Where the engagement clearly exceeds the median of its operation, (steps,)."""
    span = cut.engagement.phi_ex - cut.engagement.phi_st
    usual = np.full(len(cut.job.operations) + 1, np.inf)
    for index in range(len(cut.job.operations)):
        of = (cut.operation == index) & cut.is_resolved & ~cut.sinks
        if of.any():
            usual[index] = weighted_quantile(span[of], cut.engagement.length[of], 0.5)
    return np.asarray(span > _CORNER * usual[cut.operation])


def _bindings(
    cut: JobCut, holder: Holder, steps: StepFeeds, limits: Sequence[OperationLimits]
) -> Iterator[tuple[int, Binding]]:
    """Where the planned feed stays outside a bound, one per neighborhood: its worst step."""
    path = cut.job.toolpath
    feed = np.nan_to_num(steps.feed, nan=1.0)
    worst, slack, _, code = holder.ratios(feed)
    thin = _thinness(cut, limits, feed)
    is_thin = (thin > TOLERATED) & (slack * LIMIT_SLACK <= TOLERATED)
    ratio = np.where(is_thin, thin, worst)
    code = np.where(is_thin, CODE[Reason.THIN], code)
    # At the least feed the margin is part of the limit: a fresh simulation may find the load a little higher.
    threshold = np.where(feed <= steps.low * 1.001, _NEAR, TOLERATED)
    outside = is_thin | (slack * LIMIT_SLACK > threshold)
    over = np.flatnonzero(outside & np.isfinite(steps.feed) & (cut.operation >= 0))
    apart = (np.diff(over) > 1) | (np.diff(code[over]) != 0) | (np.diff(cut.operation[over]) != 0)
    for group in np.split(over, np.flatnonzero(apart) + 1) if over.size else ():
        step = int(group[ratio[group].argmax()])
        move = int(cut.engagement.move[step])
        reason = REASONS[code[step]]
        yield (
            int(cut.operation[step]),
            Binding(
                command=int(path.command[move]),
                line=int(path.line[move]),
                move=move,
                limit=Reason.REFERENCE if reason is Reason.CHIP_THINNING else reason,
                ratio=round(float(ratio[step]), 4),
                feed=round(float(steps.feed[step]), 6),
            ),
        )


def _thinness(cut: JobCut, limits: Sequence[OperationLimits], feed: Floats) -> Floats:
    """Least chip over chip, (steps,): above 1 the edge rubs. 0 where no least chip is set, or none is known."""
    least = np.array([*(own.h_ex_min or np.nan for own in limits), np.nan])[cut.operation]
    if np.isnan(least).all():
        return np.zeros(feed.size)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.nan_to_num(least / cut.model.at(feed).h_ex, posinf=0.0)
    return np.asarray(np.where(cut.is_resolved & ~cut.sinks, share, 0.0))


def _totals(path: Toolpath, parts: PlannedPieces, machine: Machine | None) -> Totals:
    before = path.feed[parts.move]
    length = path.length[parts.move] * (parts.end - parts.start)
    cutting = path.is_cutting[parts.move]
    changed = cutting & (np.abs(parts.feed - before) > 1e-6 * before)
    lengths = {
        "changed_length": round(float(length[changed].sum()), 3),
        "cutting_length": round(float(length[cutting].sum()), 3),
    }
    if not np.isfinite(before[cutting]).all() or (before[cutting] <= 0).any():
        return Totals(**lengths, clock="feed")
    if machine is None:
        times = [float((length[cutting] / feed[cutting]).sum()) for feed in (before, parts.feed)]
        return Totals(round(times[0], 3), round(times[1], 3), clock="feed", **lengths)
    after = split(path, parts)
    return Totals(
        round(schedule(path, machine).total, 3), round(schedule(after, machine).total, 3), clock="controller", **lengths
    )


def _note(cut: JobCut, index: int, own: OperationLimits, relative: bool, by_chip: bool) -> str:
    """The bounds of an operation's plan, as a sentence."""
    label = cut.job.operations[index].label
    path = cut.job.toolpath
    moves = path.is_cutting & (path.operation == index)
    if not moves.any():
        return f"'{label}' has no feed moves."
    if not (path.feed[moves] > 0).any():
        return f"'{label}' has no programmed feed, so its feeds stay unchanged: give its tool controller a feed."
    unknown = [word for word in cut.model.unknown[index] if word not in HARMLESS_GAPS]
    lost = [word for word in cut.model.unknown[index] if word in BENDING_GAPS]
    bending = own.sources.get("deflection") in ("user", "operation") and bool(lost)
    more = f" Its stated deflection limit cannot be checked: its {_listed(lost)} not known." if bending else ""
    if not relative:
        chips = " with chips no thicker than the programmed ones, since no chip limit is stated" if by_chip else ""
        return f"'{label}' is as fast as its limits allow{chips}.{more}"
    if not unknown:
        return f"'{label}' is held to the load of its own programmed feed, since no limit of its load is stated."
    stated = " Its stated load limits cannot be checked." if own.is_explicit else ""
    return f"'{label}' is held to the load of its own programmed feed: its {_listed(unknown)} not known.{stated}"


def _listed(words: Sequence[str]) -> str:
    """Several words and their verb."""
    return f"{' and '.join(words)} {'is' if len(words) == 1 else 'are'}"


def _sentence(job: Job, relative: Mask) -> str:
    """The bounds of the whole plan, as a sentence."""
    if not (job.toolpath.feed[job.toolpath.is_cutting] > 0).any():
        return "No operation has a programmed feed, so none was planned: give the tool controllers feeds."
    if not relative.any():
        return "The fastest feeds within the stated limits and the known limits of machine and tool."
    names = ", ".join(f"'{operation.label}'" for operation, own in zip(job.operations, relative, strict=True) if own)
    scope = "all operations" if relative.all() else names
    return (
        f"A relative plan for {scope}: no feed is raised beyond the load that the programmed feed gives in the hardest "
        "sustained stretch, and feeds that exceed that by more than a fifth are lowered. The known limits of machine "
        "and tool apply as well."
    )
