# SPDX-License-Identifier: LGPL-2.1-or-later
"""How far a side force bends the tool: a stepped cantilever, with the springs of holder and spindle in series.

The tool is clamped at its holder: a shank of diameter d2, then flutes of diameter d1 whose gashes weaken them. The
force acts at distance a from the clamp, the deflection is asked at the tip::

    clamp ▓▓┌──────────────┬─────────────┐ tip
          ▓▓│   shank  I2  │  flutes I1  │
          ▓▓└──────────────┴──────↑──────┘
            0       L - L1        a      L

By Castigliano (Euler–Bernoulli) δ = F/E · ∫₀ᵃ (a - x)(L - x)/I(x) dx, in closed form below; for a = L it is the
two-step formula δ = F/3E·[L1³/I1 + (L³ - L1³)/I2], and for a uniform bar F·a²·(3L - a)/(6EI).
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: Fluted part as a solid bar of this share of DC. L. Kops, D. T. Vo, CIRP Annals 39, 1990 (textbook value, not read).
FLUTE_SHARE = 0.8


def _moment(u: Floats, beyond: Floats) -> Floats:
    """∫₀ᵘ t·(t + beyond) dt."""
    return u * u * u / 3.0 + beyond * u * u / 2.0


def cantilever_compliance(
    reach: Floats,
    length: float,
    flutes: float,
    flute_diameter: float,
    shank_diameter: float,
    modulus: float,
    out: Floats,
) -> None:
    """Fill the deflection of the tip per unit force, of a force at ``reach`` from the clamp.

    reach, out: (steps,) mm, mm/N; length: whole protrusion L; flutes: fluted part L1 of it
    flute_diameter: that of a solid bar as stiff as the flutes; modulus: Young's modulus [MPa]
    """
    i1 = math.pi * flute_diameter**4 / 64.0
    i2 = math.pi * shank_diameter**4 / 64.0
    shank = max(length - flutes, 0.0)
    a = np.clip(reach, 0.0, length)
    beyond = length - a
    rest = _moment(np.maximum(a - shank, 0.0), beyond)  # of the part of the flutes between shank and force
    out[:] = ((_moment(a, beyond) - rest) / i2 + rest / i1) / modulus


def fitted_deflection(
    force: Floats,
    length: float,
    flutes: float,
    dc: float,
    shank_diameter: float,
    modulus: float,
    teeth: int,
    out: Floats,
) -> None:
    """Fill the deflection of the tip by a fit to finite-element runs of real flutes, for 2, 3 or 4 teeth, else NaN.

    δ = C·F/E·[L1³/D1⁴ + (L³ - L1³)/D2⁴]^G: the form and constants of Kivanç and Budak, as quoted with
    doi 10.1016/j.ijmachtools.2005.09.009. A check on the cantilever: both agree within a twentieth.

    force, out: (steps,) N, mm
    """
    factor, power = math.nan, 1.0
    if teeth == 4:
        factor, power = 9.05, 0.950
    elif teeth == 3:
        factor, power = 8.30, 0.965
    elif teeth == 2:
        factor, power = 7.93, 0.974
    shape = flutes**3 / dc**4 + (length**3 - flutes**3) / shank_diameter**4
    out[:] = factor * force / modulus * shape**power
