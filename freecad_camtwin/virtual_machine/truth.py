# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a virtual machine knows and does not say: how its material, its tools and its sensor differ from the plan."""

import math
from dataclasses import dataclass, fields

import numpy as np

from freecad_camtwin.errors import InputError


@dataclass(frozen=True, slots=True)
class Truth:
    """How the virtual world differs from the predicted one. InputError where a number cannot be."""

    material: float = 1.0  #: every cutting force is so many times the predicted one
    wear: float = 0.01  #: by which share forces rise in a minute that a tool cuts
    noise: float = 0.004  #: standard deviation of the measured power, as a share of the spindle's rated power
    lag: float = 0.08  #: time constant of the power sensor's filter [s]
    dropouts: float = 0.5  #: how often a minute the power sensor falls silent
    seed: int = 0  #: of everything that is drawn

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"{item.name} = {value:g} cannot be; give a number of at least 0")
        if self.material == 0:
            raise InputError("a material factor of 0 would cut without any force; give a number above 0")

    @staticmethod
    def drawn_material(seed: int) -> float:
        """Return a hidden material factor: as doubtful as a handbook's coefficients are, 0.75 to 1.35 mostly."""
        return float(np.exp(np.random.default_rng(seed).normal(0.0, 0.15)))
