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
            │   ·    t    ·    u          level     q = 0, the nearest point of the stroke
            └──────·─·─·──────────► u     flat      q = √(R² - w²): the rim, going up; the other rim, going down
                                          ball      q = √(R² - w²)·sin γ, γ = atan s
                                          cone      q = |w|·s/√(k² - s²), k its steepness, but not inside its tip
                                          bull      see below

(Ball: the canal surface of a sphere touches it along the great circle across the motion. Cone: set the derivative
k·q/√(w² + q²) = s. Both are elementary; derived here.)

**Bull nose.** Its lower half is a torus. At azimuth ψ from the motion and at angle θ of its corner it touches where
``tan θ · cos ψ = |s|``, with ``r = tip + corner·sin θ``, ``w = r·sin ψ``, ``q = r·cos ψ``: a curve with parameter ψ
that cannot be solved for q(w), but tabulated. The table holds the ratio q / √(R² - w²), in [0, 1] and smooth even
where both vanish, evenly in w² and in the slope's angle. As the cutter is lowest there, an error δ of q only
changes the height by the order of δ²; and any q is a place where the cutter has been, so nothing is ever cut too deep.

**The root.** The ball needs √(R² - w²) for q and again for the height. The first may be rough, for the same reason:
it is the classic halving of the exponent and one Newton step, with a relative error below 0.2 %.

Every function here has the same arguments: ``field``, the tile ``t``, ``old`` (128,) for the heights as they were;
u and w of the tile's corner; the direction; L; R² [mm]; the integer height of the stroke's lower end ``base`` and
how far its start is above it, ``rise`` [mm]; the slope; and three sizes. All return the removed sum, the least and
greatest side, the highest height cut and the tile's new maximum, in quanta.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from camtwin_kernels.jit import lean_part
from camtwin_kernels.stock import CELLS, XS, YS

FLAT, BALL, BULL, CONE = 0, 1, 2, 3

I = np.int32  # noqa: E741
F = np.float32
U = np.uint64
ZERO, HALF = np.float32(0.0), np.float32(0.5)
BIG, SMALL = np.int32(2**30), np.int32(-(2**30))
LAST_RATIO = np.int32(255)
RATIO_SCALE = np.float32(256.0)


@lean_part
def rough_root(x: Any) -> Any:
    """Return √x to 0.2 %, for x ≥ 0."""
    bits = np.int32(I(0x5F375A86) - I(np.float32(x).view(np.int32) >> I(1)))
    inverse = np.int32(bits).view(np.float32)
    return x * inverse * (F(1.5) - HALF * x * inverse * inverse)


@lean_part
def _clamp(t: Any, length: Any) -> Any:
    t = t if t > ZERO else ZERO
    return t if t < length else length


@lean_part
def _flat(u: Any, w: Any, length: Any, r2: Any, slope: Any, tip: Any, corner: Any, third: Any, row: Any) -> Any:
    q = u - _clamp(u, length)
    return r2 - w * w - q * q, ZERO


@lean_part
def _ramp(u: Any, w: Any, length: Any, r2: Any, slope: Any, tip: Any, corner: Any, third: Any, row: Any) -> Any:
    q = u - _clamp(u, length)
    rest = r2 - w * w
    rim = math.sqrt(rest if rest > ZERO else ZERO)
    t = _clamp(u - rim if slope > ZERO else u + rim, length)
    return rest - q * q, slope * t


@lean_part
def _sphere(u: Any, w: Any, length: Any, r2: Any, slope: Any, tip: Any, corner: Any, third: Any, row: Any) -> Any:
    q = u - _clamp(u, length)
    deep = r2 - w * w - q * q
    return deep, corner - math.sqrt(deep if deep > ZERO else ZERO)


@lean_part
def _ball(u: Any, w: Any, length: Any, r2: Any, slope: Any, tip: Any, corner: Any, sine: Any, row: Any) -> Any:
    rest = r2 - w * w
    rest0 = rest if rest > ZERO else ZERO
    t = _clamp(u - rough_root(rest0) * sine, length)
    q = u - t
    deep = rest - q * q
    return deep, corner + slope * t - math.sqrt(deep if deep > ZERO else ZERO)


@lean_part
def _torus(u: Any, w: Any, length: Any, r2: Any, slope: Any, tip: Any, corner: Any, third: Any, row: Any) -> Any:
    q = u - _clamp(u, length)
    away = w * w + q * q
    beyond = math.sqrt(away) - tip
    beyond = beyond if beyond > ZERO else ZERO
    under = corner * corner - beyond * beyond
    return r2 - away, corner - math.sqrt(under if under > ZERO else ZERO)


@lean_part
def _bull(u: Any, w: Any, length: Any, r2: Any, slope: Any, tip: Any, corner: Any, third: Any, row: Any) -> Any:
    near = u - _clamp(u, length)
    w2 = w * w
    rest = r2 - w2
    rest0 = rest if rest > ZERO else ZERO
    k = I(w2 * (RATIO_SCALE / r2))
    q = row[U(k if k < LAST_RATIO else LAST_RATIO)] * rough_root(rest0)
    t = _clamp(u - q if slope > ZERO else u + q, length)
    q = u - t
    beyond = math.sqrt(w2 + q * q) - tip
    beyond = beyond if beyond > ZERO else ZERO
    under = corner * corner - beyond * beyond
    return rest - near * near, corner + slope * t - math.sqrt(under if under > ZERO else ZERO)


@lean_part
def _cone(u: Any, w: Any, length: Any, r2: Any, slope: Any, tip: Any, lean: Any, steep: Any, row: Any) -> Any:
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


def _tile_cutter(lowest: Callable[..., Any]) -> Callable[..., Any]:
    """Return the loop over a tile for one shape; ``lowest`` gives (≥ 0 where the cutter passes, height above base)."""

    @lean_part
    def cut(
        height: Any, t: Any, u0: Any, w0: Any, along: Any, across: Any, length: Any, r2: Any,
        lift: Any, slope: Any, tip: Any, corner: Any, third: Any, row: Any,
    ) -> Any:  # fmt: skip
        total, right, left, highest, top = I(0), BIG, SMALL, SMALL, SMALL
        for i in range(U(CELLS)):
            u = u0 + XS[i] * along + YS[i] * across
            w = w0 + YS[i] * along - XS[i] * across
            deep, above = lowest(u, w, length, r2, slope, tip, corner, third, row)
            z = I(max(lift + above, ZERO))
            before = height[t, i]
            is_cut = (deep >= ZERO) & (before > z)
            after = z if is_cut else before
            height[t, i] = after
            side = I(w)
            total = I(total + I(before - after))
            right = min(right, side if is_cut else BIG)
            left = max(left, side if is_cut else SMALL)
            highest = max(highest, before if is_cut else SMALL)
            top = max(top, after)
        return total, right, left, highest, top

    return cut


cut_flat = _tile_cutter(_flat)
cut_ramp = _tile_cutter(_ramp)
cut_sphere = _tile_cutter(_sphere)
cut_ball = _tile_cutter(_ball)
cut_torus = _tile_cutter(_torus)
cut_bull = _tile_cutter(_bull)
cut_cone = _tile_cutter(_cone)
