# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures of an analysis: engagement, load, limits and time of every step, in arrays.

Sentences (``verdicts.py``) and JSON (``schema.py``) are made from these; ``analysis.py`` joins all three.
"""

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np

from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.base.words import LOAD_QUANTITIES
from freecad_camtwin.twin.cut.engagement import Engagement
from freecad_camtwin.twin.cut.height_field import HeightField
from freecad_camtwin.twin.cut.limits import OperationLimits
from freecad_camtwin.twin.cut.load import Load, LoadModel
from freecad_camtwin.twin.cycle_time.schedule import Schedule, durations
from freecad_camtwin.twin.job.geometry import steps_within_moves
from freecad_camtwin.twin.job.job import Job
from freecad_camtwin.twin.shop.machine import Machine
from freecad_camtwin.twin.shop.material import Material


@dataclass(frozen=True)
class Figures:
    """The computed arrays of one job at one set of feeds, and their ratios to the limits."""

    job: Job
    engagement: Engagement
    stock: HeightField  #: what remains of the raw workpiece
    model: LoadModel  #: computes the load at other feeds
    load: Load  #: at the programmed feeds
    limits: tuple[OperationLimits, ...]  #: (operations,) the limits of an operation apply to its steps
    material: Material | None
    machine: Machine | None
    schedule: Schedule | None  #: None without a machine
    supplied: tuple[str, ...] = ()  #: sentences: data that the source lacks and the user supplied
    source_hash: str = ""  #: hash of the toolpath as it was read
    warnings: tuple[str, ...] = field(default=())

    @cached_property
    def operation(self) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        """Operation of every step, shape (steps,)."""
        return self.job.toolpath.operation[self.engagement.move]

    @property
    def unknown(self) -> tuple[tuple[str, ...], ...]:
        """Per operation, in words, the missing data that its load needs; empty if nothing is missing."""
        return self.model.unknown

    @cached_property
    def duration(self) -> Floats:
        """Seconds of every move, shape (moves,): by the controller's model, or length over feed; NaN where unknown."""
        if self.schedule is not None:
            return durations(self.schedule)
        return self.feed_duration

    @cached_property
    def feed_duration(self) -> Floats:
        """Length over feed of every move [s], shape (moves,); NaN where the source has no feed."""
        path = self.job.toolpath
        with np.errstate(divide="ignore", invalid="ignore"):
            seconds = path.length / np.where(path.feed > 0, path.feed, np.nan)
        return np.asarray(np.where(path.length == 0, 0.0, seconds))

    @cached_property
    def step_time(self) -> Floats:
        """Seconds from the start of the job to the end of every step, shape (steps,).

        Moves without a known time (mostly rapids, without a machine) count as 0 s.
        """
        move, length = self.engagement.move, self.engagement.length
        duration = np.nan_to_num(self.duration)
        start = self.schedule.start if self.schedule is not None else np.concatenate([[0.0], np.cumsum(duration)[:-1]])
        end, before = steps_within_moves(move, length)
        move_length = self.job.toolpath.length[move]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(move_length > 0, np.minimum((end - before) / move_length, 1.0), 1.0)
        return np.asarray(start[move] + share * duration[move])

    @cached_property
    def ratios(self) -> dict[str, Floats]:
        """Load over limit of every step, per quantity, shape (steps,); NaN where the load or the limit is unknown."""
        return {name: self._ratio(name, limit) for name, (limit, _, _) in LOAD_QUANTITIES.items()}

    def _ratio(self, quantity: str, limit: str) -> Floats:
        bounds = np.array([getattr(limits, limit) or np.nan for limits in self.limits] + [np.nan])
        return np.asarray(getattr(self.load, quantity) / bounds[self.operation])

    @cached_property
    def worst_ratio(self) -> Floats:
        """The greatest of all ratios of every step, shape (steps,); NaN where no limit applies."""
        return np.asarray(np.fmax.reduce(list(self.ratios.values())))

    def at(self, feed: Floats) -> Self:
        """Return the same job at other feeds [mm/s], shape (steps,), without simulating it again."""
        return replace(self, load=self.model.at(feed))
