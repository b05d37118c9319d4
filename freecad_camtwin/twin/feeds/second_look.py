# SPDX-License-Identifier: LGPL-2.1-or-later
"""The check of a plan: simulate the planned path and find the steps that still exceed a limit.

A split move is cut into other steps than the whole one was, so the fresh simulation does not repeat the first one
to the last digit. Steps that are too fast are mapped back to the steps of the first.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from freecad_camtwin.twin.base.arrays import Floats, Indices
from freecad_camtwin.twin.cut.engagement import Engagement, engage
from freecad_camtwin.twin.cut.height_field import HeightField
from freecad_camtwin.twin.cut.limits import OperationLimits
from freecad_camtwin.twin.cut.load import LoadModel
from freecad_camtwin.twin.feeds.ceiling import Holder, JobCut
from freecad_camtwin.twin.feeds.into_toolpath import MovePieces, split
from freecad_camtwin.twin.job.geometry import fractions
from freecad_camtwin.twin.job.toolpath import Toolpath


class Simulation(NamedTuple):
    """One simulated toolpath. The engagement depends on the geometry alone, so it is valid at any feeds."""

    toolpath: Toolpath
    engagement: Engagement
    stock: HeightField  #: what remains of the raw workpiece

    def is_of(self, toolpath: Toolpath) -> bool:
        """Whether ``toolpath`` has the same moves but for their feeds."""
        simulated = self.toolpath
        return all(
            np.array_equal(getattr(simulated, name), getattr(toolpath, name), equal_nan=True)
            for name in ("kind", "start", "end", "centre", "plane", "sweep", "tool")
        )


def simulate(
    cut: JobCut, pieces: MovePieces, threads: int, progress: Callable[[float], None] | None, last: Simulation | None
) -> Simulation:
    """Simulate the toolpath whose moves are ``pieces``, on the grid of ``cut``; not if ``last`` had the same moves."""
    path = split(cut.job.toolpath, pieces)
    if last is not None and last.is_of(path):
        return last._replace(toolpath=path)
    cell, slices = cut.engagement.cell, cut.engagement.slices
    job = replace(cut.job, toolpath=path)
    return Simulation(path, *engage(job, cell=cell, slices=slices, threads=threads, progress=progress))


def too_fast(
    cut: JobCut,
    pieces: MovePieces,
    limits: Sequence[OperationLimits],
    low: Floats,
    margin: float,
    simulation: Simulation,
) -> Floats | None:
    """Return the greatest feed of every step of ``cut`` that is too fast in the simulation of ``pieces``, else inf.

    None if no step is too fast. ``low``, shape (steps,), is the least feed of every step [mm/s]: a step that already
    runs at it is left alone.
    """
    job = replace(cut.job, toolpath=simulation.toolpath)
    engagement = simulation.engagement
    model = LoadModel(engagement, job, cut.model.material, stiffness=cut.model.stiffness)
    fresh = JobCut(job, engagement, model)
    holder = Holder(fresh, limits, None)
    feed = np.nan_to_num(fresh.feed, nan=1e-3)
    _, slack, _ = holder.ratio(feed)
    first, last = _counterparts(cut, fresh, pieces)
    least = np.minimum(low[first], feed)
    over = np.flatnonzero((slack > 1) & (feed > least * 1.001) & np.isfinite(fresh.feed))
    if not over.size:
        return None
    bearable, _ = holder.fastest(least, feed, 1 - margin)
    greatest = np.full(cut.feed.size, np.inf)
    for step in over.tolist():
        own = slice(first[step], last[step] + 1)
        greatest[own] = np.minimum(greatest[own], bearable[step])
    return greatest


def _counterparts(cut: JobCut, fresh: JobCut, pieces: MovePieces) -> tuple[Indices, Indices]:
    """The first and the last step of ``cut`` that each step of ``fresh`` covers a part of."""
    piece = fresh.engagement.move
    stop = fractions(piece.astype(np.int64), fresh.engagement.length)
    start = np.where(np.diff(piece, prepend=-1) != 0, 0.0, np.concatenate([[0.0], stop[:-1]])[: piece.size])
    at, size = pieces.start[piece], (pieces.end - pieces.start)[piece]
    old = cut.engagement.move.astype(np.int64)
    old_stop = old + fractions(old, cut.engagement.length)
    move = pieces.move[piece]
    # A move's end is the next one's start: a small offset inward separates them.
    first = np.searchsorted(old_stop, move + np.minimum(at + size * start + 1e-6, 1 - 1e-7), side="left")
    last = np.searchsorted(old_stop, move + np.maximum(at + size * stop - 1e-6, 1e-7), side="left")
    bound = cut.feed.size - 1
    return np.minimum(first, bound), np.minimum(np.maximum(last, first), bound)
