# SPDX-License-Identifier: LGPL-2.1-or-later
r"""From engagement to force: what the teeth of a milling cutter feel, on average and at worst.

The world seen from above, the feed to the right (x), its left-hand normal up the page (y), the spindle turning
clockwise (M3). A tooth's angle φ is measured clockwise from y::

              y, φ = 0          up milling cuts from φ = 0 on,
              |   ___           down milling ends at φ = π
              | /  → \
              |   (+)  ) φ = π/2 ──── x, feed        x: forces below act on the tool
                \___/                                 z: "pull" draws the tool out of its holder
              φ = π

A piece of edge db long, whose normal leans by κ from the tool's axis (κ = π/2 on a cylinder), stands at radius r.
Its chip is as thick as the tool advances across the edge per tooth: fz = fz·(ch, cv), horizontal and downward share::

    h   = fz·(ch·sin φ·sin κ + cv·cos κ)                                                   (1)
    dFt = (ktc·h + kte)·db     against the tooth's motion
    dFr = (krc·h + kre)·db     along the edge's normal, into the tool
    dFa = (kac·h + kae)·db     along the edge, towards the tip
    dFx = -dFt·cos φ - (dFr·sin κ + dFa·cos κ)·sin φ
    dFy = +dFt·sin φ - (dFr·sin κ + dFa·cos κ)·cos φ                                       (2)
    pull = dFa·sin κ - dFr·cos κ,   torque = dFt·r

(1) is the circular approximation of the trochoid, right while fz « r. (2) is the linear-edge model: E. Budak,
Y. Altintas, E. J. A. Armarego, "Prediction of milling force coefficients from orthogonal cutting data", 1996; for
general cutters S. Engin, Y. Altintas, "Mechanics and dynamics of general milling cutters, part I", Int. J. Mach. Tools
Manuf. 41, 2001.

Everything is linear in the coefficients and, but for them, affine in fz. So the kernels compute two things, once per
step: what a unit of shear, ktc·fz = 1 N/mm, does, and what a unit of edge force, kte = 1 N/mm, does; radial and axial
coefficients enter as ratios to them. Another feed or another calibration is then a weighted sum.

An axial slice of the engagement is an *element*, a row of eight numbers (``HEIGHT`` … ``LAG_HIGH``). Within it φ_st
and φ_ex are constant, and the helix makes the edge trail: at height z it stands at φ - k·z, k = tan(helix)/R. Its
integrals along the edge are closed forms between the ends of the engaged stretch: no helix needs re-slicing::

    φ of the edge ──────┬────────────────┬──────────►
                 φ - lag_high        φ - lag_low          the slice's edge, as a stretch of angles
           ├────────────────────────┤                     φ_st … φ_ex
                        ├───────────┤                     the engaged stretch: integrate sin, sin², sin·cos, cos, 1
"""

import math

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels.jit import lean_kernel, lean_part

Floats = NDArray[np.float64]

# The columns of an element.
HEIGHT = 0  #: ∫ sin κ db, the slice's axial height [mm]
WIDTH = 1  #: ∫ cos κ db, its growth in radius [mm]
LENGTH = 2  #: ∫ db, length of edge [mm]
RADIUS = 3  #: r [mm]
PHI_ST = 4  #: [rad]
PHI_EX = 5  #: [rad]
LAG_LOW = 6  #: k·z at the slice's lower end [rad]
LAG_HIGH = 7  #: k·z at its upper end, at least ``LEAST_LAG`` more [rad]
COLUMNS = 8

#: A straight edge is treated as one that trails by this much [rad]: too little to see, enough to divide by.
LEAST_LAG = 1e-4


@lean_part
def _directions(sin_kappa: float, cos_kappa: float, radial: float, axial: float) -> tuple[float, float]:
    """Inward force in the working plane, and pull, of a unit tangential force with the given ratios."""
    return radial * sin_kappa + axial * cos_kappa, axial * sin_kappa - radial * cos_kappa


@lean_part
def _stretch(
    sin_lo: float, cos_lo: float, sin_hi: float, cos_hi: float, span: float
) -> tuple[float, float, float, float]:
    """∫ sin² φ, ∫ sin φ·cos φ, ∫ sin φ, ∫ cos φ over a stretch of angles, from the sines and cosines of its ends."""
    sin_cos = 0.5 * (sin_hi * sin_hi - sin_lo * sin_lo)
    sin_sin = 0.5 * (span - (sin_hi * cos_hi - sin_lo * cos_lo))
    return sin_sin, sin_cos, cos_lo - cos_hi, sin_hi - sin_lo


