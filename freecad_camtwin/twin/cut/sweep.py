# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the engagement kernels over the steps of a path, range by range, on one or several threads."""

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
from freecad_camtwin.twin.base.arrays import Floats, Ints, Mask
from freecad_camtwin.twin.cut.height_field import HeightField

#: If steps are shorter than this many cells, their angles are taken over joined steps of this length.
CELLS_PER_WINDOW = 4

#: Patches of tiles of one thread are at least this many diameters wide, and this share of the stock's width.
DIAMETERS_PER_PATCH, STOCK_PER_PATCH = 2.5, 1 / 8

_CHUNK = 1 << 17  # steps per kernel call: progress in between, small temporaries


@dataclass(frozen=True)
class SweptSteps:
    """The steps of a path: their positions (``engagement_angles.lay``), and what they remove (``measure``)."""

    move: Ints  #: (steps,)
    start: Floats  #: (steps, 3) [mm]
    end: Floats  #: (steps, 3) [mm]
    length: Floats  #: (steps,) [mm]
    plunge: Floats  #: (steps,) share that goes down
    whole: Floats  #: (5, steps)
    sliced: NDArray[np.float32]  #: (4, steps, slices)

    @classmethod
    def empty(cls, steps: int, slices: int) -> "SweptSteps":
        """Return this many steps with unset positions that remove nothing."""
        places = np.empty(steps, np.int32), np.empty((steps, 3)), np.empty((steps, 3)), np.empty(steps), np.empty(steps)
        return cls(*places, np.zeros((5, steps)), np.zeros((4, steps, slices), np.float32))

    def of(self, rows: Mask) -> "SweptSteps":
        """Return some of the steps."""
        places = self.move[rows], self.start[rows], self.end[rows], self.length[rows], self.plunge[rows]
        return SweptSteps(*places, self.whole[:, rows], self.sliced[:, rows])


def cut(
    field: HeightField,
    cutters: Cutters,
    moves: Moves,
    lengths: Floats,
    steps: SweptSteps,
    threads: int,
    progress: Callable[[float], None] | None,
) -> tuple[int, int]:
    """Run the kernels over ranges of moves and fill ``steps``; ``lengths`` are those of the moves (moves,) [mm].

    Returns the quanta of material before, and the quanta removed.
    """
    removed = 0
    slices = steps.sliced.shape[2] if steps.sliced.shape[2] > 1 else 0
    shares, window = _shares(threads, cutters, field), CELLS_PER_WINDOW * field.cell
    with ThreadPoolExecutor(threads) as pool:
        sum_up, look = pool.submit(lambda: field.quanta), pool.submit(field.view)
        before, view = sum_up.result(), look.result()
        scratches = [scratch(len(view.top), profile.row_length(cutters.size.shape[1])) for _ in range(threads)]
        for m0, m1 in _stretches(moves, cutters):
            cut_moves, measure = _kernels(int(cutters.shape[moves.cutter[m0]]))
            places = steps.move, steps.start, steps.end, steps.length, steps.plunge
            _together(pool, angles.lay, [(moves, a, b, lengths, *places) for a, b in _shared_out(m0, m1, threads)])
            part = slice(int(moves.first[m0]), int(moves.first[m1]))
            start, end, cutter = steps.start[part], steps.end[part], moves.cutter[steps.move[part]]
            levels = np.zeros((len(cutter), 1), np.int32)
            if slices:
                low = np.minimum(start[:, 2], end[:, 2]) - field.lower[2]
                levels = angles.levels_of(cutters, cutter, low, field.upper[2] - field.lower[2], slices)
            cuts = [empty_cut(levels) for _ in range(threads)]
            own = zip(cuts, scratches, shares, strict=True)
            _together(pool, cut_moves, [(view, cutters, moves, m0, m1, *parts) for parts in own])
            taken = _join(cuts)
            for sides in ((taken.right[:, None], taken.left[:, None]), (taken.slice_right, taken.slice_left)):
                if sides[0].size:
                    angles.widen(start, end, cutter, window, np.empty(len(cutter), np.bool_), *sides)
            results = steps.whole[:, part], steps.sliced[:, part]
            _measure(pool, measure, threads, field, cutters, taken, (cutter, start, end), results)
            removed += int(taken.volume.sum())
            if progress is not None:
                progress(m1 / len(moves.is_arc))
    return before, removed


