# SPDX-License-Identifier: LGPL-2.1-or-later
"""Torque and thrust of the steps of one drill at any feed."""

import math
from collections.abc import Iterator

import numpy as np

from camtwin_kernels import drilling
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.job.tool import Tool
from freecad_camtwin.twin.shop.material import Material

#: A step whose axial share of motion is less than this is not drilling.
STEEP = 0.95


class Drilling:
    """A drill in one material: the maker's formulas if the material has a factor for them, else kc."""

    def __init__(self, tool: Tool, material: Material, area: Floats, plunge: Floats) -> None:
        self.dc = tool.dc or math.nan
        self.lips = float(tool.zefp or math.nan)
        self.sin_kappa = math.sin(tool.sig / 2) if tool.sig is not None else math.nan
        self.material = material
        # At a hole's rim, in a pilot hole or on retraction the drill cuts less than its whole section.
        share = np.clip(area / (math.pi * self.dc**2 / 4), 0.0, 1.0)
        self.share = np.where((share > 0) & (plunge < STEEP), math.nan, share)
        #: h/fz where the drill cuts: its lips cut a chip of constant thickness
        self.chip_max = np.where(self.share > 0, self.sin_kappa, self.share)

    @staticmethod
    def missing(tool: Tool) -> tuple[str, ...]:
        """Return the names of values missing for the chip; the maker's formulas give torque and thrust without them."""
        gaps = {"number of flutes": tool.zefp, "point angle": tool.sig}
        return tuple(words for words, value in gaps.items() if value is None)

    def loads(self, fz: Floats, fn: Floats) -> Iterator[tuple[str, Floats]]:
        """Yield the loads of every step at a feed per tooth and per revolution [mm]; see ``load.ForceModel``."""
        torque, thrust = self.at(fn)
        yield from (("torque", torque), ("torque_mean", torque), ("thrust", thrust))
        yield from (("h_ex", self.chip_max * fz), ("h_m", self.chip_max * fz))
        yield from (("force", 0.0 * torque), ("force_mean", 0.0 * torque))

    def at(self, fn: Floats) -> tuple[Floats, Floats]:
        """Torque [N·mm] and thrust [N] at ``fn`` mm per revolution, (steps,)."""
        torque, thrust = np.empty_like(fn), np.empty_like(fn)
        material = self.material
        if material.drilling is not None:
            drilling.maker_drilling(fn, self.share, self.dc, material.drilling, torque, thrust)
        else:
            kc = np.array([material.kc11 or material.ktc or math.nan, material.mc or 0.0, material.kte or 0.0])
            drilling.generic_drilling(fn, self.share, self.dc, self.lips, self.sin_kappa, kc, torque, thrust)
        return torque, thrust
