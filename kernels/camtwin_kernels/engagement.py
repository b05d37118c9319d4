# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a rotating cutter takes from a height field, step by step.

The essay
=========
The workpiece is a field of heights over a square grid of cells of size c, and the cutter a solid of revolution
that moves along strokes (straight pieces; an arc is many of them). A cell whose height exceeds the lowest point
of the moving cutter above it is cut down to that point::

        height                                   ┌────┐ cutter, going →
          ▲  ███ ███ ███ ███ ███ ███ ███ ███     │    │
          │  ███ ███ ███ ███ ███ ███ ███ ███     │    │
          │  ███ ███ ─── ─── ─── ─── ─── ─── ────┘    │   the removed column, its side w of the path and the
          │  ███ ███ ███ ███ ███ ███ ███ ███ ─────────┘   cutter's radius r say at which angle a tooth met it:
          └──────────────────────────────────────► x      φ = acos(w / r)

**Tiles.** Cells lie tile by tile: 8 rows of 8 cells are one run of 256 bytes, and every tile knows its own
maximum. A stroke visits tiles, not cells::

        ┌──────┬──────┬──────┬──────┐
        │ low  │ ░░▒▒▓│▓▓    │      │   low    its maximum is not above the cutter's tip
        ├──────┼──────┼──────┼──────┤   behind a contiguous stroke cannot change what lies behind the curve along
        │behind│inside│▓▓▓▓▓▓│ far  │          which it is lowest at its start: the stroke before has cut it
        ├──────┼──────┼──────┼──────┤   inside likewise within the disc of a flat cutter at its start
        │ low  │ ░░▒▒▓│▓▓    │      │   far    beyond the cutter, or below its flank there
        └──────┴──────┴──────┴──────┘   ▓      the few that are left

What is left goes through one loop of 64 iterations without a branch. Heights are int32 quanta of 2⁻¹⁴ mm, so its
two reductions (removed sum, new maximum) are integer reductions: these LLVM turns into vector code, which it refuses
for the minimum of floats; and the volume is exact: the sum over all steps *is* the difference of the stock, whatever
the order, and for any number of threads. What only the whole stroke must know, its outermost and highest cells cut, is
kept for each of the 64 places by itself and reduced once: a reduction across a vector costs as much as its arithmetic.

**Samples.** A cell's height is not that of its centre but of a point within it: rows are shifted along x and
columns along y by eighths of a cell, in bit-reversed order. With plain centres the edge of a pass along an
axis falls between two rows of cells over its whole length, an error of up to a cell that no averaging mends; with
shifted samples neighbours see the edge at different fractions of a cell, and any few of them average out. The
pattern is that of Hammersley's point set (J. M. Hammersley, 1960, *Monte Carlo methods for solving multivariable
problems*); as each tile carries the same pattern, it costs nothing.

**Slices.** A step may ask for axial slices: levels above its lowest tip. Of each slice it gets the removed volume
and the outermost sides, from the old and new heights of the tiles that were cut.

**Threads.** The field is divided into square patches, wide beside the cutter, which T threads own in turn, each row
of patches beginning one further::

        ┌───┬───┬───┬───┐
        │ 1 │ 0 │ 1 │ 0 │     Whether a path goes along x, along y or aslant, it soon comes to another thread's patch;
        ├───┼───┼───┼───┤     and most strokes lie in one patch, so that the other threads need not prepare them.
        │ 0 │ 1 │ 0 │ 1 │
        └───┴───┴───┴───┘

Each thread walks all strokes, in order, and cuts its own tiles. Nothing is shared, so nothing is locked, and the
results of a step are sums, minima and maxima over threads.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels.engagement_moves import CORNER, QUANTA, RADIUS, STEEPNESS, TIP_RADIUS, Cutters, Moves, position
from camtwin_kernels.engagement_shapes import (
    BALL,
    BULL,
    CONE,
    FAR,
    FLAT,
    PROFILE,
    bend_row,
    cut_ball,
    cut_bull,
    cut_cone,
    cut_flat,
    cut_ramp,
    cut_sphere,
    cut_torus,
    reach_behind,
)
from camtwin_kernels.jit import lean_kernel, lean_part, variant
from camtwin_kernels.stock import CELLS, COLUMNS, ROWS, XS, YS, Field

