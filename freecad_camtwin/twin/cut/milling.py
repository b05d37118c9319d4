# SPDX-License-Identifier: LGPL-2.1-or-later
"""The steps of one milling tool: geometry is computed once, so the load at another feed is a weighted sum."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from camtwin_kernels import force
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.cut.edge import Cutter
from freecad_camtwin.twin.shop.material import Material

#: Least number of angles of a revolution at which the peak is searched.
ANGLES = 180
#: Least number of angles of one tooth pitch at which it is searched.
ANGLES_OF_PITCH = 60
#: A tool that descends by less than this share of its motion does not cut with the flat of its tip.
LEAST_PLUNGE = 0.01
#: Feeds per tooth at which peaks are tabulated, in units of kte/ktc, where edge and shear force are equal. Peaks are
#: convex in fz: between the rungs the chord lies above them, by less than 0.5 % for any set in the materials table.
LADDER = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


@dataclass(frozen=True, slots=True)
class CutSlices:
    """The engagement of some steps of one tool: arrays (steps,) and (steps, slices)."""

    area: Floats  #: removed volume per length of path [mm²]
    plunge: Floats  #: axial share of the motion, downwards > 0
    slice_z: Floats  #: mid height of a slice above the tip [mm]
    slice_ap: Floats  #: [mm]
    slice_phi_st: Floats  #: [rad]
    slice_phi_ex: Floats  #: [rad]


class Milling:
    """Forces of one milling tool in one material: ``s·shear + e·edge``, s and e powers of the feed per tooth."""

    def __init__(self, cutter: Cutter, teeth: int, material: Material, cut: CutSlices) -> None:
        elements, motion, share = engaged_edges(cutter, cut)
        ratios = np.array(material.ratios)
        self.shear, self.edge = np.empty((len(elements), 4)), np.empty((len(elements), 4))
        force.mean_forces(elements, motion, float(teeth), ratios, self.shear, self.edge)
        self.chip_max, self.chip_mean = _chips(cutter, elements, motion, share)
        self._weigh(material)
        self._tabulate(elements, motion, teeth, ratios)
        self._add_floor(cutter.floor, teeth, share, share * motion[:, 1], ratios)
        # The angles summarize a step, but its volume is exact: the torque is computed from the volume.
        self.shear[:, 3] = cut.area * teeth / (2 * math.pi)

    def _weigh(self, material: Material) -> None:
        """Weights s = shear_weight·fz^powers[0] and e = edge_weight·fz^powers[1].

        Kienzle's curve is replaced by its tangent at the mean chip thickness c·fz of each step, which makes both a
        constant times fz^(1-mc): the whole load is exactly a power of the feed.
        """
        chip = np.where(self.chip_mean > 0, self.chip_mean, 1.0)
        self.shear_weight, self.edge_weight = material.coefficients(chip)
        if material.is_kienzle:
            power = 1 - (material.mc or 0.0)
            self.powers, self.rungs = (power, power), np.ones(1)
            return
        ktc, kte = material.ktc or math.nan, material.kte or 0.0
        self.powers, self.rungs = (1.0, 0.0 if kte else 1.0), np.array(LADDER) * kte / ktc if kte else np.ones(1)

    def _tabulate(self, elements: Floats, motion: Floats, teeth: int, ratios: Floats) -> None:
        shape = (len(self.shear), len(self.rungs))
        weights = np.empty((*shape, 2))
        weights[..., 0] = self.shear_weight[:, None] * self.rungs ** self.powers[0]
        weights[..., 1] = self.edge_weight[:, None] * self.rungs ** self.powers[1]
        bins = np.empty((max(ANGLES_OF_PITCH, math.ceil(ANGLES / teeth)), 6))
        self._force, self._torque = np.empty(shape), np.empty(shape)
        force.peaks(elements, motion, float(teeth), ratios, weights, bins, self._force, self._torque)
        np.maximum.accumulate(self._force, axis=1, out=self._force)

    def _add_floor(self, radius: float, teeth: int, share: Floats, down: Floats, ratios: Floats) -> None:
        """Add the tip's flat, which cuts all around, fz·cv deep: forces in the plane cancel, torque and thrust stay."""
        for basis, amount, normal in ((self.shear, down, ratios[0]), (self.edge, share, ratios[2])):
            basis[:, 2] -= normal * teeth * radius * amount
            basis[:, 3] += teeth * radius**2 / 2 * amount
        twist = teeth * radius**2 / 2
        self._torque += twist * (self.shear_weight * down)[:, None] * self.rungs ** self.powers[0]
        self._torque += twist * (self.edge_weight * share)[:, None] * self.rungs ** self.powers[1]

    def loads(self, fz: Floats, _fn: Floats) -> Iterator[tuple[str, Floats]]:
        """Yield the loads of every step at a feed per tooth [mm]; see ``load.ForceModel``."""
        mean = self.mean(fz)
        yield from (("h_ex", self.chip_max * fz), ("h_m", self.chip_mean * fz))
        yield from (("force", self.peak_force(fz)), ("torque", self.peak_torque(fz)))
        yield from (("force_mean", np.hypot(mean[:, 0], mean[:, 1])), ("torque_mean", mean[:, 3]))
        yield "thrust", -mean[:, 2]

    def mean(self, fz: Floats) -> Floats:
        """Mean force in x, y and pull [N], and torque [N·mm], (steps, 4)."""
        s = self.shear_weight * fz ** self.powers[0]
        e = self.edge_weight * fz ** self.powers[1]
        return np.asarray(s[:, None] * self.shear + e[:, None] * self.edge)

    def peak_force(self, fz: Floats) -> Floats:
        """Largest resultant in the working plane over a revolution [N], (steps,)."""
        return self._climb(self._force, fz)

    def peak_torque(self, fz: Floats) -> Floats:
        """Largest torque over a revolution [N·mm], (steps,)."""
        return self._climb(self._torque, fz)

    def _climb(self, table: Floats, fz: Floats) -> Floats:
        if len(self.rungs) == 1:
            return np.asarray(table[:, 0] * fz ** self.powers[0])
        rung = np.clip(np.searchsorted(self.rungs, fz, side="right") - 1, 0, len(self.rungs) - 2)
        share = (fz - self.rungs[rung]) / (self.rungs[rung + 1] - self.rungs[rung])
        below, above = (np.take_along_axis(table, (rung + up)[:, None], axis=1)[:, 0] for up in (0, 1))
        return np.asarray(below + share * (above - below))


