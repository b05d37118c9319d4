# SPDX-License-Identifier: LGPL-2.1-or-later
"""The cutting edge of a tool: its radius at a height above the tip, and its length up to that height."""

import math
from dataclasses import dataclass

import numpy as np

from camtwin_kernels import force
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.base.sequences import sums_before
from freecad_camtwin.twin.job.tool import Shape, Tool


@dataclass(frozen=True, slots=True)
class Cutter:
    """A surface of revolution: a flat tip, then a rounding by ``corner`` or a chain of cones, then the wall."""

    floor: float  #: radius of the flat at the tip, whose edges cut when the tool descends [mm]
    corner: float  #: radius of the rounding between floor and wall [mm], else 0
    heights: Floats  #: (points,) of the straight parts, increasing [mm]
    radii: Floats  #: (points,) [mm]
    lag: float  #: by how much the edge trails per height, tan(helix)/R [rad/mm]

    def radius(self, z: Floats) -> Floats:
        """Radius at height ``z`` above the tip [mm], any shape."""
        if self.corner:
            inside = np.minimum(z, self.corner)
            return np.asarray(self.floor + np.sqrt(inside * (2 * self.corner - inside)))
        return np.interp(z, self.heights, self.radii)

    def length(self, z: Floats) -> Floats:
        """Length of the edge's profile from the floor up to height ``z`` [mm], any shape."""
        if self.corner:
            inside = np.minimum(z, self.corner)
            return np.asarray(self.corner * np.arccos(1 - inside / self.corner) + np.maximum(z - self.corner, 0))
        chords = np.hypot(np.diff(self.heights), np.diff(self.radii))
        along = np.interp(z, self.heights, sums_before(chords))
        return np.asarray(along + np.maximum(z - self.heights[-1], 0))

    def elements(self, z: Floats, ap: Floats, phi_st: Floats, phi_ex: Floats) -> Floats:
        """The rows that the force kernels integrate over, shape (steps, slices, ``force.COLUMNS``).

        The length of edge in a slice and its share of height and of growth in radius are exact for any curvature.

        z: mid height of each slice above the tip [mm]; ap: material in it [mm]; all (steps, slices)
        """
        rows = np.zeros((*z.shape, force.COLUMNS))
        height = np.nan_to_num(ap)
        low = np.maximum(np.nan_to_num(z) - height / 2, 0.0)
        high = low + height
        width = np.maximum(self.radius(high) - self.radius(low), 0.0)
        rows[..., force.HEIGHT] = height
        rows[..., force.WIDTH] = width
        rows[..., force.LENGTH] = np.maximum(self.length(high) - self.length(low), np.hypot(height, width))
        # The mean of both ends is right for rings, and near the pole of a ball, where the middle is too far out.
        rows[..., force.RADIUS] = (self.radius(low) + self.radius(high)) / 2
        rows[..., force.PHI_ST] = np.nan_to_num(phi_st)
        rows[..., force.PHI_EX] = np.nan_to_num(phi_ex)
        rows[..., force.LAG_LOW] = self.lag * low
        rows[..., force.LAG_HIGH] = np.maximum(self.lag * high, self.lag * low + force.LEAST_LAG)
        return rows


def missing_for_force(tool: Tool) -> tuple[str, ...]:
    """Return the names of the values that are missing to compute forces."""
    gaps = []
    if tool.shape is None or (tool.shape is Shape.PROFILE and not tool.profile):
        gaps.append("tool shape")
    if tool.dc is None:
        gaps.append("tool diameter")
    if tool.shape is Shape.BULL and tool.re is None:
        gaps.append("corner radius")
    if tool.shape is Shape.CHAMFER and tool.sig is None:
        gaps.append("point angle")
    return tuple(gaps)


def cutter_of(tool: Tool) -> Cutter:
    """Return the edge of a tool whose ``missing_for_force`` is empty. An unknown helix angle is 0: the highest peak."""
    dc = tool.dc or math.nan
    outer = dc / 2
    corner = outer if tool.shape is Shape.BALL else 0.0 if tool.shape is Shape.CHAMFER else tool.re or 0.0
    floor = outer - corner
    points = [(floor, 0.0)]
    if tool.shape in (Shape.CHAMFER, Shape.DRILL) and tool.sig is not None:
        floor = (tool.tip_dc or 0.0) / 2
        points = [(floor, 0.0), (outer, (outer - floor) / math.tan(tool.sig / 2))]
    elif tool.shape is Shape.PROFILE:
        points, corner = _chain(tool.profile), 0.0
        floor = points[0][0]
    radii, heights = np.array(points).T
    return Cutter(floor, corner, heights, radii, math.tan(abs(tool.fha or 0.0)) / outer)


def _chain(profile: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    """The profile from the rim of its flat tip on, above that tip; ledges tilt by 1e-9 mm so that heights increase."""
    tip = min(height for _, height in profile)
    chain: list[tuple[float, float]] = []
    for radius, height in profile:
        above = height - tip
        if chain and above <= chain[-1][1]:
            if len(chain) == 1:
                chain[0] = (radius, 0.0)
                continue
            above = chain[-1][1] + 1e-9
        chain.append((radius, above))
    return chain