I = np.int32  # noqa: E741
F = np.float32
U = np.uint64
NOTHING_LEFT = np.int32(-(2**30))  #: `left` and `right` of a step that cut nothing: left is its negative
ZERO, ONE = np.float32(0.0), np.float32(1.0)
NEARLY = np.float32(1e-4)  #: what single precision may be wrong by where tiles are chosen, and more [mm]
LANES = 16  #: tiles that are looked at together


class Cut(NamedTuple):
    """What the steps of one call took, in quanta. Sides ``w`` are positive to the left of the motion."""

    volume: NDArray[np.int64]  #: (steps,) sum of removed heights
    top: NDArray[np.int32]  #: (steps,) highest removed material
    right: NDArray[np.int32]  #: (steps,) least side w
    left: NDArray[np.int32]  #: (steps,) greatest side w
    levels: NDArray[np.int32]  #: (steps, slices + 1) heights between which a slice lies; slices may be 0
    slice_volume: NDArray[np.int64]  #: (steps, slices)
    slice_right: NDArray[np.int32]  #: (steps, slices)
    slice_left: NDArray[np.int32]  #: (steps, slices)


class Share(NamedTuple):
    """Which tiles a thread owns: patches of 2^patch tiles squared, those whose row + column leaves it over."""

    thread: int
    threads: int
    patch: int


#: A single thread owns all.
ALONE = Share(0, 1, 30)


class Scratch(NamedTuple):
    """What one thread writes its intermediate results to."""

    right: NDArray[np.float32]  #: (64,) of all cells cut at this place of their tile: least side,
    left: NDArray[np.float32]  #: (64,) greatest side,
    highest: NDArray[np.int32]  #: (64,) highest material
    old: NDArray[np.int32]  #: (64,) a tile as it was
    row: NDArray[np.float32]  #: a bull nose's contact, or a table's cones, at the present slope
    i: NDArray[np.int32]  #: (tiles + LANES,) tiles under a stroke: column,
    j: NDArray[np.int32]  #: (tiles + LANES,) row,
    top: NDArray[np.int32]  #: (tiles + LANES,) maximum


@lean_part
def _side(radius: float, back: float, forward: float, across: float) -> float:
    """Return how far a disc, cut off ``back`` behind its centre, reaches along an axis [mm].

    ``forward`` and ``across`` are the motion's components along and across that axis.
    """
    return radius if forward > 0.0 else min(radius, radius * abs(across) - back * forward)


@lean_part
def _slice_tile(
    height: Any, t: Any, old: Any, w0: Any, along: Any, across: Any, step: int, highest: int, cut: Cut
) -> None:
    """Share what one tile, before at most ``highest``, lost among the axial slices of its step."""
    for k in range(cut.slice_volume.shape[1]):
        low = cut.levels[step, k]
        high = cut.levels[step, k + 1]
        if low >= highest:
            break
        total = I(0)
        right = I(-NOTHING_LEFT)
        left = NOTHING_LEFT
        for i in range(U(CELLS)):
            lost = I(min(old[i], high) - max(height[t, i], low))
            is_cut = (lost > I(0)) & (old[i] > height[t, i])
            side = I(w0 + YS[i] * along - XS[i] * across)
            total = I(total + (lost if is_cut else I(0)))
            right = min(right, side if is_cut else I(-NOTHING_LEFT))
            left = max(left, side if is_cut else NOTHING_LEFT)
        if total > 0:
            cut.slice_volume[step, k] += total
            cut.slice_right[step, k] = min(cut.slice_right[step, k], right)
            cut.slice_left[step, k] = max(cut.slice_left[step, k], left)


@lean_part
def _is_mine(share: Share, i0: int, i1: int, j0: int, j1: int) -> bool:
    """Return whether any of the tiles from column ``i0`` to ``i1`` and row ``j0`` to ``j1`` may be the thread's."""
    patches = (i1 >> share.patch) - (i0 >> share.patch) + (j1 >> share.patch) - (j0 >> share.patch)
    first = (i0 >> share.patch) + (j0 >> share.patch)
    return (share.thread - first) % share.threads <= patches