def engaged_edges(cutter: Cutter, cut: CutSlices) -> tuple[Floats, Floats, Floats]:
    """Elements (steps, slices, 8), motion (steps, 2) and the share of the tip's flat that cuts (steps,)."""
    elements = cutter.elements(cut.slice_z, cut.slice_ap, cut.slice_phi_st, cut.slice_phi_ex)
    motion = _motion(cut.plunge, elements)
    share = _floor_share(cutter, elements, motion, cut.area)
    _share_out(cutter, cut, elements, motion, share)
    return elements, motion, share


def _motion(plunge: Floats, elements: Floats) -> Floats:
    """Horizontal and downward share of the motion, (steps, 2); confines milling to the leading half of the tool.

    Behind the axis a horizontal advance thickens no chip: angles beyond π count only for a plunge. A rising tool cuts
    with its sides alone.
    """
    motion = np.empty((len(plunge), 2))
    motion[:, 0] = np.sqrt(np.maximum(1 - plunge**2, 0.0))
    motion[:, 1] = np.maximum(plunge, 0.0)
    ends = elements[..., force.PHI_EX]
    whole = (ends > math.pi + 1e-9).any(axis=1)
    motion[whole & (motion[:, 0] < 0.5), 0] = 0.0
    ends[motion[:, 0] > 0] = np.minimum(ends[motion[:, 0] > 0], math.pi)
    return motion


