# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the engagement kernels over the steps of a path: stretch by stretch, on one thread or on several."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels import engagement as kernel
from camtwin_kernels import engagement_angles as angles
from camtwin_kernels import engagement_profile as profile
from camtwin_kernels import engagement_shapes as shapes
from camtwin_kernels import stock as stock_kernel
from camtwin_kernels.engagement_moves import RADIUS, Cutters, Moves
from freecad_camtwin.twin.stock import HeightField

Floats = NDArray[np.float64]

#: Angles of shorter steps are taken over joined steps of this many cells together.
CELLS_PER_WINDOW = 4

#: Patches of tiles that one thread owns are at least so many diameters wide.
DIAMETERS_PER_PATCH = 2.5

_CHUNK = 1 << 17  # steps per kernel call: progress in between, small temporaries


@dataclass(frozen=True)
class Steps:
    """The steps of a path, and what is to be found out about them."""

    move: NDArray[np.int32]  #: (steps,)
    start: Floats  #: (steps, 3) [mm]
    end: Floats  #: (steps, 3) [mm]
    whole: Floats  #: (5, steps) as ``engagement_angles.measure`` fills it
    sliced: NDArray[np.float32]  #: (4, steps, slices) likewise

    def of(self, part: slice) -> tuple[Floats, NDArray[np.float32]]:
        """Return what is to be found out about some of the steps."""
        return self.whole[:, part], self.sliced[:, part]


def cut(
    field: HeightField,
    cutters: Cutters,
    moves: Moves,
    steps: Steps,
    threads: int,
    progress: Callable[[float], None] | None,
) -> int:
    """Run the kernel over stretches of moves and measure what their steps took; return the removed quanta."""
    view = field.view()
    removed = 0
    slices = steps.sliced.shape[2] if steps.sliced.shape[2] > 1 else 0
    scratches = [scratch(len(view.top), profile.row_length(cutters.size.shape[1])) for _ in range(threads)]
    shares = _shares(threads, cutters, field)
    with ThreadPoolExecutor(threads) as pool:
        for m0, m1 in _stretches(moves, cutters):
            cut_moves, level, measure = _kernels(int(cutters.shape[moves.cutter[m0]]))
            part = slice(int(moves.first[m0]), int(moves.first[m1]))
            start, end, cutter = steps.start[part], steps.end[part], moves.cutter[steps.move[part]]
            levels = np.zeros((len(cutter), slices + 1), np.int32)
            if slices:
                low = np.minimum(start[:, 2], end[:, 2]) - field.lower[2]
                level(cutters, cutter, low, field.upper[2] - field.lower[2], levels)
            cuts = [empty_cut(levels) for _ in range(threads)]
            own = zip(cuts, scratches, shares, strict=True)
            _together(pool, cut_moves, [(view, cutters, moves, m0, m1, *parts) for parts in own])
            taken = _join(cuts)
            angles.widen(taken, start, end, cutter, CELLS_PER_WINDOW * field.cell)
            _measure(pool, measure, threads, field, cutters, taken, (cutter, start, end), steps.of(part))
            removed += int(taken.volume.sum())
            if progress is not None:
                progress(m1 / len(moves.is_arc))
    return removed


def _measure(
    pool: ThreadPoolExecutor,
    measure: Callable[..., None],
    threads: int,
    field: HeightField,
    cutters: Cutters,
    taken: kernel.Cut,
    columns: tuple[NDArray[Any], ...],
    found: tuple[Floats, NDArray[np.float32]],
) -> None:
    """Fill ``found`` from what the steps took, each thread for its part of them."""
    bounds = np.linspace(0, len(taken.volume), threads + 1).astype(int).tolist()
    calls = []
    for first, last in pairwise(bounds):
        own = slice(first, last)
        part = kernel.Cut._make(column[own] for column in taken)
        calls.append(
            (part, cutters, *(c[own] for c in columns), field.lower[2], field.cell, *(f[:, own] for f in found))
        )
    _together(pool, measure, calls)


