# SPDX-License-Identifier: LGPL-2.1-or-later
"""Formulas of the handbooks for one cut, which the tests hold the materials and the simulation against."""

import math
from typing import NamedTuple


def chip_thinning(dc: float, ae: float) -> float:
    """By how much the feed per tooth may exceed the chip thickness wanted, at a narrow pass: fz / h_ex.

    >>> round(chip_thinning(10, 1), 3)
    1.667
    """
    return 1.0 if ae >= dc / 2 else dc / (2 * math.sqrt(ae * (dc - ae)))


def scallop(radius: float, step: float) -> float:
    """Height of the ridges [mm] that a round edge leaves, ``step`` [mm] apart; of a turned face its roughness Rt."""
    return radius - math.sqrt(radius**2 - step**2 / 4)


class Taylor(NamedTuple):
    """Tool life by F. W. Taylor: v·Tⁿ = C. Units of v and T are the caller's."""

    n: float
    c: float

    @classmethod
    def through(cls, first: tuple[float, float], second: tuple[float, float]) -> "Taylor":
        """The law through two measured pairs of cutting speed and tool life."""
        (v1, t1), (v2, t2) = first, second
        n = math.log(v1 / v2) / math.log(t2 / t1)
        return cls(n, v1 * t1**n)

    def life(self, v: float) -> float:
        """Tool life at cutting speed ``v``."""
        return float((self.c / v) ** (1 / self.n))


def merchant(width: float, thickness: float, shear_stress: float, rake: float, friction: float) -> tuple[float, float]:
    """Cutting and thrust force [N] of an orthogonal cut, by M. E. Merchant's least-energy shear angle.

    width, thickness: mm, of the chip before it is cut; shear_stress: MPa; rake: rad; friction: coefficient on the rake
    """
    angle = math.atan(friction)
    shear = (math.pi / 2 + rake - angle) / 2
    resultant = width * thickness * shear_stress / math.sin(shear) / math.cos(shear + angle - rake)
    return resultant * math.cos(angle - rake), resultant * math.sin(angle - rake)
