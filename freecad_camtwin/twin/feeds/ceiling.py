# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ceiling of every step: the greatest feed at which no load exceeds its limit or its reference.

A step has two kinds of bounds. A *limit* is a number that the user stated or that follows from machine and tool. A
*reference* is the sustained load of the operation's own programmed feed in its hardest stretch: it needs no material
and no spindle speed, and a plan at or below it loads the tool no more than the programmed feeds. Chip thickness, chip
section and removal rate are linear in the feed; forces come from the load model, are nearly linear, and are solved by
bisection with chords.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from freecad_camtwin.twin.base.arrays import Floats, Ints, Mask
from freecad_camtwin.twin.cut.engagement import Engagement
from freecad_camtwin.twin.cut.limits import LOADS, OperationLimits
from freecad_camtwin.twin.cut.load import Load, LoadModel
from freecad_camtwin.twin.feeds.plan import Reason
from freecad_camtwin.twin.feeds.stretches import StepTrack
from freecad_camtwin.twin.job.job import Job
from freecad_camtwin.twin.job.tool import Shape

#: A reason's index here is its code in arrays.
REASONS = tuple(Reason)
CODE = {reason: code for code, reason in enumerate(REASONS)}
_LIMIT_CODES = {
    "h_ex_max": CODE[Reason.CHIP_LIMIT],
    "force": CODE[Reason.FORCE],
    "torque": CODE[Reason.TORQUE],
    "power": CODE[Reason.POWER],
    "deflection": CODE[Reason.DEFLECTION],
}
#: Least radial width in chip thinning, as a share a of dc: the least thickness per feed per tooth is 2·√(a - a²).
THINNEST_AE = 0.05
_THINNEST = 2 * (THINNEST_AE - THINNEST_AE**2) ** 0.5
#: A programmed feed may stay up to these multiples of a limit and of its operation's reference.
LIMIT_SLACK, REFERENCE_SLACK = 1.015, 1.20
_ITERATIONS = 4

Codes = NDArray[np.int8]


@dataclass(frozen=True)
class JobCut:
    """The values of every step that do not depend on the feed; all (steps,)."""

    job: Job
    engagement: Engagement
    model: LoadModel

    @cached_property
    def operation(self) -> Ints:
        """Operation of every step, -1 for none."""
        return np.asarray(self.job.toolpath.operation[self.engagement.move])

    @cached_property
    def feed(self) -> Floats:
        """Programmed feed [mm/s], NaN where unknown, for rapids and outside all operations."""
        path = self.job.toolpath
        feed = np.where(path.is_cutting & (path.feed > 0) & (path.operation >= 0), path.feed, np.nan)
        return np.asarray(feed[self.engagement.move])

    @cached_property
    def removes(self) -> Mask:
        """Whether the step removes material."""
        return np.asarray((self.engagement.volume > 0) & np.isfinite(self.feed))

    @cached_property
    def is_resolved(self) -> Mask:
        """Whether its width is at least one cell: a smaller width is too uncertain to raise the feed."""
        return np.asarray(self.removes & (np.nan_to_num(self.engagement.ae) >= self.engagement.cell))

    @cached_property
    def sinks(self) -> Mask:
        """Whether the tool moves down into material: plunges, drilling, and ramps of tools with a flat end."""
        shapes = [tool.shape for tool in self.job.tools]
        gentle = np.array([shape is Shape.BALL for shape in shapes] + [False])[self._tool]
        drills = np.array([shape is Shape.DRILL for shape in shapes] + [False])[self._tool]
        cycle = self.job.toolpath.cycle[self.engagement.move] > 0
        return np.asarray((self.engagement.plunge > np.where(gentle, 0.5, 0.02)) | drills | cycle)

    @cached_property
    def _tool(self) -> Ints:
        return np.asarray(self.job.toolpath.tool[self.engagement.move])

    @cached_property
    def dc(self) -> Floats:
        """Diameter of the tool [mm], 1 where unknown."""
        return np.asarray(np.array([tool.dc or 1.0 for tool in self.job.tools] + [1.0])[self._tool])

    @cached_property
    def track(self) -> StepTrack:
        """The positions of the steps along the path."""
        return StepTrack.of(self.job.toolpath, self.engagement.move, self.engagement.length)

    @cached_property
    def thickness(self) -> Floats:
        """Largest chip thickness per feed per tooth, not less than ``THINNEST_AE`` makes it."""
        return np.asarray(np.maximum(np.nan_to_num(self.model.thickness, nan=1.0), _THINNEST))

    @cached_property
    def turns_known(self) -> Mask:
        """Whether the spindle speed is known in all of the step's operation."""
        unknown = np.zeros(len(self.job.operations) + 1, bool)
        unknown[self.operation[np.isnan(self.model.n_rpm)]] = True
        return np.asarray(~unknown[self.operation])

    @cached_property
    def per_revolution(self) -> Floats:
        """Revolutions per second, for the feed per revolution; 1 in operations with an unknown speed."""
        return np.asarray(np.where(self.turns_known, np.nan_to_num(self.model.n_rpm) / 60, 1.0))

    @cached_property
    def teeth(self) -> Floats:
        """Effective cutting edges, NaN where unknown."""
        return np.array([float(tool.zefp or np.nan) for tool in self.job.tools] + [np.nan])[self._tool]

    @cached_property
    def section(self) -> Floats:
        """Depth times chip thickness per feed per tooth, summed over slices [mm]: forces grow with it."""
        low, high = np.nan_to_num(self.engagement.slice_phi_st), np.nan_to_num(self.engagement.slice_phi_ex)
        front = (low <= np.pi / 2) & (high >= np.pi / 2)
        sine = np.where(front, 1.0, np.maximum(np.sin(low), np.sin(high)))
        return np.asarray((np.nan_to_num(self.engagement.slice_ap) * np.where(high > low, sine, 0.0)).sum(axis=1))