def _measure(
    pool: ThreadPoolExecutor,
    measure: Callable[..., None],
    threads: int,
    field: HeightField,
    cutters: Cutters,
    taken: kernel.Cut,
    columns: tuple[NDArray[Any], ...],
    results: tuple[Floats, NDArray[np.float32]],
) -> None:
    """Fill ``results`` from the material that the steps removed, each thread for its part of the steps."""
    calls = []
    for first, last in _shared_out(0, len(taken.volume), threads):
        own = slice(first, last)
        part = kernel.Cut._make(column[own] for column in taken)
        calls.append(
            (part, cutters, *(c[own] for c in columns), field.lower[2], field.cell, *(out[:, own] for out in results))
        )
    _together(pool, measure, calls)


def _shared_out(first: int, last: int, threads: int) -> list[tuple[int, int]]:
    """Divide [first, last) into as many ranges as there are threads."""
    return list(pairwise(np.linspace(first, last, threads + 1).astype(int).tolist()))


def _together(pool: ThreadPoolExecutor, function: Callable[..., None], calls: list[tuple[Any, ...]]) -> None:
    """Make all calls of ``function`` in parallel; a single call runs on this thread."""
    if len(calls) == 1:
        function(*calls[0])
        return
    for call in [pool.submit(function, *arguments) for arguments in calls]:
        call.result()


def _kernels(shape: int) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return the kernel that cuts with a shape, and the one that measures its steps."""
    if shape == shapes.PROFILE:
        return profile.cut_moves, profile.profile_measure
    return kernel.CUT_MOVES[shape], angles.measure


def scratch(tiles: int, row: int = 0) -> kernel.Scratch:
    """Return one thread's own memory; ``row`` is the number of values for the cones of a table."""
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
    wide = max(field.columns, field.rows) * stock_kernel.COLUMNS * field.cell
    least = max(DIAMETERS_PER_PATCH * 2 * cutters.size[:, RADIUS].max(), STOCK_PER_PATCH * wide)
    patch = math.ceil(math.log2(max(least / (stock_kernel.COLUMNS * field.cell), 1)))
    return [kernel.Share(thread, threads, patch) for thread in range(threads)]


def _stretches(moves: Moves, cutters: Cutters) -> list[tuple[int, int]]:
    """Return ranges of moves [m0, m1) of at most about _CHUNK steps, each of cutters of one shape."""
    is_one = bool((cutters.shape == cutters.shape[0]).all())
    changes = [] if is_one else (np.flatnonzero(np.diff(cutters.shape[moves.cutter])) + 1).tolist()
    bounds = [0]
    for last in (*changes, len(moves.cutter)):
        while bounds[-1] < last:
            m1 = int(np.searchsorted(moves.first, moves.first[bounds[-1]] + _CHUNK, side="right")) - 1
            bounds.append(min(max(m1, bounds[-1] + 1), last))
    return list(pairwise(bounds))


def empty_cut(levels: Ints) -> kernel.Cut:
    """Return the empty sums that the kernel adds to, for steps with these ``levels``."""
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
    """Return the sum of what all threads removed."""
    whole = cuts[0]
    for other in cuts[1:]:
        for name in ("volume", "slice_volume"):
            np.add(getattr(whole, name), getattr(other, name), out=getattr(whole, name))
        for name in ("top", "left", "slice_left"):
            np.maximum(getattr(whole, name), getattr(other, name), out=getattr(whole, name))
        for name in ("right", "slice_right"):
            np.minimum(getattr(whole, name), getattr(other, name), out=getattr(whole, name))
    return whole
