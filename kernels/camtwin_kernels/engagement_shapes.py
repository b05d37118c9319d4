# SPDX-License-Identifier: LGPL-2.1-or-later
"""How deep each shape of cutter cuts below a point, as vector code over one tile.

The essay
=========
A stroke runs from 0 to L along u at slope s (rise over run); w is the side of a cell, positive to the left. The
lowest point of the moving cutter above the cell is the minimum over t of ``s·t + h(√(w² + (u - t)²))``, h being the
cutter's profile, convex for all shapes here. So the free minimum, clamped to 0 ≤ t ≤ L, is the minimum::

          w ▲      · · ·                  q = u - t is how far the cell lies before the cutter's axis
            │   ·         ·    × cell     when the cutter is lowest above it:
            │  ·     ●──q──────┤
            │   ·    t    ·    u          still     q = u: a cutter that stands, or a tile for which only the end counts
            └──────·─·─·──────────► u     flat      q = √(R² - w²): the rim, going up; the other rim, going down
                                          ball      q = √(R² - w²)·sin γ, γ = atan s
                                          cone      q = |w|·s/√(k² - s²), k its steepness, but not inside its tip
                                          bull      see below

(Ball: the canal surface of a sphere touches it along the great circle across the motion. Cone: set the derivative
k·q/√(w² + q²) = s. Both are elementary; derived here.) As the cutter is lowest there, an error δ of q changes the
height by the order of δ² only, and any q is a place where the cutter has been, so nothing is ever cut too deep: where
h is smooth, a rough root will do.

**Bull nose.** Its lower half is a torus. At azimuth ψ from the motion and at angle θ of its corner it touches where
``tan θ · cos ψ = |s|``, with ``r = tip + corner·sin θ``, ``w = r·sin ψ``, ``q = r·cos ψ``: a curve with parameter ψ
that cannot be solved for q(w). So each stroke lays a polyline through seven points of its curve: four evenly in ψ,
three evenly in sin θ, which is where it bends when the slope is small. It is a polyline of the ratio q / √(R² - w²)
over w², which is smooth even where q vanishes, written as a sum of hinges ``a·max(w², b)``: no search, no table, no
branch.

**Shavings.** Two strokes that meet give the same cell the same height but for rounding, and but for the polyline of
a bull nose. A difference thinner than ``slack`` quanta is no cut: else a shaving of a tenth of a micrometre, all around
the cutter, would count as material on all its sides.

Every cutter of tiles has the same arguments: the heights and the tile ``t``; u and w of the tile's corner; the
motion's x and y for one cell, ``along`` and ``across``; L; R²; the height ``lift`` of the stroke's start; the slope;
three sizes; a bull nose's polyline; and three arrays of 64 cells, in which the least and the greatest side and the
highest material of what is cut are kept. Lengths are in quanta. All return the removed sum and the tile's new maximum.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from camtwin_kernels.engagement_moves import CORNER, QUANTA, RADIUS, TIP_RADIUS
from camtwin_kernels.jit import lean_part
from camtwin_kernels.stock import CELLS, XS, YS

FLAT, BALL, BULL, CONE, PROFILE = 0, 1, 2, 3, 4

I = np.int32  # noqa: E741
F = np.float32
U = np.uint64
ZERO, ONE = np.float32(0.0), np.float32(1.0)
FAR = np.float32(2.0**30)  #: beyond any side [quanta]
SMALL = np.int32(-(2**30))
IN_PSI, IN_THETA = 4, 3  #: points of a bull nose's polyline that lie evenly in ψ and in sin θ
HINGES = IN_PSI + IN_THETA - 1
EVEN_COSINES = np.append(np.cos(np.arange(IN_PSI) / IN_PSI * math.pi / 2), 0.0)


@lean_part
def _clamp(t: Any, length: Any) -> Any:
    t = t if t > ZERO else ZERO
    return t if t < length else length


@lean_part
def _rough_root(x: Any) -> Any:
    """Return √x for x ≥ 1 to 12 bits or more (see ``jit``), and x or 0 below; a true root takes thrice as long."""
    return (x if x > ZERO else ZERO) / math.sqrt(x if x > ONE else ONE)


@lean_part
def reach_behind(shape: int, size: Any, slope: float) -> float:
    """Return how far behind its start, along the motion, a contiguous stroke can still cut [mm]."""
    if slope >= 0.0:
        return 0.0
    if shape in (FLAT, CONE, PROFILE):
        return float(size[RADIUS])
    return float(size[TIP_RADIUS] - size[CORNER] * slope / math.sqrt(1.0 + slope * slope))


@lean_part
def bend_row(size: Any, slope: float, row: Any) -> None:
    """Fill ``row`` (2·HINGES + 1,) with a bull nose's contact ratio on a slope: its first value, then (b, a) pairs.

    The ratio is one over w² in quanta, and has the sign of the slope.
    """
    tip, corner = size[1], size[2]
    steep = abs(slope)
    if steep < 1e-6:
        row[:] = ZERO
        return
    radius = tip + corner
    least = steep / math.sqrt(1.0 + steep * steep)
    i, j = 0, 1
    last_x, last_ratio, last_rise = 0.0, 0.0, 0.0
    for n in range(HINGES + 1):
        sine = least + (1.0 - least) * j / IN_THETA
        even_in_psi = EVEN_COSINES[i]
        even_in_theta = 0.0 if j >= IN_THETA else steep * math.sqrt(1.0 - sine * sine) / sine
        if i < IN_PSI and (even_in_psi >= even_in_theta or j > IN_THETA):
            cosine = even_in_psi
            i += 1
        else:
            cosine = even_in_theta
            j += 1
        r = tip + corner * steep / math.sqrt(steep * steep + cosine * cosine)
        x = min(r * r * (1.0 - cosine * cosine) / (radius * radius), 1.0)
        if cosine > 0.0:
            ratio = r * cosine / (radius * math.sqrt(max(1.0 - x, 1e-12)))
        else:
            ratio = math.sqrt(radius / (radius + corner / (steep * steep)))
        if n == 0:
            row[0] = ratio
        else:
            rise = (ratio - last_ratio) / (x - last_x) if x - last_x > 1e-7 else last_rise
            row[2 * n - 1] = last_x
            row[2 * n] = rise - last_rise
            row[0] -= (rise - last_rise) * last_x
            last_rise = rise
        last_x, last_ratio = x, ratio
    # From shares of R² to w², from a share of the rim to one with the slope's sign.
    sign, square = math.copysign(1.0, slope), (radius * QUANTA) ** 2
    row[0] *= sign
    for n in range(HINGES):
        row[2 * n + 1] *= square
        row[2 * n + 2] *= sign / square


@lean_part
def _flat(u: Any, w: Any, length: Any, r2: Any, slope: Any, tip: Any, corner: Any, third: Any, bend: Any) -> Any:
    q = u - _clamp(u, length)  # of a level stroke, too
    return r2 - w * w - q * q, ZERO


@lean_part
def _ramp(u: Any, w: Any, length: Any, r2: Any, slope: Any, tip: Any, corner: Any, third: Any, bend: Any) -> Any:
    q = u - _clamp(u, length)
    rest = r2 - w * w
    rim = math.sqrt(rest if rest > ZERO else ZERO)
    t = _clamp(u - rim if slope > ZERO else u + rim, length)
    return rest - q * q, slope * t


@lean_part
def _sphere(u: Any, w: Any, length: Any, r2: Any, slope: Any, tip: Any, corner: Any, third: Any, bend: Any) -> Any:
    deep = r2 - w * w - u * u
    return deep, corner - math.sqrt(deep if deep > ZERO else ZERO)


@lean_part
def _ball(u: Any, w: Any, length: Any, r2: Any, slope: Any, tip: Any, corner: Any, sine: Any, bend: Any) -> Any:
    rest = r2 - w * w
    t = _clamp(u - _rough_root(rest) * sine, length)
    q = u - t
    deep = rest - q * q
    return deep, corner + slope * t - math.sqrt(deep if deep > ZERO else ZERO)


@lean_part
def _torus(u: Any, w: Any, length: Any, r2: Any, slope: Any, tip: Any, corner: Any, third: Any, bend: Any) -> Any:
    away = w * w + u * u
    beyond = math.sqrt(away) - tip
    beyond = beyond if beyond > ZERO else ZERO
    under = corner * corner - beyond * beyond
    return r2 - away, corner - math.sqrt(under if under > ZERO else ZERO)


@lean_part
def _hinge(x: Any, bend: Any, rise: Any) -> Any:
    return rise * (x if x > bend else bend)


@lean_part
def _bull(u: Any, w: Any, length: Any, r2: Any, slope: Any, tip: Any, corner: Any, third: Any, bend: Any) -> Any:
    x = w * w
    rest = r2 - x
    # Written out: an inner loop would keep LLVM from making vector code of the outer one.
    ratio = bend[0] + bend[2] * x + _hinge(x, bend[3], bend[4]) + _hinge(x, bend[5], bend[6])
    ratio += _hinge(x, bend[7], bend[8]) + _hinge(x, bend[9], bend[10]) + _hinge(x, bend[11], bend[12])
    t = _clamp(u - ratio * _rough_root(rest), length)
    q = u - t
    beyond = math.sqrt(x + q * q) - tip
    beyond = beyond if beyond > ZERO else ZERO
    under = corner * corner - beyond * beyond
    return rest - q * q, corner + slope * t - math.sqrt(under if under > ZERO else ZERO)


@lean_part
def _cone(u: Any, w: Any, length: Any, r2: Any, slope: Any, tip: Any, lean: Any, steep: Any, bend: Any) -> Any:
    near = u - _clamp(u, length)
    w2 = w * w
    rest = r2 - w2
    rim = math.sqrt(rest if rest > ZERO else ZERO)
    kink = tip * tip - w2
    q = lean * (w if w > ZERO else -w)
    edge = math.sqrt(kink if kink > ZERO else ZERO)
    q = q if q > edge else edge
    q = q if q < rim else rim
    q = q if slope > ZERO else -q
    t = _clamp(u - q if slope != ZERO else u, length)
    q = u - t
    beyond = math.sqrt(w2 + q * q) - tip
    return rest - near * near, slope * t + steep * (beyond if beyond > ZERO else ZERO)


@lean_part
def _straight(row: Any) -> Any:
    return row[U(0)]


@lean_part
def _bent(row: Any) -> Any:
    # In registers: the loop stores heights, and as far as LLVM knows the row could lie among them.
    first = (row[U(0)], row[U(1)], row[U(2)], row[U(3)], row[U(4)], row[U(5)])
    return (*first, row[U(6)], row[U(7)], row[U(8)], row[U(9)], row[U(10)], row[U(11)], row[U(12)])


def _tile_cutter(
    lowest: Callable[..., Any], bent: Callable[..., Any] = _straight, slack: int = 2
) -> Callable[..., Any]:
    """Return the loop over a tile for one shape; ``lowest`` gives (≥ 0 where the cutter passes, height above base)."""
    thinnest = I(slack)

    @lean_part
    def cut(
        height: Any, t: Any, u0: Any, w0: Any, along: Any, across: Any, length: Any, r2: Any,
        lift: Any, slope: Any, tip: Any, corner: Any, third: Any, row: Any, ends: Any,
    ) -> Any:  # fmt: skip
        total, top = I(0), SMALL
        right, left, highest = ends
        bend = bent(row)
        for i in range(U(CELLS)):
            u = u0 + (XS[i] * along + YS[i] * across)  # in brackets: once per stroke
            w = w0 + (YS[i] * along - XS[i] * across)
            deep, above = lowest(u, w, length, r2, slope, tip, corner, third, bend)
            z = I(max(lift + above, ZERO))
            before = height[t, i]
            is_cut = (deep >= ZERO) & (I(before - z) > thinnest)
            # Not a choice between z and before: the compiler would make a masked store of it.
            lost = I(before - z) if is_cut else I(0)
            after = I(before - lost)
            height[t, i] = after
            total = I(total + lost)
            # So a choice is one masked instruction; a choice of what is to be compared would be one more.
            right[i] = w if is_cut & (w < right[i]) else right[i]
            left[i] = w if is_cut & (w > left[i]) else left[i]
            highest[i] = before if is_cut & (before > highest[i]) else highest[i]
            top = max(top, after)
        return total, top

    return cut


cut_flat = _tile_cutter(_flat, slack=0)
cut_ramp = _tile_cutter(_ramp)
cut_sphere = _tile_cutter(_sphere)
cut_ball = _tile_cutter(_ball)
cut_torus = _tile_cutter(_torus, slack=32)
cut_bull = _tile_cutter(_bull, _bent, slack=32)
cut_cone = _tile_cutter(_cone)