@dataclass(frozen=True)
class Bound:
    """One quantity and its greatest value, (steps,); inf where it is not bounded."""

    quantity: str  #: a column of Load, or "chip", "section", "removal" (linear in the feed)
    value: Floats
    code: int  #: of the reason
    slack: float  #: multiple of the bound up to which a programmed feed may stay


class Holder:
    """All bounds of all steps, and the greatest feed within them."""

    def __init__(
        self, cut: JobCut, limits: Sequence[OperationLimits], relative: Mask | None, by_chip: Mask | None = None
    ) -> None:
        """Select the operations that the load of their programmed feeds bounds, each (operations,), None: none.

        ``relative``: bounded by chip, section and removal rate; ``by_chip``: by the chip alone.
        """
        self.cut = cut
        self.bounds = [
            *self._limits(limits),
            *(() if relative is None else self._references(relative, relative if by_chip is None else by_chip)),
        ]
        self.bounds = [bound for bound in self.bounds if np.isfinite(bound.value).any()]
        self._needs_model = any(bound.quantity not in ("chip", "section", "removal") for bound in self.bounds)

    def _spread(self, values: Sequence[float]) -> Floats:
        """Return each step's value of its operation; inf outside all operations."""
        return np.array([*values, np.inf])[self.cut.operation]

    def _limits(self, limits: Sequence[OperationLimits]) -> Iterator[Bound]:
        for name in LOADS:
            value = self._spread([_or_inf(getattr(own, name)) for own in limits])
            quantity = "h_ex" if name == "h_ex_max" else name
            yield Bound(quantity, value, _LIMIT_CODES[name], LIMIT_SLACK)
            if quantity == "h_ex":
                # The same limit again, on chips computed with a radial width of at least THINNEST_AE.
                teeth = np.where(self.cut.turns_known, self.cut.teeth, np.nan)
                yield Bound("chip", value * teeth, _LIMIT_CODES[name], LIMIT_SLACK)

    def _references(self, relative: Mask, by_chip: Mask) -> list[Bound]:
        """The hardest sustained load of the operations that it bounds."""
        bounds = []
        for quantity in ("chip", "section", "removal"):
            # Plunges are not compared with side cuts.
            own = np.where(self.cut.sinks, np.nan, self.value(quantity, self.cut.feed, None))
            selected = relative | by_chip if quantity == "chip" else relative
            value = self._spread([self._sustained(own, i) if wish else np.inf for i, wish in enumerate(selected)])
            value = np.where(self.cut.sinks, np.inf, value)
            reason = Reason.REFERENCE if quantity == "removal" else Reason.CHIP_THINNING
            bounds.append(Bound(quantity, value, CODE[reason], REFERENCE_SLACK))
        return bounds

    def _sustained(self, value: Floats, operation: int) -> float:
        cut = self.cut
        within = (cut.operation == operation) & cut.is_resolved & ~cut.sinks & np.isfinite(value)
        if not within.any():
            return np.inf
        distance = float(np.max(cut.dc[within])) / 2
        return float(cut.track.sustained(np.nan_to_num(value), distance, within))

    def value(self, quantity: str, feed: Floats, load: Load | None) -> Floats:
        """One quantity of every step at ``feed``; sinking steps have no chip of a known thickness."""
        cut = self.cut
        if quantity == "removal":
            return np.asarray(cut.model.area * feed)
        if quantity in ("chip", "section"):
            shape = cut.thickness if quantity == "chip" else cut.section
            return np.asarray(np.where(cut.sinks, np.nan, shape * feed / cut.per_revolution))
        return np.asarray(getattr(load, quantity))

    def ratio(self, feed: Floats) -> tuple[Floats, Floats, Codes]:
        """Load over bound at ``feed``, each (steps,): the greatest, the greatest after slack, the greatest's code."""
        worst, slack, code, _ = self.ratios(feed)
        return worst, slack, code

    def ratios(self, feed: Floats) -> tuple[Floats, Floats, Codes, Codes]:
        """As ``ratio``, and the code of the greatest after slack."""
        worst = np.zeros(feed.size)
        slack = np.zeros(feed.size)
        code = np.full(feed.size, CODE[Reason.REFERENCE], np.int8)
        after = code.copy()
        load = self.cut.model.at(feed) if self._needs_model else None
        for bound in self.bounds:
            share = np.where(self.cut.removes, np.nan_to_num(self.value(bound.quantity, feed, load) / bound.value), 0.0)
            code[share > worst] = bound.code
            after[share / bound.slack > slack] = bound.code
            worst = np.maximum(worst, share)
            slack = np.maximum(slack, share / bound.slack)
        return worst, slack, code, after

    def fastest(self, low: Floats, high: Floats, target: float) -> tuple[Floats, Codes]:
        """The greatest feed from ``low`` to ``high`` whose ratio is at most ``target``; inf where ``high`` is free.

        A bracket is narrowed by its chord, and its safe end is returned, so the ratio never exceeds the target for
        any curvature of the load. Where even ``low`` exceeds it, ``low`` is returned with the code of a minimum feed.
        """
        above, _, code = self.ratio(high)
        free = above <= target
        below, _, _ = self.ratio(low)
        stuck = below > target
        safe, over = low.copy(), high.copy()
        for _ in range(_ITERATIONS):
            if (free | (over - safe <= 1e-3 * over)).all():
                break
            with np.errstate(divide="ignore", invalid="ignore"):
                chord = safe + (over - safe) * np.clip((target * (1 - 1e-6) - below) / (above - below), 0.0, 1.0)
            middle = np.where(np.isfinite(chord), chord, safe)
            here, _, reason = self.ratio(middle)
            fits = here <= target
            code = np.where(free, code, reason).astype(np.int8)
            safe, below = np.where(fits, np.maximum(middle, safe), safe), np.where(fits, here, below)
            over, above = np.where(fits, over, middle), np.where(fits, above, here)
        code[stuck & ~free] = CODE[Reason.MINIMUM]
        return np.where(free, np.inf, safe), code


def _or_inf(value: float | None) -> float:
    return np.inf if value is None else value
