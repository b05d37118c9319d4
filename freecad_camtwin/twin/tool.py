# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cutting tool, in the terms of ISO 13399."""

import math
from dataclasses import dataclass
from enum import Enum

from freecad_camtwin.errors import ToolError


class Shape(Enum):
    """The solids of revolution that the engagement kernel cuts with."""

    FLAT = "flat"
    BULL = "bull"
    BALL = "ball"
    CHAMFER = "chamfer"  # V-bits and chamfer mills: a cone, perhaps with a flat tip
    DRILL = "drill"
    PROFILE = "profile"  # anything else whose radius grows from the tip upwards


@dataclass(frozen=True, slots=True)
class Tool:
    """One cutting tool. What its source does not say is None; what cannot be is refused with ToolError.

    ``shape`` is None where the source names a shape that is not known here; ``shape_name`` keeps its word for it.
    """

    dc: float | None  #: cutting diameter DC [mm]
    shape: Shape | None
    number: int | None = None  #: tool number T
    label: str = ""
    shape_name: str = ""  #: the source's own word for the shape
    re: float | None = None  #: corner radius RE [mm]; of a ball dc / 2
    sig: float | None = None  #: full point angle SIG of a drill or cone [rad]
    tip_dc: float | None = None  #: diameter of a cone's flat tip [mm]
    apmx: float | None = None  #: depth of cut maximum APMX [mm]
    zefp: int | None = None  #: peripheral effective cutting edges ZEFP
    fha: float | None = None  #: flute helix angle FHA [rad]
    lpr: float | None = None  #: protruding length LPR, holder to tip [mm]
    dmm: float | None = None  #: shank diameter DMM [mm]
    material: str | None = None  #: "HSS", "Carbide", as the source says
    profile: tuple[tuple[float, float], ...] = ()  #: (radius, height above tip) [mm] from the axis outwards

    def __post_init__(self) -> None:
        name = self.label or f"tool {self.number}"
        for field in ("dc", "apmx", "lpr", "dmm"):
            value = getattr(self, field)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ToolError(f"{name} has {field} = {value:g} mm; give it a length above 0")
        if self.zefp is not None and self.zefp < 1:
            raise ToolError(f"{name} has {self.zefp} cutting edges; give it at least 1")
        if self.re is not None and self.dc is not None and not 0 <= self.re <= self.dc / 2 * (1 + 1e-9):
            raise ToolError(f"{name} has a corner radius of {self.re:g} mm, more than half its diameter {self.dc:g} mm")
        if self.sig is not None and not 0 < self.sig < math.pi:
            raise ToolError(
                f"{name} has a point angle of {math.degrees(self.sig):g}°, which is not between 0° and 180°"
            )

    @property
    def name(self) -> str:
        """What to call it in a sentence."""
        return self.label or (f"T{self.number}" if self.number is not None else "the tool")