def _together(pool: ThreadPoolExecutor, function: Callable[..., None], calls: list[tuple[Any, ...]]) -> None:
    """Make all calls of ``function`` at once, or a single one here."""
    if len(calls) == 1:
        function(*calls[0])
        return
    for call in [pool.submit(function, *arguments) for arguments in calls]:
        call.result()


def _kernels(shape: int) -> tuple[Callable[..., None], Callable[..., None], Callable[..., None]]:
    """Return what cuts with a shape, divides its steps into slices and measures them."""
    if shape == shapes.PROFILE:
        return profile.cut_moves, profile.level, profile.measure
    return kernel.CUT_MOVES[shape], angles.level, angles.measure


def scratch(tiles: int, row: int = 0) -> kernel.Scratch:
    """Return one thread's own memory; ``row`` is how many numbers a table's cones take."""
    lists = np.zeros((3, tiles + kernel.LANES), np.int32)
    cells = stock_kernel.CELLS
    return kernel.Scratch(
        right=np.empty(cells, np.float32),
        left=np.empty(cells, np.float32),
        highest=np.empty(cells, np.int32),
        old=np.empty(cells, np.int32),
        row=np.zeros(max(2 * shapes.HINGES + 1, row), np.float32),
        i=lists[0],
        j=lists[1],
        top=lists[2],
    )


def _shares(threads: int, cutters: Cutters, field: HeightField) -> list[kernel.Share]:
    """Return which tiles each thread owns."""
    if threads == 1:
        return [kernel.ALONE]
    widest = 2 * cutters.size[:, RADIUS].max()
    patch = math.ceil(math.log2(max(DIAMETERS_PER_PATCH * widest / (stock_kernel.COLUMNS * field.cell), 1)))
    return [kernel.Share(thread, threads, patch) for thread in range(threads)]


def _stretches(moves: Moves, cutters: Cutters) -> list[tuple[int, int]]:
    """Return stretches of moves [m0, m1) of at most about _CHUNK steps, each of cutters of one shape."""
    shape = cutters.shape[moves.cutter]
    changes = np.flatnonzero(np.diff(shape)) + 1
    bounds = [0]
    for last in (*changes.tolist(), len(shape)):
        while bounds[-1] < last:
            m1 = int(np.searchsorted(moves.first, moves.first[bounds[-1]] + _CHUNK, side="right")) - 1
            bounds.append(min(max(m1, bounds[-1] + 1), last))
    return list(pairwise(bounds))


def empty_cut(levels: NDArray[np.int32]) -> kernel.Cut:
    """Return what the kernel adds to, for steps with these ``levels``."""
    steps, bounds = levels.shape
    slices = bounds - 1
    nothing = kernel.NOTHING_LEFT
    return kernel.Cut(
        volume=np.zeros(steps, np.int64),
        top=np.full(steps, nothing, np.int32),
        right=np.full(steps, -nothing, np.int32),
        left=np.full(steps, nothing, np.int32),
        levels=levels,
        slice_volume=np.zeros((steps, slices), np.int64),
        slice_right=np.full((steps, slices), -nothing, np.int32),
        slice_left=np.full((steps, slices), nothing, np.int32),
    )


def _join(cuts: list[kernel.Cut]) -> kernel.Cut:
    """Return what all threads took together."""
    whole = cuts[0]
    for other in cuts[1:]:
        for name in ("volume", "slice_volume"):
            np.add(getattr(whole, name), getattr(other, name), out=getattr(whole, name))
        for name in ("top", "left", "slice_left"):
            np.maximum(getattr(whole, name), getattr(other, name), out=getattr(whole, name))
        for name in ("right", "slice_right"):
            np.minimum(getattr(whole, name), getattr(other, name), out=getattr(whole, name))
    return whole