def _thickness(elements: Floats, motion: Floats) -> tuple[Floats, Floats, Floats]:
    """h/fz = side·sin φ + end of every element, and the angle it is engaged over (0 where it cuts nothing)."""
    length = np.maximum(elements[..., force.LENGTH], 1e-300)
    side = motion[:, :1] * elements[..., force.HEIGHT] / length
    end = motion[:, 1:] * elements[..., force.WIDTH] / length
    span = np.maximum(elements[..., force.PHI_EX] - elements[..., force.PHI_ST], 0.0)
    return side, end, np.where((side > 0) | (end > 0), span, 0.0)


def _walls(elements: Floats, motion: Floats) -> Floats:
    """Volume per length of path that the edges of the slices remove [mm²], (steps,)."""
    side, end, span = _thickness(elements, motion)
    swept = side * (np.cos(elements[..., force.PHI_ST]) - np.cos(elements[..., force.PHI_EX])) + end * span
    return np.asarray((elements[..., force.RADIUS] * elements[..., force.LENGTH] * swept).sum(axis=1))


def _floor_share(cutter: Cutter, elements: Floats, motion: Floats, area: Floats) -> Floats:
    """Share of the flat of the tip that cuts as the tool descends, (steps,).

    In a plunge it removes the volume that the slices do not. On a ramp it is the part of a disc under the material
    which the leading edge meets over an arc α: (α - sin α·cos α)/π.
    """
    whole = math.pi * cutter.floor**2 * motion[:, 1]
    descends = (motion[:, 1] > LEAST_PLUNGE) & (whole > 0)
    share = np.zeros(len(area))
    plunges = descends & (motion[:, 0] == 0)
    share[plunges] = ((area - _walls(elements, motion)) / np.where(whole > 0, whole, 1.0))[plunges]
    ramps = descends & ~plunges
    arc = _thickness(elements[ramps], motion[ramps])[2].max(axis=1, initial=0.0)
    share[ramps] = np.minimum((arc - np.sin(arc) * np.cos(arc)) / math.pi, area[ramps] / whole[ramps])
    return np.clip(share, 0.0, 1.0)


def _share_out(cutter: Cutter, cut: CutSlices, elements: Floats, motion: Floats, share: Floats) -> None:
    """Lower the slices of a ramp in place until they and the floor remove no more than its volume.

    The dexels count the whole height removed from a column as height of its slice, although sides, rounding and floor
    each removed a part.
    """
    descends = np.flatnonzero(motion[:, 1] > LEAST_PLUNGE)
    z = cut.slice_z[descends]
    st, ex = elements[descends, :, force.PHI_ST], elements[descends, :, force.PHI_EX]
    left = cut.area[descends] - share[descends] * math.pi * cutter.floor**2 * motion[descends, 1]
    ap = np.nan_to_num(cut.slice_ap[descends])
    for _ in range(4):  # volume is almost linear in height: the fourth pass changes less than a hundredth
        walls = _walls(elements[descends], motion[descends])
        ap = ap * np.clip(left / np.where(walls > 0, walls, 1.0), 0.0, 1.0)[:, None]
        elements[descends] = cutter.elements(z, ap, st, ex)


def _chips(cutter: Cutter, elements: Floats, motion: Floats, share: Floats) -> tuple[Floats, Floats]:
    """Largest and mean chip thickness over fz, (steps,); the mean runs over all engaged edge and angle."""
    side, end, span = _thickness(elements, motion)
    st, ex = elements[..., force.PHI_ST], elements[..., force.PHI_EX]
    top = np.where((st <= math.pi / 2) & (ex >= math.pi / 2), 1.0, np.maximum(np.sin(st), np.sin(ex)))
    largest = np.where(span > 0, side * top + end, 0.0).max(axis=1, initial=0.0)
    largest = np.where(share > 0, np.maximum(largest, motion[:, 1]), largest)
    length = elements[..., force.LENGTH]
    flat = 2 * math.pi * cutter.floor * share
    swept = (length * np.where(span > 0, side * (np.cos(st) - np.cos(ex)) + end * span, 0.0)).sum(axis=1)
    engaged = (length * span).sum(axis=1) + flat
    mean = (swept + flat * motion[:, 1]) / np.where(engaged > 0, engaged, 1.0)
    return largest, mean