@lean_kernel
def mean_forces(elements: Floats, motion: Floats, teeth: float, ratios: Floats, shear: Floats, edge: Floats) -> None:
    """Fill what a unit of shear force and a unit of edge force do on average over a revolution.

    The mean force of a step is ktc·fz·shear + kte·edge. It does not depend on the helix: every point of the edge
    sweeps φ_st … φ_ex once per revolution, wherever it trails. For a cylinder these are the closed forms of
    Y. Altintas, *Manufacturing Automation*, 2nd ed., ch. 2.

    elements: (steps, slices, 8); motion: (steps, 2), ch and cv; ratios: krc/ktc, kac/ktc, kre/kte, kae/kte
    shear, edge: (steps, 4), force in x, force in y, pull, per N/mm; torque, mm per N/mm
    """
    for i in range(elements.shape[0]):
        for column in range(4):
            shear[i, column] = 0.0
            edge[i, column] = 0.0
        for j in range(elements.shape[1]):
            e = elements[i, j]
            if not _is_cutting(e, motion[i]):
                continue
            length, radius, st, ex = e[LENGTH], e[RADIUS], e[PHI_ST], e[PHI_EX]
            sin_k, cos_k, span = e[HEIGHT] / length, e[WIDTH] / length, ex - st
            h_side, h_end = motion[i, 0] * sin_k, motion[i, 1] * cos_k
            ss, sc, s, c = _stretch(math.sin(st), math.cos(st), math.sin(ex), math.cos(ex), span)
            along, across, chip = h_side * sc + h_end * c, h_side * ss + h_end * s, h_side * s + h_end * span
            weight = teeth * length / (2.0 * math.pi)
            inward, pull = _directions(sin_k, cos_k, ratios[0], ratios[1])
            shear[i, 0] += weight * (-along - inward * across)
            shear[i, 1] += weight * (across - inward * along)
            shear[i, 2] += weight * pull * chip
            shear[i, 3] += weight * radius * chip
            inward, pull = _directions(sin_k, cos_k, ratios[2], ratios[3])
            edge[i, 0] += weight * (-c - inward * s)
            edge[i, 1] += weight * (s - inward * c)
            edge[i, 2] += weight * pull * span
            edge[i, 3] += weight * radius * span


@lean_part
def _turn(e: Floats, motion: Floats, ratios: Floats, anchor: float, bins: Floats, teeth: float) -> None:
    """Add one element's edge to the bins of a tooth pitch, as a single tooth turns through its cut.

    Bin k holds the tooth angles anchor + k·Δ, k modulo the number of bins, which folds all teeth into one pitch.
    Only the angles at which the tooth cuts are visited; sines advance by rotation, not by calls.
    """
    st, ex, low, high = e[PHI_ST], e[PHI_EX], e[LAG_LOW], e[LAG_HIGH]
    length, radius = e[LENGTH], e[RADIUS]
    sin_k, cos_k = e[HEIGHT] / length, e[WIDTH] / length
    h_side, h_end = motion[0] * sin_k, motion[1] * cos_k
    inward_c, _ = _directions(sin_k, cos_k, ratios[0], ratios[1])
    inward_e, _ = _directions(sin_k, cos_k, ratios[2], ratios[3])
    density = length / (high - low)
    count = bins.shape[0]
    delta = 2.0 * math.pi / (teeth * count)
    first = math.ceil((st + low - anchor) / delta - 1e-9)
    last = math.floor((ex + high - anchor) / delta + 1e-9)
    sin_st, cos_st, sin_ex, cos_ex = math.sin(st), math.cos(st), math.sin(ex), math.cos(ex)
    sin_d, cos_d = math.sin(delta), math.cos(delta)
    phi = anchor + first * delta
    sin_a, cos_a = math.sin(phi - high), math.cos(phi - high)
    sin_b, cos_b = math.sin(phi - low), math.cos(phi - low)
    row = first % count
    for k in range(first, last + 1):
        phi = anchor + k * delta
        lo, sin_lo, cos_lo = phi - high, sin_a, cos_a
        hi, sin_hi, cos_hi = phi - low, sin_b, cos_b
        if lo < st:
            lo, sin_lo, cos_lo = st, sin_st, cos_st
        if hi > ex:
            hi, sin_hi, cos_hi = ex, sin_ex, cos_ex
        if hi > lo:
            ss, sc, s, c = _stretch(sin_lo, cos_lo, sin_hi, cos_hi, hi - lo)
            along = h_side * sc + h_end * c
            across = h_side * ss + h_end * s
            bins[row, 0] += density * (-along - inward_c * across)
            bins[row, 1] += density * (across - inward_c * along)
            bins[row, 2] += density * radius * (h_side * s + h_end * (hi - lo))
            bins[row, 3] += density * (-c - inward_e * s)
            bins[row, 4] += density * (s - inward_e * c)
            bins[row, 5] += density * radius * (hi - lo)
        sin_a, cos_a = sin_a * cos_d + cos_a * sin_d, cos_a * cos_d - sin_a * sin_d
        sin_b, cos_b = sin_b * cos_d + cos_b * sin_d, cos_b * cos_d - sin_b * sin_d
        row += 1
        if row == count:
            row = 0


