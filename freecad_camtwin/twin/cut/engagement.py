# SPDX-License-Identifier: LGPL-2.1-or-later
"""From toolpath to engagement: how much of the cutter is in the material, at every step of the path."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels import engagement_moves as kernel
from freecad_camtwin.errors import StockError
from freecad_camtwin.twin.base.arrays import Floats, Indices, Ints, Mask
from freecad_camtwin.twin.cut.cutters import cutters_of
from freecad_camtwin.twin.cut.height_field import QUANTUM, HeightField, hidden_hollow
from freecad_camtwin.twin.cut.sweep import SweptSteps, cut
from freecad_camtwin.twin.job.geometry import chord_angle
from freecad_camtwin.twin.job.job import Job
from freecad_camtwin.twin.job.tool import Shape
from freecad_camtwin.twin.job.toolpath import PLANE_AXES, EventKind, MoveKind, Toolpath

#: A step is at least this many cells long, unless its move is shorter: shorter steps have angles in steps of cells.
CELLS_PER_STEP = 5

#: … and at least the cutter's diameter over this: forces change little over a shorter distance.
STEPS_PER_DIAMETER = 12

#: An arc's chords lie at most this far beside it [mm].
CHORD_ERROR = 0.0005

#: Cells per diameter of the smallest cutter, and at most so many cells in all, unless a cell is given.
CELLS_PER_DIAMETER, MOST_CELLS = 60, 16_000_000


@dataclass(frozen=True)
class Engagement:
    """The material that every step of the path removes, and where the cutter is in it. One row per step, in path order.

    Every feed move has at least one step; a rapid only where it touches material. φ is measured clockwise from the
    left-hand normal of the motion, seen from above: up milling starts at 0, down milling ends at π.
    """

    move: Ints  #: (steps,) index into the toolpath
    length: Floats  #: (steps,) [mm]
    start: Floats  #: (steps, 3) [mm]
    end: Floats  #: (steps, 3) [mm]
    volume: Floats  #: (steps,) removed [mm³]; a whole multiple of QUANTUM · cell²
    ap: Floats  #: (steps,) from the lowest tip to the highest removed material [mm]
    ae: Floats  #: (steps,) volume / (ap · length in the plane) [mm]; of a plunge the diameter of a disc of that area
    phi_st: Floats  #: (steps,) [rad]; equals phi_ex where nothing is cut
    phi_ex: Floats  #: (steps,) [rad]; 2π for a plunge, whose phi_st is 0
    slice_z: NDArray[np.float32]  #: (steps, slices) middle of the material in each slice above the tip [mm]
    slice_ap: NDArray[np.float32]  #: (steps, slices) material in it: its volume / (its width · length) [mm]
    slice_phi_st: NDArray[np.float32]  #: (steps, slices) [rad]
    slice_phi_ex: NDArray[np.float32]  #: (steps, slices) [rad]
    plunge: Floats  #: (steps,) share of the motion that goes down, -dz / length, up < 0
    cell: float  #: [mm]
    slices: int  #: axial slices per step
    stock_volume: float  #: before the first step [mm³]
    removed_volume: float  #: by all steps [mm³]
    rapid_contacts: tuple[tuple[int, float], ...]  #: (move, volume [mm³]) of every rapid that touches material
    warnings: tuple[str, ...]  #: one sentence each

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return len(self.move)


def engage(
    job: Job,
    *,
    cell: float | None = None,
    slices: int = 4,
    threads: int = 1,
    stock: HeightField | None = None,
    progress: Callable[[float], None] | None = None,
) -> tuple[Engagement, HeightField]:
    """Cut the job's stock along its toolpath; return what every step removed, and the remaining stock.

    ``cell`` [mm] is chosen from cutters and stock unless given. ``stock`` continues from a state that an earlier
    call returned (it is not changed; its cell counts). ``progress`` is called with fractions up to 1. The result does
    not depend on ``threads``. Raises StockError if there is no stock, if the path misses it, or if it would not
    fit in memory; ToolError if a move cuts without a tool or with one that cannot be simulated.
    """
    path = job.toolpath
    warnings: list[str] = []
    if stock is not None:
        field = stock.copy()
    elif job.stock is not None:
        field = HeightField.of(job.stock, default_cell(job) if cell is None else cell)
        warnings += filter(None, [hidden_hollow(job.stock, field)])
    else:
        raise StockError(f"{job.label or 'the job'} has no stock: give its two corners")
    if any(event.kind is EventKind.SPINDLE and event.value < 0 for event in path.events):
        warnings.append("the spindle turns left (M4): angles are given as for M3, up and down milling are exchanged")
    cutters = cutters_of(job, warnings)
    feeds, rapids = np.flatnonzero(path.is_cutting), np.flatnonzero(~path.is_cutting)
    parts = np.array_split(feeds, 1 + len(feeds) // 4096)  # the first that touches is enough
    if len(feeds) and not any(_may_touch(path, cutters, field, part).any() for part in parts):
        raise _misses(path, field)
    moves = _divide(path, cutters, field, rapids[~_may_touch(path, cutters, field, rapids)])
    slices = max(slices, 1)
    steps = SweptSteps.empty(int(moves.first[-1]), slices)
    before, removed = cut(field, cutters, moves, path.length, steps, threads, progress)
    if (moves.first[rapids + 1] > moves.first[rapids]).any():
        contacts = _rapid_contacts(path, steps.move, steps.whole[0])
        steps = steps.of(path.is_cutting[steps.move] | (steps.whole[0] > 0))
    else:
        contacts = ()
    if contacts:
        warnings.append(
            f"{path.where(contacts[0][0])} is a rapid that goes through {contacts[0][1]:.3g} mm³ of material"
        )
    if removed == 0:
        warnings.append("no move cuts anything: the stock has been cut already, or the path stays above it")
    engagement = Engagement(
        move=steps.move,
        length=steps.length,
        start=steps.start,
        end=steps.end,
        volume=steps.whole[0],
        ap=steps.whole[1],
        ae=steps.whole[2],
        phi_st=steps.whole[3],
        phi_ex=steps.whole[4],
        slice_z=steps.sliced[0],
        slice_ap=steps.sliced[1],
        slice_phi_st=steps.sliced[2],
        slice_phi_ex=steps.sliced[3],
        plunge=steps.plunge,
        cell=field.cell,
        slices=slices,
        stock_volume=before * QUANTUM * field.cell**2,
        removed_volume=removed * QUANTUM * field.cell**2,
        rapid_contacts=contacts,
        warnings=tuple(warnings),
    )
    return engagement, field


def default_cell(job: Job) -> float:
    """Return a cell [mm] that resolves the smallest cutter and keeps the stock's cells in bounds."""
    stock = job.stock
    if stock is None:
        return math.nan
    used = sorted({int(tool) for tool in np.unique(job.toolpath.tool[job.toolpath.is_cutting]) if tool >= 0})
    # A drill only goes down: its arc is known, so a coarse grid of its hole is enough.
    sizes = [(tool.dc or 0.0) * (3 if tool.shape is Shape.DRILL else 1) for tool in (job.tools[i] for i in used)]
    finest = min((size for size in sizes if size > 0), default=6.0) / CELLS_PER_DIAMETER
    area = (stock.upper[0] - stock.lower[0]) * (stock.upper[1] - stock.lower[1])
    return float(f"{max(finest, math.sqrt(max(area, 0.0) / MOST_CELLS), 0.005):.2g}")


