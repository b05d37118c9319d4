# SPDX-License-Identifier: LGPL-2.1-or-later
"""The feed of every step: the fastest within all limits, in stretches long enough for an F word.

How a feed is computed:

1. *Ceiling* (``feeds.ceiling``): the greatest feed at which no load exceeds its limit or its reference.
2. *Entry*: where the tool meets the material after air or a rapid with more than a quarter of a turn at once, the
   feed is ``entry`` times that of the cut behind it, over half a diameter.
3. *Look-ahead*: the least ceiling within a window of the path (an erosion), so that the feed is low before the
   harder stretch begins, and stays so if the next simulation cuts its steps elsewhere.
4. *Caps*: least and greatest feed; feeds in air, plunges, ramps and cuts narrower than a cell are not raised.
5. *Runs*: neighboring steps whose ceilings lie within ``band`` share one feed, rounded down; a programmed feed that
   is allowed and not more than ``band`` slower than that stays.

Sources: Ferry and Altintas 2008 (ASME J. Manuf. Sci. Eng. 130, 011013) for several limits at once; the shares are
CAM Twin's own.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from freecad_camtwin.errors import PlanError
from freecad_camtwin.twin.base.arrays import Floats, Indices, Mask
from freecad_camtwin.twin.base.sequences import run_begins
from freecad_camtwin.twin.cut.limits import OperationLimits, feed_min_share
from freecad_camtwin.twin.feeds.ceiling import CODE, Holder, JobCut
from freecad_camtwin.twin.feeds.plan import OBJECTIVES, Reason
from freecad_camtwin.twin.feeds.stretches import FEED_ROUNDING, quantise, runs, window_argmin

#: Data that only the deflection needs.
BENDING_GAPS = ("protruding length", "tool material")
#: What may be unknown without making a plan relative: these gaps leave forces, power and chips known.
HARMLESS_GAPS = frozenset({"feed", "drill moving sideways", *BENDING_GAPS})


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """How to plan; the defaults are explained in docs/feeds.md."""

    objective: str = "auto"  #: one of ``OBJECTIVES``
    air: bool = False  #: whether moves through air are sped up to the greatest feed
    entry: float = 0.6  #: feed of a head-on entry, as a share of the cut behind it
    margin: float = 0.03  #: kept below every limit
    band: float = 0.08  #: changes smaller than this are not written
    look_ahead: float = 0.25  #: of dc, how far before a harder stretch its feed holds
    look_back: float = 0.1  #: of dc, how far behind it
    steady: float = 0.5  #: of dc, shortest stretch that is faster than its neighbors
    shortest: float = 1.0  #: shortest piece of a split move [mm]
    checks: int = 2  #: how often the planned path may be simulated afresh, to lower feeds that exceed a limit there

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise PlanError(f"the objective {self.objective!r} is not known; choose one of {', '.join(OBJECTIVES)}")
        for name in ("entry", "margin", "band", "look_ahead", "look_back", "steady", "shortest", "checks"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value >= 0) or (name in ("entry", "margin") and value > 1):
                raise PlanError(f"the option {name} = {value:g} is out of range; see docs/feeds.md")


@dataclass(frozen=True)
class StepFeeds:
    """The outcome for every step; all (steps,)."""

    feed: Floats  #: planned [mm/s]
    allowed: Floats  #: the greatest feed known to be within its bounds [mm/s]
    low: Floats  #: least feed that may be written [mm/s]
    code: Indices  #: why, an index into REASONS
    decider: Indices  #: the step whose bound decided
    run: Indices  #: steps with the same number share a feed


def planned_relative(cut: JobCut, limits: Sequence[OperationLimits], options: PlanOptions) -> Mask:
    """Which operations are bounded by their own programmed load, (operations,).

    All whose loads cannot be computed; and, by default, all without a stated limit of the load.
    """
    chosen = []
    for own, unknown in zip(limits, cut.model.unknown, strict=True):
        blind = bool(set(unknown) - HARMLESS_GAPS)
        by_wish = options.objective == "programmed" or (options.objective == "auto" and not own.is_explicit)
        chosen.append(blind or by_wish)
    return np.array(chosen, bool)


def planned_by_chip(limits: Sequence[OperationLimits], options: PlanOptions) -> Mask:
    """Which operations are bounded by their programmed chips, (operations,): those without a stated chip limit.

    A tool's default is a rule of thumb that may lower a feed; it raises one only with the objective "limits".
    """
    asked = options.objective == "limits"
    return np.array(
        [
            own.h_ex_max is None or (not asked and own.sources.get("h_ex_max") not in ("user", "operation"))
            for own in limits
        ],
        bool,
    )


def plan_steps(
    cut: JobCut, holder: Holder, limits: Sequence[OperationLimits], options: PlanOptions, known: Floats
) -> StepFeeds:
    """Plan the feed of every step, as the module docstring describes.

    ``known``, (steps,), is the greatest feed by the checks of the plan [mm/s]; inf without one.
    """
    low, high = feed_range(cut, limits)
    ceiling, short_code = holder.fastest(low, high, 1 - options.margin)
    code = short_code.astype(np.int64)
    _, slack, _ = holder.ratio(np.nan_to_num(cut.feed, nan=1.0))
    ceiling = np.minimum(np.where(cut.removes, ceiling, np.inf), known)
    # A feed within its bounds may stay, even if the ceiling with its margin is lower. A load grows no faster than
    # the feed, so a feed at a share of its bounds may grow by as much.
    fits = (slack <= 1) & np.isfinite(cut.feed)
    keeps = np.where(fits, np.nan_to_num(cut.feed) / np.maximum(slack, 1e-6), 0.0)
    allowed = np.minimum(np.maximum(ceiling, keeps), known)
    behind = np.minimum(np.maximum(ceiling, np.where(fits, cut.feed, 0.0)), high)
    _slow_entries(cut, ceiling, allowed, code, behind, options)
    around = cut.track.around(options.look_back * cut.dc, options.look_ahead * cut.dc)
    hardest = window_argmin(ceiling, *around)
    allowed = allowed[window_argmin(allowed, *around)]
    ceiling, code = ceiling[hardest], code[hardest]
    top, why = _caps(cut, limits, high, options)
    code = np.where(top < ceiling, why, code)
    code = np.where(ceiling < low * (1 - 1e-9), CODE[Reason.MINIMUM], code)
    target = np.maximum(np.minimum(ceiling, top), low)
    allowed = np.maximum(np.minimum(allowed, np.maximum(top, high)), low)
    _one_feed_per_cycle(cut, target, allowed, code, hardest)
    return _settle(cut, StepFeeds(target, allowed, low, code, hardest, hardest), options)


def feed_range(cut: JobCut, limits: Sequence[OperationLimits]) -> tuple[Floats, Floats]:
    """Least and greatest feed of every step [mm/s], from its operation's limits; nothing is raised to the least."""
    low, high = np.full(cut.feed.size, 1e-3), np.full(cut.feed.size, 1e-3)
    for index, own in enumerate(limits):
        of = (cut.operation == index) & np.isfinite(cut.feed)
        if not of.any():
            continue
        fastest = float(cut.feed[of].max())
        high[of] = own.feed_max if own.feed_max is not None else 10 * fastest
        least = own.feed_min if own.feed_min is not None else feed_min_share() * fastest
        if own.sources.get("feed_min") == "machine":
            least = max(least, feed_min_share() * fastest)
        low[of] = np.minimum(least, np.minimum(cut.feed, high)[of])
    return low, np.maximum(high, low)


