# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cutting tool, in the terms of ISO 13399."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

from freecad_camtwin.errors import ToolError

#: A cutter's outline: (radius, height above the tip) [mm] from the axis outwards.
Profile = tuple[tuple[float, float], ...]


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
    """One cutting tool. Unknown values are None; impossible values raise ToolError.

    ``shape`` is None if the source names an unknown shape; ``shape_name`` keeps the source's word for it.
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
    material: str | None = None  #: "HSS", "Carbide", as in the source
    profile: Profile = ()  #: (radius, height above tip) [mm] from the axis outwards

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

        if self.shape is Shape.PROFILE and self.profile:
            self._check_profile(name)

    def _check_profile(self, name: str) -> None:
        """Check that the profile is as wide as the tool's diameter; without a diameter, take it from the profile."""
        if not all(math.isfinite(value) and value >= 0 for point in self.profile for value in point):
            raise ToolError(f"{name} has a profile with a radius or a height that is no length of 0 mm or more")
        widest = max(radius for radius, _ in self.profile)
        if widest <= 0:
            raise ToolError(f"{name} has a profile without a radius above 0 mm")
        if self.dc is None:
            object.__setattr__(self, "dc", 2 * widest)
        elif abs(self.dc - 2 * widest) > 0.01:
            raise ToolError(f"{name} is {self.dc:g} mm wide, but its profile {2 * widest:g} mm: give them one diameter")

    @property
    def name(self) -> str:
        """The name of the tool in a sentence."""
        return self.label or (f"T{self.number}" if self.number is not None else "the tool")


def undercut(profile: Profile) -> str:
    """Return where an outline turns back, else "": a height field cannot store what such a tool cuts below itself."""
    for (r0, h0), (r1, h1) in pairwise(profile):
        if r1 < r0:
            return f"its radius shrinks from {r0:g} to {r1:g} mm above {h0:g} mm, so it cuts below material that stays"
        if h1 < h0:
            return f"its profile goes down from {h0:g} to {h1:g} mm beyond a radius of {r0:g} mm, so its tip is a ring"
    return ""


def read_profile(text: str, number: Callable[[str], float] = float) -> Profile:
    """Read ``"0:0 3:0 5:2.5"``: radius and height above the tip of each point, from the axis outwards, blanks between.

    Raises ValueError if it is not a profile; ``number`` reads one length [mm].
    """
    points = [point.split(":") for point in text.split()]
    if len(points) < 2 or any(len(point) != 2 for point in points):
        raise ValueError(f"'{text}' is no profile: give two points or more as radius:height, as in '0:0 3:0 5:2.5'")
    return tuple((number(radius), number(height)) for radius, height in points)


def tapered_ball(tip: float, angle: float, top: float | None, height: float | None, pieces: int = 12) -> Profile:
    """Return the profile of a ball of diameter ``tip`` and a cone, up to the diameter ``top`` or to ``height`` [mm].

    angle: between the cone's sides [rad]. The ball's straight pieces lie at most tip/2·(1 - cos(π/4/pieces)) inside it.
    """
    ball, lean = tip / 2, angle / 2
    turns = [(math.pi / 2 - lean) * n / pieces for n in range(pieces + 1)]
    points = [(ball * math.sin(turn), ball * (1 - math.cos(turn))) for turn in turns]
    radius, rise = points[-1]
    grown = math.tan(lean) * max((height or math.inf) - rise, 0.0)
    widest = min(max(top / 2, radius) if top else math.inf, radius + grown)
    if math.isfinite(widest) and widest > radius:
        points.append((widest, rise + (widest - radius) / math.tan(lean)))
    return tuple(points)