# What follows is compiled once for each shape that occurs, with that shape's names instead of these.
SHAPE, cut_still, cut_sloped = FLAT, cut_flat, cut_ramp
HAS_ROW, lay_row = 0, bend_row  #: whether the shape prepares a row for each slope, and what fills it


def _stroke(  # noqa: C901, PLR0915 - the hot loop: a call less per tile is worth a function too long
    field: Field,
    scratch: Scratch,
    size: NDArray[np.float64],
    p0: tuple[float, float, float],
    p1: tuple[float, float, float],
    is_contiguous: bool,
    step: int,
    cut: Cut,
    share: Share,
) -> None:
    """Cut one straight stroke from ``p0`` to ``p1`` into the tiles of ``share``."""
    ends = (scratch.right, scratch.left, scratch.highest)
    old, row, list_i, list_j, list_top = scratch.old, scratch.row, scratch.i, scratch.j, scratch.top
    height, tops, columns = field.height, field.top, field.columns
    x0, y0 = p0[0] - field.x0, p0[1] - field.y0
    dx, dy = p1[0] - p0[0], p1[1] - p0[1]
    z0, z1 = (p0[2] - field.z0) * QUANTA, (p1[2] - field.z0) * QUANTA
    width, depth = COLUMNS * field.cell, ROWS * field.cell
    per_x, per_y, radius = 1.0 / width, 1.0 / depth, size[RADIUS]
    if share.threads > 1 and not _is_mine(
        share,
        int((x0 + min(dx, 0.0) - radius) * per_x),
        int((x0 + max(dx, 0.0) + radius) * per_x),
        int((y0 + min(dy, 0.0) - radius) * per_y),
        int((y0 + max(dy, 0.0) + radius) * per_y),
    ):
        return
    zlow = min(z0, z1)
    low = I(max(math.floor(zlow + 0.5), 0.0))
    length = math.sqrt(dx * dx + dy * dy)
    ex, ey, slope = 1.0, 0.0, 0.0
    if length > 1e-9:
        ex, ey, slope = dx / length, dy / length, (p1[2] - p0[2]) / length
    else:
        length, z0, z1 = 0.0, zlow, zlow
    half_x, half_y = 0.5 * width, 0.5 * depth

    # The tiles under the stroke: all around a cutter that comes from nowhere, else those before its start.
    back = min(reach_behind(SHAPE, size, slope), radius) if is_contiguous else radius
    west = x0 + min(dx, 0.0) - _side(radius, back, -ex, ey)
    east = x0 + max(dx, 0.0) + _side(radius, back, ex, ey)
    south = y0 + min(dy, 0.0) - _side(radius, back, -ey, ex)
    north = y0 + max(dy, 0.0) + _side(radius, back, ey, ex)
    if east < 0.0 or north < 0.0:
        return
    i0, i1 = max(0, int(west * per_x)), min(columns - 1, int(east * per_x))
    j0, j1 = max(0, int(south * per_y)), min(field.rows - 1, int(north * per_y))

    # One flat loop without branches: tiles are few, and a branch that nobody can predict costs as much as ten.
    count = 0
    patch, mask = share.patch, (1 << share.patch) - 1
    for b in range(j0 >> patch, (j1 >> patch) + 1):
        for a in range(i0 >> patch, (i1 >> patch) + 1):
            if share.threads > 1 and (a + b - share.thread) % share.threads != 0:
                continue
            first_i, last_i = max(i0, a << patch), min(i1, (a << patch) | mask)
            first_j, last_j = max(j0, b << patch), min(j1, (b << patch) | mask)
            i, j = first_i, first_j
            for _ in range(max(last_j - first_j + 1, 0) * max(last_i - first_i + 1, 0)):
                top = tops[U(j * columns + i)]
                list_i[U(count)], list_j[U(count)], list_top[U(count)] = i, j, top
                count += int(top > low)
                is_last = i == last_i
                i = first_i if is_last else i + 1
                j += int(is_last)
    if count == 0:
        return

    # In single precision and LANES at a time: what lies in the lists beyond their end is looked at, too, and ignored.
    first_x, first_y = F((i0 + 0.5) * width - x0), F((j0 + 0.5) * depth - y0)
    tile_x, tile_y, to_x, to_y, far_end = F(width), F(depth), F(ex), F(ey), F(length)
    inside2 = F(radius * radius) if is_contiguous and SHAPE == FLAT and slope >= 0.0 else F(-1.0)
    behind = F(back if is_contiguous else 1e30)
    per_r2 = F(1.0 / (radius * radius))
    # A tile's half extents, along the axes, and along and across the motion.
    side_x, side_y = F(half_x), F(half_y)
    half_u = F(half_x * abs(ex) + half_y * abs(ey))
    half_w = F(half_x * abs(ey) + half_y * abs(ex))
    tip_radius, corner_radius, widest = F(size[TIP_RADIUS]), F(size[CORNER]), F(radius)
    widening = F(1.0 / size[STEEPNESS] if SHAPE == CONE else 0.0)
    per_quantum = F(1.0 / QUANTA)
    for block in range(U((count + LANES - 1) // LANES)):
        for lane in range(U(LANES)):
            at = block * U(LANES) + lane
            cx = first_x + F(list_i[at] - I(i0)) * tile_x
            cy = first_y + F(list_j[at] - I(j0)) * tile_y
            u = cx * to_x + cy * to_y
            w = cy * to_x - cx * to_y
            du = max(abs(u - min(max(u, ZERO), far_end)) - half_u, ZERO)
            dw = max(abs(w) - half_w, ZERO)
            deep = max(F(I(list_top[at] - low)) * per_quantum, ZERO)
            round_deep = min(deep, corner_radius)
            reach = tip_radius + math.sqrt(round_deep * (corner_radius + corner_radius - round_deep)) + deep * widening
            reach = min(reach, widest) + NEARLY
            far_x, far_y = abs(cx) + side_x + NEARLY, abs(cy) + side_y + NEARLY
            is_near = du * du + dw * dw <= reach * reach
            # Behind the motion the cutter is lowest along a curve, at most ``behind`` away: an ellipse bounds it.
            curve = behind * math.sqrt(max(ONE - dw * dw * per_r2, ZERO)) + NEARLY
            is_ahead = (u + half_u >= -curve) & (far_x * far_x + far_y * far_y >= inside2)
            list_top[at] = I(is_near & is_ahead)
    work = 0
    for k in range(U(count)):
        list_i[U(work)], list_j[U(work)] = list_i[k], list_j[k]
        work += list_top[k]
    if work == 0:
        return

    is_sliced = cut.slice_volume.shape[1] > 0
    along, across = F(ex * field.cell * QUANTA), F(ey * field.cell * QUANTA)
    rise = F(slope)
    r2 = F(radius * radius * (1.0 + 1e-6) * QUANTA * QUANTA)
    end = length + (reach_behind(SHAPE, size, -slope) if SHAPE not in (CONE, PROFILE) else 1e30)
    tip, corner = F(size[TIP_RADIUS] * QUANTA), F(size[CORNER] * QUANTA)
    third = F(size[STEEPNESS])
    if SHAPE == BALL:
        third = F(slope / math.sqrt(1.0 + slope * slope))
    elif SHAPE == CONE and slope != 0.0:
        tangent = size[STEEPNESS] ** 2 - slope * slope
        corner = F(abs(slope) / math.sqrt(tangent)) if tangent > 0.0 else F(1e6)
    for e in range(U(CELLS)):
        scratch.right[e], scratch.left[e], scratch.highest[e] = FAR, -FAR, NOTHING_LEFT
    lost = 0
    for k in range(U(work)):
        i, j = list_i[k], list_j[k]
        t = U(j * columns + i)
        ax, ay = i * width - x0, j * depth - y0
        u = ax * ex + ay * ey
        w0 = F((ay * ex - ax * ey) * QUANTA)
        # Where the cutter is lowest at the stroke's end for the whole tile, the end is all that counts.
        is_still = u + min(width * ex, 0.0) + min(depth * ey, 0.0) >= end
        u0 = F((u - length if is_still else u) * QUANTA)
        lift = F(0.5 + (z1 if is_still else z0))
        stretch = F(0.0 if is_still else length * QUANTA)
        if is_sliced:
            for e in range(U(CELLS)):
                old[e] = height[t, e]
        if is_still or (SHAPE == FLAT and slope == 0.0):
            got = cut_still(height, t, u0, w0, along, across, stretch, r2, lift, rise, tip, corner, third, row, ends)
        else:
            got = cut_sloped(height, t, u0, w0, along, across, stretch, r2, lift, rise, tip, corner, third, row, ends)
        total, new_top = got
        lost += total
        if is_sliced and total > 0:
            _slice_tile(height, t, old, w0, along, across, step, tops[t], cut)
        tops[t] = new_top
    if lost == 0:
        return
    right, left, highest = I(-NOTHING_LEFT), NOTHING_LEFT, NOTHING_LEFT
    for e in range(U(CELLS)):
        right = min(right, I(scratch.right[e]))
        left = max(left, I(scratch.left[e]))
        highest = max(highest, scratch.highest[e])
    cut.volume[step] += lost
    cut.right[step] = min(cut.right[step], right)
    cut.left[step] = max(cut.left[step], left)
    cut.top[step] = max(cut.top[step], highest)


def _cut_moves(
    field: Field,
    cutters: Cutters,
    moves: Moves,
    m0: int,
    m1: int,
    cut: Cut,
    scratch: Scratch,
    share: Share,
) -> None:
    """Cut moves ``m0`` to ``m1``, all of cutters of one shape, into ``field`` and fill ``cut``.

    Its first row is the first step of ``m0``. It comes with volume 0, top and left NOTHING_LEFT, right -NOTHING_LEFT,
    and its levels.
    """
    lx, ly, lz, last_cutter = 1e30, 1e30, 1e30, -1
    row_slope, row_cutter = 0.0, -1
    offset = moves.first[m0]
    for m in range(m0, m1):
        steps = moves.first[m + 1] - moves.first[m]
        if steps == 0:
            lx = 1e30
            continue
        cutter = moves.cutter[m]
        size = cutters.size[cutter]
        first_step, strokes = moves.first[m] - offset, moves.strokes[m]
        pieces = steps * strokes
        p0 = position(moves, m, 0.0)
        is_contiguous = abs(p0[0] - lx) + abs(p0[1] - ly) + abs(p0[2] - lz) < 1e-6 and cutter == last_cutter
        for piece in range(pieces):
            p1 = position(moves, m, (piece + 1) / pieces)
            run = math.sqrt((p1[0] - p0[0]) ** 2 + (p1[1] - p0[1]) ** 2)
            slope = (p1[2] - p0[2]) / run if run > 1e-9 else 0.0
            if HAS_ROW == 1 and (slope != row_slope or cutter != row_cutter):
                lay_row(size, slope, scratch.row)
                row_slope, row_cutter = slope, cutter
            is_plunge = run <= 1e-9 and p1[2] < p0[2]
            if min(p0[2], p1[2]) < field.highest:
                step = first_step + (piece if strokes == 1 else piece // strokes)
                goes_on = is_contiguous and not is_plunge
                _stroke(field, scratch, size, p0, p1, goes_on, step, cut, share)
            p0 = p1
            is_contiguous = True
        lx, ly, lz = moves.end[m, 0], moves.end[m, 1], moves.end[m, 2]
        last_cutter = cutter


def kernel_of(name: str, shape: int, still: Any, sloped: Any, lay: Any = None) -> Callable[..., None]:
    """Return the kernel of one shape; it is compiled when a job first has a cutter of it."""
    names = {"SHAPE": shape, "cut_still": still, "cut_sloped": sloped, "HAS_ROW": int(lay is not None), "lay_row": lay}
    stroke = lean_part(variant(_stroke, name, **names))
    return lean_kernel(variant(_cut_moves, name, **names, _stroke=stroke))


#: ``_cut_moves`` for cutters of each shape; ``engagement_profile`` has that of tables.
CUT_MOVES = {
    FLAT: kernel_of("flat", FLAT, cut_flat, cut_ramp),
    BALL: kernel_of("ball", BALL, cut_sphere, cut_ball),
    BULL: kernel_of("bull", BULL, cut_torus, cut_bull, bend_row),
    CONE: kernel_of("cone", CONE, cut_cone, cut_cone),
}