@lean_part
def _is_cutting(e: Floats, motion: Floats) -> bool:
    """Whether an element is engaged, and the tool advances across its edge."""
    return bool(e[LENGTH] > 0.0 and e[PHI_EX] > e[PHI_ST] and motion[0] * e[HEIGHT] + motion[1] * e[WIDTH] > 0.0)


@lean_part
def _largest(bins: Floats, w0: float, w1: float) -> tuple[float, float]:
    """Largest resultant and largest torque among the bins, shear and edge force weighted."""
    largest, twist = 0.0, 0.0
    for k in range(bins.shape[0]):
        x = w0 * bins[k, 0] + w1 * bins[k, 3]
        y = w0 * bins[k, 1] + w1 * bins[k, 4]
        largest = max(largest, x * x + y * y)
        twist = max(twist, w0 * bins[k, 2] + w1 * bins[k, 5])
    return math.sqrt(largest), twist


@lean_part
def _worst_angle(elements: Floats) -> float:
    """A tip angle at which the thickest element carries its thickest chip over its whole engaged edge.

    A straight tooth's force jumps as it enters or leaves the cut; sampling from this angle on meets the jump itself.
    """
    most, anchor = 0.0, 0.0
    for j in range(elements.shape[0]):
        e = elements[j]
        size = e[LENGTH] * (e[PHI_EX] - e[PHI_ST])
        if size > most:
            most = size
            leaves_thick = math.sin(e[PHI_EX]) > math.sin(e[PHI_ST])
            anchor = e[PHI_EX] + e[LAG_LOW] if leaves_thick else e[PHI_ST] + e[LAG_HIGH]
    return anchor


@lean_kernel
def peaks(
    elements: Floats,
    motion: Floats,
    teeth: float,
    ratios: Floats,
    weights: Floats,
    bins: Floats,
    force: Floats,
    torque: Floats,
) -> None:
    """Fill the largest resultant in the working plane and the largest torque over a revolution.

    At every angle of one tooth pitch the force vector is w0·S + w1·E, with the shear and edge vectors S and E of (2).
    For each pair of weights (w0 = ktc·fz, w1 = kte) the largest over all angles is kept, so that one visit of the
    geometry gives the peak at a whole ladder of feeds. Weights must be numbers, not NaN.

    elements: (steps, slices, 8); motion: (steps, 2); ratios: as in ``mean_forces``; weights: (steps, feeds, 2) N/mm
    bins: (angles, 6) scratch: the angles of one tooth pitch; force, torque: (steps, feeds) N, N·mm
    """
    for i in range(elements.shape[0]):
        force[i] = 0.0
        torque[i] = 0.0
        anchor = _worst_angle(elements[i])
        cuts = False
        for j in range(elements.shape[1]):
            if _is_cutting(elements[i, j], motion[i]):
                if not cuts:
                    bins[:] = 0.0
                cuts = True
                _turn(elements[i, j], motion[i], ratios, anchor, bins, teeth)
        if cuts:
            for n in range(force.shape[1]):
                force[i, n], torque[i, n] = _largest(bins, weights[i, n, 0], weights[i, n, 1])