def _caps(cut: JobCut, limits: Sequence[OperationLimits], high: Floats, options: PlanOptions) -> tuple[Floats, Indices]:
    """The greatest feed for other reasons than load, and why: the bound of the feed itself, or as programmed."""
    feed = np.minimum(np.nan_to_num(cut.feed, nan=1e-3), high)
    by_person = [own.sources.get("feed_max") in ("user", "operation") for own in limits]
    cap = np.where(np.array([*by_person, False])[cut.operation], CODE[Reason.CAP], CODE[Reason.MACHINE])
    stays = ~cut.is_resolved | cut.sinks
    if options.air:
        stays &= cut.removes | (cut.engagement.plunge > 1e-6)
        cap = np.where(cut.removes, cap, CODE[Reason.AIR])
    return np.where(stays, feed, high), cap


def _slow_entries(
    cut: JobCut, ceiling: Floats, allowed: Floats, code: np.ndarray, behind: Floats, options: PlanOptions
) -> None:
    """Lower ceiling and allowed feed where a side cut begins head-on, in place.

    An entry is a contact after air of at least dc or after a rapid. It is head-on where the tool wraps more than a
    quarter of a turn within half a diameter; a tool that rolls in along an arc is not.
    """
    track, span = cut.track, cut.engagement.phi_ex - cut.engagement.phi_st
    cuts = np.flatnonzero(cut.removes)
    if not cuts.size or options.entry == 1:
        return
    air = np.full(cuts.size, np.inf)
    air[1:] = np.where(
        track.first[cuts[1:]] == track.first[cuts[:-1]], track.start[cuts[1:]] - track.end[cuts[:-1]], np.inf
    )
    for i in cuts[air >= cut.dc[cuts]]:
        reach = track.start[i] + cut.dc[i] / 2
        last = min(int(np.searchsorted(track.start, reach * (1 - 1e-12), side="left")) - 1, int(track.last[i]))
        stretch = slice(i, max(last, i) + 1)
        if cut.sinks[i] or not (span[stretch] > np.pi / 2).any():
            continue
        after = min(last + 1, int(track.last[i]))
        entry = options.entry * behind[after]
        code[stretch] = np.where(entry < ceiling[stretch], CODE[Reason.ENTRY], code[stretch])
        ceiling[stretch] = np.minimum(ceiling[stretch], entry)
        allowed[stretch] = np.minimum(allowed[stretch], entry)