def _divide(path: Toolpath, cutters: kernel.Cutters, field: HeightField, clear: Indices) -> kernel.Moves:
    """Return the moves with their steps; those of ``clear``, rapids that stay clear of the stock, get none."""
    cutter = np.maximum(path.tool, 0).astype(np.int32)
    target = np.maximum(CELLS_PER_STEP * field.cell, 2 * cutters.size[:, kernel.RADIUS] / STEPS_PER_DIAMETER)
    each = target[cutter]
    np.divide(path.length, each, out=each)
    steps = np.maximum(each, 1, out=each).astype(np.int64)
    is_arc = path.kind == MoveKind.ARC
    steps[clear] = 0
    steps[path.tool < 0] = 0
    strokes = np.ones(path.moves, np.int32)
    turn = chord_angle(np.maximum(path.radius[is_arc], CHORD_ERROR), CHORD_ERROR)
    strokes[is_arc] = np.ceil(np.abs(path.sweep[is_arc]) / steps[is_arc] / turn).clip(1, 10_000)
    first = np.zeros(path.moves + 1, np.int64)
    np.cumsum(steps, out=first[1:])
    return kernel.Moves(
        is_arc=is_arc,
        start=path.start,
        end=path.end,
        centre=path.centre,
        axes=np.take(np.array([axes[0] for axes in PLANE_AXES], np.int8), path.plane),
        sweep=path.sweep,
        cutter=cutter,
        first=first,
        strokes=strokes,
    )


def _may_touch(path: Toolpath, cutters: kernel.Cutters, field: HeightField, moves: Indices) -> Mask:
    """Return for each of ``moves`` whether its bounding box reaches the stock's; an arc's box is that of its circle."""
    start, end = path.start[moves], path.end[moves]
    spread = np.where(path.kind[moves] == MoveKind.ARC, 2 * np.nan_to_num(path.radius[moves]), 0.0)
    margin = cutters.size[np.maximum(path.tool[moves], 0), kernel.RADIUS] + spread
    may_touch = np.minimum(start[:, 2], end[:, 2]) - spread < field.upper[2]
    for axis in (0, 1):
        low, high = field.lower[axis] - margin, field.upper[axis] + margin
        may_touch &= np.minimum(start[:, axis], end[:, axis]) < high
        may_touch &= np.maximum(start[:, axis], end[:, axis]) > low
    return np.asarray(may_touch)


def _rapid_contacts(path: Toolpath, move: Ints, volume: Floats) -> tuple[tuple[int, float], ...]:
    is_contact = ~path.is_cutting[move] & (volume > 0)
    taken = np.bincount(move[is_contact], weights=volume[is_contact], minlength=1)
    return tuple((int(m), float(taken[m])) for m in np.flatnonzero(taken))


def _misses(path: Toolpath, field: HeightField) -> StockError:
    ends = np.vstack([path.start[path.is_cutting], path.end[path.is_cutting]])
    return StockError(
        f"the path misses the stock: it cuts from {_corner(ends.min(axis=0))} to {_corner(ends.max(axis=0))} mm, "
        f"the stock lies from {_corner(field.lower)} to {_corner(field.upper)} mm"
    )


def _corner(point: Iterable[float]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in point) + ")"
