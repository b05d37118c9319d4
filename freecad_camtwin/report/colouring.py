# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which quantity the toolpath is coloured by, and how its legend reads."""

from dataclasses import dataclass

import numpy as np
from matplotlib.colors import Normalize

from freecad_camtwin.twin.analysis import Analysis
from freecad_camtwin.twin.toolpath import Floats
from freecad_camtwin.twin.words import QUANTITIES


@dataclass(frozen=True, slots=True)
class Colouring:
    """One value per step, and the scale it is read on."""

    values: Floats  #: (steps,)
    label: str
    scale: Normalize
    limited: bool  #: the scale ends at the limit: what lies above it has a colour of its own


def by_load(analysis: Analysis) -> Colouring:
    """Colour by load over limit; where no limit is known by power, else by removal rate."""
    ratio = analysis.worst_ratio
    if np.isfinite(ratio).any():
        return Colouring(100 * ratio, "load, % of its limit", Normalize(0, 100), limited=True)
    power = analysis.load.power
    if np.isfinite(power).any():
        _, name, unit = QUANTITIES["power"]
        return Colouring(power, f"{name}, {unit} (no limit is known)", _full(power), limited=False)
    rate = np.asarray(analysis.load.q)
    return Colouring(rate, "material removal rate, mm³/s (the load is unknown)", _full(rate), limited=False)


def _full(values: Floats) -> Normalize:
    known = values[np.isfinite(values)]
    return Normalize(0, float(known.max()) if len(known) and known.max() > 0 else 1.0)