def _one_feed_per_cycle(cut: JobCut, feed: Floats, *others: np.ndarray) -> None:
    """Give all steps of a canned cycle's command its least feed, and the values of ``others`` there, in place."""
    path, move = cut.job.toolpath, cut.engagement.move
    steps = np.flatnonzero((path.cycle[move] > 0) & path.is_cutting[move])
    if not steps.size:
        return
    names = np.stack([path.operation[move[steps]], path.command[move[steps]], path.line[move[steps]]])
    fresh = np.append(True, (np.diff(names, axis=1) != 0).any(axis=0))
    begin = np.flatnonzero(fresh)
    size = np.diff(np.append(begin, steps.size))
    slowest = window_argmin(feed[steps], np.repeat(begin, size), np.repeat(begin + size - 1, size))
    for column in (feed, *others):
        column[steps] = column[steps][slowest]


def _settle(cut: JobCut, steps: StepFeeds, options: PlanOptions) -> StepFeeds:
    """One feed per run, rounded; programmed feeds stay where they may."""
    before, length = cut.feed, cut.engagement.length
    has_feed = np.isfinite(before)
    value = np.where(has_feed, steps.feed, np.inf)
    apart = run_begins(cut.operation, has_feed)
    shortest = np.maximum(options.steady * cut.dc, options.shortest)
    run = runs(np.where(has_feed, value, 1.0), length, apart, options.band, shortest)
    begin = np.flatnonzero(run_begins(run))
    size = np.diff(np.append(begin, value.size))
    slowest = window_argmin(value, np.repeat(begin, size), np.repeat(begin + size - 1, size))
    feed = np.where(has_feed, value[slowest], 1.0)
    feed = np.maximum(quantise(feed), np.minimum(steps.low, feed))
    may_stay = before <= steps.allowed * (1 + 1e-9)
    near = may_stay & (feed <= before * (1 + options.band + FEED_ROUNDING))
    whole = np.minimum.reduceat(near.astype(np.int8), begin).repeat(size) > 0 if begin.size else near
    # A programmed feed well above its run (a quick link between slow cuts) stays.
    stays = whole | (may_stay & (before >= feed * (1 + options.band)))
    feed = np.where(has_feed, np.where(stays, before, feed), np.nan)
    _one_feed_per_cycle(cut, feed)
    return replace(steps, feed=feed, code=steps.code[slowest], decider=steps.decider[slowest], run=run)
