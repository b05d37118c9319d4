# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rule from a load to a color, for report and window: quantity, scale and palette."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from matplotlib.colors import Colormap, LogNorm, Normalize, TwoSlopeNorm

from freecad_camtwin.report import style
from freecad_camtwin.twin.analysis.analysis import Analysis
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.base.words import LOAD_QUANTITIES
from freecad_camtwin.twin.runs.along_path import Comparison

#: Measured load → its name in a picture.
MEASURED = {
    "power": "spindle power", "torque": "spindle torque", "spindle_load": "spindle load", "current": "spindle current",
    "force": "cutting force", "load_x": "load of X", "load_y": "load of Y", "load_z": "load of Z",
    "vibration": "vibration",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Coloring:
    """One value per step, with its scale and palette."""

    values: Floats  #: (steps,)
    label: str
    scale: Normalize
    limited: bool  #: whether the scale has a limit, at 100 %: values above it have other colors
    palette: Colormap = field(default_factory=lambda: style.LOAD)

    @property
    def extend(self) -> Literal["max", "both", "neither"]:
        """The ends of the scale that values may exceed."""
        if self.palette is style.RATIO:
            return "both"
        return "max" if self.limited else "neither"

    @property
    def rgba(self) -> Floats:
        """The color of every step, 0 to 1, shape (steps, 4)."""
        return np.asarray(self.palette(self.scale(np.ma.masked_invalid(self.values))))


#: Load from which the colors above the limit begin, and load from which the color no longer changes [%].
_LIMIT, _FAR_ABOVE = 100.1, 300.0


def by_load(analysis: Analysis) -> Coloring:
    """Color by load over limit; without a limit by power, and without power by removal rate."""
    ratio = analysis.worst_ratio
    if np.isfinite(ratio).any():
        scale = TwoSlopeNorm(_LIMIT, 0.0, _FAR_ABOVE)
        return Coloring(100 * ratio, "load, % of its limit", scale, limited=True, palette=style.LIMITED)
    power = analysis.load.power
    if np.isfinite(power).any():
        _, name, unit = LOAD_QUANTITIES["power"]
        return Coloring(power, f"{name}, {unit} (no limit is known)", _full(power), limited=False)
    rate = np.asarray(analysis.load.q)
    return Coloring(rate, "material removal rate, mm³/s (the load is unknown)", _full(rate), limited=False)


def by_measured(comparison: Comparison) -> Coloring:
    """Color by the measured load of a run; see ``by_values``."""
    load = comparison.load
    label = f"measured {MEASURED[load.name]}, {load.unit}" if load is not None else "no load was measured"
    return by_values(comparison.measured, label)


def by_values(values: Floats, label: str) -> Coloring:
    """Color by values without a limit; 99 % of them lie on the scale, so that a spike does not hide the others."""
    known = values[np.isfinite(values)]
    top = max(float(np.quantile(known, 0.99)) if known.size else 1.0, 0.0)
    return Coloring(np.clip(values, 0.0, top), label, Normalize(0, top or 1.0), limited=False)


def by_ratio(comparison: Comparison) -> Coloring:
    """Color by measured over predicted load: white is 1; the scale covers 95 % of the steps, at most 1/4 … 4."""
    ratio = comparison.ratio
    known = np.abs(np.log(ratio[ratio > 0]))
    span = float(np.clip(np.exp(np.quantile(known, 0.95)) if known.size else 1.0, 1.25, 4.0))
    scale = LogNorm(1 / span, span)
    return Coloring(ratio, "measured over predicted load", scale, limited=False, palette=style.RATIO)


def _full(values: Floats) -> Normalize:
    known = values[np.isfinite(values)]
    return Normalize(0, float(known.max()) if len(known) and known.max() > 0 else 1.0)
