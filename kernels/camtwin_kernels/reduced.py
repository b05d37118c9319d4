# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mean forces of a step as numbers times coefficients: geometry once, any feed and any calibration afterwards.

The essay
=========
A tooth element of height dz at angle φ, where the cutter's edge leans by κ (κ = 90° on a cylinder), has the length
db = dz / sin κ and cuts a chip h = fz·sin φ·sin κ. In the linear-edge model it pulls with

    dFt = (ktc·h + kte)·db     against the motion of the edge
    dFr = (krc·h + kre)·db     along the surface's normal
    dFa = (kac·h + kae)·db     along the edge, towards the tip

and with P = sin κ·dFr + cos κ·dFa the workpiece feels (x along the feed, y its left-hand normal, z up the axis)::

          y ▲  φ = 0        dFx = -cos φ·dFt - sin φ·P
            │  ╲            dFy =  sin φ·dFt - cos φ·P
            │ φ ╲           dFz =  sin κ·dFa - cos κ·dFr
            ●────► x feed   dM  =  r·dFt

Averaged over a revolution of a tooth that is in the cut from φ_st to φ_ex, only six integrals remain, with [f] for
f(φ_ex) - f(φ_st)::

    ∫ sin² φ = [2φ - sin 2φ] / 4      ∫ sin φ = -[cos φ]      ∫ dφ = [φ]
    ∫ sin φ·cos φ = -[cos 2φ] / 4     ∫ cos φ = [sin φ]

Everything is linear in the six coefficients and affine in fz: one step is a matrix of 4 × 6 numbers, summed over its
axial slices, of which 18 are not zero, and 12 for a cylindrical cutter. The helix does not matter: it shifts
when an element cuts, not how long.

Sources: Y. Altintas, *Manufacturing Automation*, 2nd ed., ch. 2 (the average forces of a cylindrical end mill); S.
Engin and Y. Altintas, 2001, "Mechanics and dynamics of general milling cutters, Part I", IJMTM 41:2195 (the
transformation with κ; z is turned upwards here so that a cylinder's dFz = dFa). The tests integrate numerically.
"""

import math
from typing import Any

from camtwin_kernels.engagement_angles import radius_at
from camtwin_kernels.engagement_moves import CORNER, STEEPNESS, Cutters
from camtwin_kernels.engagement_shapes import CONE, FLAT
from camtwin_kernels.jit import lean_kernel, lean_part

#: Rows and columns of a step's matrix.
FEED, NORMAL, AXIAL, TORQUE = 0, 1, 2, 3
KTC, KRC, KAC, KTE, KRE, KAE = 0, 1, 2, 3, 4, 5


@lean_part
def edge_below(corner: float, height: float) -> tuple[float, float, float, float]:
    """Return ∫ sin κ, ∫ cos κ, ∫ 1 / sin κ and ∫ cot κ over the height of an edge, from the tip up to ``height`` [mm].

    On the rounding cos κ = 1 - z / corner, so dz = corner·sin κ dκ; above it κ = 90°.
    """
    straight = max(height - corner, 0.0)
    cos_kappa = 1.0 - (height - straight) / corner if corner > 0.0 else 1.0
    sin_kappa = math.sqrt(1.0 - cos_kappa * cos_kappa)
    kappa = math.acos(cos_kappa)
    sines = 0.5 * corner * (kappa - sin_kappa * cos_kappa) + straight
    return sines, 0.5 * corner * sin_kappa * sin_kappa, corner * kappa + straight, corner * sin_kappa


@lean_part
def lean_of_edge(shape: int, size: Any, middle: float, ap: float) -> tuple[float, float, float, float]:
    """Return the means of sin κ, cos κ, 1 / sin κ and cot κ over the height of a slice."""
    if shape == FLAT:
        return 1.0, 0.0, 1.0, 0.0
    if shape == CONE:
        across = math.hypot(1.0, size[STEEPNESS])
        return size[STEEPNESS] / across, 1.0 / across, across / size[STEEPNESS], 1.0 / size[STEEPNESS]
    low = max(middle - 0.5 * ap, 0.0)
    sines, cosines, lengths, growths = edge_below(size[CORNER], low)
    sines_up, cosines_up, lengths_up, growths_up = edge_below(size[CORNER], low + ap)
    share = 1.0 / ap
    return (
        (sines_up - sines) * share,
        (cosines_up - cosines) * share,
        (lengths_up - lengths) * share,
        (growths_up - growths) * share,
    )


@lean_kernel
def integrals(
    cutters: Cutters, cutter: Any, slice_z: Any, slice_ap: Any, slice_phi_st: Any, slice_phi_ex: Any, matrix: Any
) -> None:
    """Fill ``matrix`` (steps, 4, 6) with the mean force and torque of one tooth per unit of each coefficient.

    cutter: (steps,); slice_…: (steps, slices) in mm and rad. Shear columns are per mm of fz: [mm] for forces, [mm²]
    for torque; edge columns [mm] and [mm²]. ``matrix`` comes with zeros.
    """
    turn = 0.5 / math.pi
    for s in range(cutter.size):
        shape = cutters.shape[cutter[s]]
        size = cutters.size[cutter[s]]
        g = matrix[s]
        last_st, last_ex, cos_st, cos_ex, sin_st, sin_ex = 0.0, 0.0, 1.0, 1.0, 0.0, 0.0
        for k in range(slice_z.shape[1]):
            ap = slice_ap[s, k]
            if ap <= 0.0:
                continue
            sin_kappa, cos_kappa, longer, wider = lean_of_edge(shape, size, slice_z[s, k], ap)
            radius = radius_at(shape, size, slice_z[s, k])
            st, ex = slice_phi_st[s, k], slice_phi_ex[s, k]
            if st != last_st or ex != last_ex:  # neighbouring slices are often alike
                cos_st, cos_ex = math.cos(st), math.cos(ex)
                sin_st, sin_ex = math.sin(st), math.sin(ex)
                last_st, last_ex = st, ex
            weight = ap * turn
            span = weight * (ex - st)
            sine = weight * (cos_st - cos_ex)
            cosine = weight * (sin_ex - sin_st)
            square = 0.5 * (span - weight * (sin_ex * cos_ex - sin_st * cos_st))
            product = 0.5 * weight * (sin_ex * sin_ex - sin_st * sin_st)
            g[FEED, KTC] -= product
            g[FEED, KRC] -= sin_kappa * square
            g[FEED, KAC] -= cos_kappa * square
            g[NORMAL, KTC] += square
            g[NORMAL, KRC] -= sin_kappa * product
            g[NORMAL, KAC] -= cos_kappa * product
            g[AXIAL, KRC] -= cos_kappa * sine
            g[AXIAL, KAC] += sin_kappa * sine
            g[TORQUE, KTC] += radius * sine
            g[FEED, KTE] -= longer * cosine
            g[FEED, KRE] -= sine
            g[FEED, KAE] -= wider * sine
            g[NORMAL, KTE] += longer * sine
            g[NORMAL, KRE] -= cosine
            g[NORMAL, KAE] -= wider * cosine
            g[AXIAL, KRE] -= wider * span
            g[AXIAL, KAE] += span
            g[TORQUE, KTE] += radius * longer * span
