# SPDX-License-Identifier: LGPL-2.1-or-later
"""The hidden properties of a virtual machine: how its material, its tools and its sensor differ from the prediction."""

import math
from dataclasses import dataclass, fields

import numpy as np

from freecad_camtwin.errors import InputError


@dataclass(frozen=True, slots=True)
class Truth:
    """How the virtual machine differs from the prediction. InputError if a number is out of range."""

    material: float = 1.0  #: factor on every predicted cutting force
    wear: float = 0.01  #: increase of the forces per minute of cutting with a tool, as a share
    noise: float = 0.004  #: standard deviation of the measured power, as a share of the spindle's rated power
    lag: float = 0.08  #: time constant of the power sensor's filter [s]
    dropouts: float = 0.5  #: silences of the power sensor per minute
    seed: int = 0  #: seed of all random numbers

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"{item.name} = {value:g} is not possible; give a number of at least 0")
        if self.material == 0:
            raise InputError("a material factor of 0 would cut without any force; give a number above 0")

    @staticmethod
    def drawn_material(seed: int) -> float:
        """Return a random material factor with the uncertainty of handbook coefficients, mostly 0.75 to 1.35."""
        return float(np.exp(np.random.default_rng(seed).normal(0.0, 0.15)))
