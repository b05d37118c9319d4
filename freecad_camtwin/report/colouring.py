# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which quantity the toolpath is coloured by, and how its legend reads."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from matplotlib.colors import Colormap, LogNorm, Normalize

from freecad_camtwin.report import style
from freecad_camtwin.twin.analysis.analysis import Analysis
from freecad_camtwin.twin.base.words import LOAD_QUANTITIES
from freecad_camtwin.twin.job.toolpath import Floats
from freecad_camtwin.twin.runs.along_path import Comparison

#: Measured load → its name in a picture.
MEASURED = {
    "power": "spindle power", "torque": "spindle torque", "spindle_load": "spindle load", "current": "spindle current",
    "force": "cutting force", "load_x": "load of X", "load_y": "load of Y", "load_z": "load of Z",
    "vibration": "vibration",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Colouring:
    """One value per step, and the scale it is read on."""

    values: Floats  #: (steps,)
    label: str
    scale: Normalize
    limited: bool  #: the scale ends at the limit: what lies above it has a colour of its own
    palette: Colormap = field(default_factory=lambda: style.LOAD)

    @property
    def extend(self) -> Literal["max", "both", "neither"]:
        """At which ends of the scale values go on."""
        if self.palette is style.RATIO:
            return "both"
        return "max" if self.limited else "neither"


def by_load(analysis: Analysis) -> Colouring:
    """Colour by load over limit; where no limit is known by power, else by removal rate."""
    ratio = analysis.worst_ratio
    if np.isfinite(ratio).any():
        return Colouring(100 * ratio, "load, % of its limit", Normalize(0, 100), limited=True)
    power = analysis.load.power
    if np.isfinite(power).any():
        _, name, unit = LOAD_QUANTITIES["power"]
        return Colouring(power, f"{name}, {unit} (no limit is known)", _full(power), limited=False)
    rate = np.asarray(analysis.load.q)
    return Colouring(rate, "material removal rate, mm³/s (the load is unknown)", _full(rate), limited=False)


def by_measured(comparison: Comparison) -> Colouring:
    """Colour by the measured load; 99 % of the steps lie on the scale, so that no spike hides the rest."""
    known = comparison.measured[np.isfinite(comparison.measured)]
    top = max(float(np.quantile(known, 0.99)) if known.size else 1.0, 0.0)
    values = np.clip(comparison.measured, 0.0, top)
    load = comparison.load
    label = f"measured {MEASURED[load.name]}, {load.unit}" if load is not None else "no load was measured"
    return Colouring(values, label, Normalize(0, top or 1.0), limited=False)


def by_ratio(comparison: Comparison) -> Colouring:
    """Colour by measured over predicted load: white where they agree, and as far to both sides as most of it goes."""
    ratio = comparison.ratio
    known = np.abs(np.log(ratio[ratio > 0]))
    span = float(np.clip(np.exp(np.quantile(known, 0.95)) if known.size else 1.0, 1.25, 4.0))
    scale = LogNorm(1 / span, span)
    return Colouring(ratio, "measured over predicted load", scale, limited=False, palette=style.RATIO)


def _full(values: Floats) -> Normalize:
    known = values[np.isfinite(values)]
    return Normalize(0, float(known.max()) if len(known) and known.max() > 0 else 1.0)
