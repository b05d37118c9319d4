# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cutters that are given by a table of radii and heights: each is cut as the cones that it is made of.

The essay
=========
The table names points of the cutter's outline from the axis outwards; between them it is straight. Neither radius nor
height ever falls, so that nothing of the cutter hides above something narrower::

        height ▲              ┌ wall
               │             ╱
               │         ___╱ ← k     h_k + m_k·(r - r_k)   between r_k and r_k+1
               │        ╱
               └───────┴──────────► r

Its lower side need not be convex, so the lowest point of the moving cutter above a cell can be in several places at
once, and the closed forms of the other shapes fail. But each straight piece, with a flat cap below it instead of all
that is nearer to the axis, is a cone with a flat tip, as in ``engagement_shapes``: tip radius r_k, radius r_k+1,
steepness m_k, its tip at height h_k::

            ╲___________╱  r_k+1          The cap lies nowhere below the cutter, for the cutter's
             ╲         ╱                  height never falls outwards; on the cone they are the same.
              ╲_______╱  r_k at h_k       So the cutter is the union of its cones, and what the
               (cutter goes down here)    moving cutter sweeps is the union of what they sweep.

That is exact, for any slope and any number of points. A ledge, where the height stays, is a disc; a wall, where the
radius stays, needs no cone. A tile is cut by one cone after the other, with the same loop as a cone's; its
lost volume is their sum. What a stroke's slope does to each cone
(``lay_cones``) is worked out once per slope.

For forces, the edge's mean lean over a slice is that of its straight pieces, weighted by their height; a ledge adds
length and growth in radius, and no height. The flat of the tip counts as the floor does for other shapes.

These kernels are compiled for jobs that have such a cutter, and no others: they are variants of the common ones.
"""

import math
from typing import Any

from camtwin_kernels import engagement, engagement_angles, reduced
from camtwin_kernels.engagement_moves import QUANTA
from camtwin_kernels.engagement_shapes import PROFILE, SMALL, F, I, U, cut_cone
from camtwin_kernels.jit import lean_kernel, lean_part, variant

#: The table's columns in a cutter's sizes: (radius, height) of each point follow the four sizes of every cutter.
FIRST = 4
#: What a row holds for each cone: its squared radius, its tip's height, tip radius, lean and steepness.
PER_CONE = 5


def row_length(sizes: int) -> int:
    """Return how many numbers ``lay_cones`` may write for cutters of so many sizes."""
    return 1 + PER_CONE * max((sizes - FIRST) // 2 - 1, 0)


@lean_part
def lay_cones(size: Any, slope: float, row: Any) -> None:
    """Fill ``row`` with the number of the cutter's cones, and with what each is on a stroke of this slope."""
    at = 1
    for k in range(FIRST, size.size - 3, 2):
        r0, h0, r1, h1 = size[k], size[k + 1], size[k + 2], size[k + 3]
        if r1 - r0 < 1e-9:
            continue
        steep = (h1 - h0) / (r1 - r0)
        tangent = steep * steep - slope * slope
        row[at] = F(r1 * r1 * (1.0 + 1e-6) * QUANTA * QUANTA)
        row[at + 1] = F(h0 * QUANTA)
        row[at + 2] = F((r0 if steep > 1e-6 else r1) * QUANTA)  # a ledge is all tip
        row[at + 3] = F(abs(slope) / math.sqrt(tangent)) if tangent > 0.0 else F(1e6)
        row[at + 4] = F(max(steep, 1e-6))
        at += PER_CONE
    row[0] = F((at - 1) // PER_CONE)


@lean_part
def cut_cones(
    height: Any, t: Any, u0: Any, w0: Any, along: Any, across: Any, length: Any, r2: Any,
    lift: Any, slope: Any, tip: Any, corner: Any, third: Any, row: Any, ends: Any,
) -> Any:  # fmt: skip
    """Cut one tile by each cone of ``row``: arguments and results as in ``engagement_shapes``."""
    total, top = I(0), SMALL
    for k in range(U(row[U(0)])):
        at = U(1) + U(PER_CONE) * k
        lost, top = cut_cone(
            height, t, u0, w0, along, across, length, row[at], lift + row[at + U(1)], slope,
            row[at + U(2)], row[at + U(3)], row[at + U(4)], row, ends,
        )  # fmt: skip
        total = I(total + lost)
    return total, top


@lean_part
def profile_radius_at(shape: int, size: Any, height: float) -> float:
    """Return the cutter's radius at ``height`` above its tip [mm], of any shape."""
    if shape != PROFILE:
        return common_radius_at(shape, size, height)
    radius = size[FIRST]
    for k in range(FIRST, size.size - 3, 2):
        rise = size[k + 3] - size[k + 1]
        share = 1.0 if height >= size[k + 3] else (height - size[k + 1]) / rise if height > size[k + 1] else 0.0
        radius += share * (size[k + 2] - size[k])
    return float(radius)


@lean_part
def _edge_below(size: Any, height: float) -> tuple[float, float, float, float]:
    """Return ∫ sin κ, ∫ cos κ, ∫ 1 / sin κ and ∫ cot κ over the edge's height, from the tip up to ``height`` [mm]."""
    sines, cosines, lengths, growths, last = 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(FIRST, size.size - 3, 2):
        rise, out = size[k + 3] - size[k + 1], size[k + 2] - size[k]
        last = size[k + 3]
        if last <= 0.0 or size[k + 1] >= height:
            continue
        share = min((height - size[k + 1]) / rise, 1.0) if rise > 0.0 else 1.0
        long = math.hypot(rise, out)
        if long > 0.0:
            sines += share * rise * rise / long
            cosines += share * rise * out / long
        lengths += share * long
        growths += share * out
    wall = max(height - last, 0.0)
    return sines + wall, cosines, lengths + wall, growths


@lean_part
def profile_lean_of_edge(shape: int, size: Any, middle: float, ap: float) -> tuple[float, float, float, float]:
    """Return the means of sin κ, cos κ, 1 / sin κ and cot κ over the height of a slice, of any shape."""
    if shape != PROFILE:
        return common_lean_of_edge(shape, size, middle, ap)
    low = max(middle - 0.5 * ap, 0.0)
    sines, cosines, lengths, growths = _edge_below(size, low)
    sines_up, cosines_up, lengths_up, growths_up = _edge_below(size, low + ap)
    share = 1.0 / ap
    return (
        (sines_up - sines) * share,
        (cosines_up - cosines) * share,
        (lengths_up - lengths) * share,
        (growths_up - growths) * share,
    )


common_radius_at, common_lean_of_edge = engagement_angles.radius_at, reduced.lean_of_edge

_share = lean_part(variant(engagement_angles._share, "profile", radius_at=profile_radius_at))
profile_measure = lean_kernel(variant(engagement_angles.measure, "profile", radius_at=profile_radius_at, _share=_share))
profile_integrals = lean_kernel(
    variant(reduced.integrals, "profile", radius_at=profile_radius_at, lean_of_edge=profile_lean_of_edge)
)
cut_moves = engagement.kernel_of("profile", PROFILE, cut_cones, cut_cones, lay_cones)
