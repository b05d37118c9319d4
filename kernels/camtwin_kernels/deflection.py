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
