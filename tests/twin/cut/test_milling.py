# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever the cut, more feed never pulls less: a planner could else make a step lighter by going faster."""

import math

import numpy as np
import pytest

import cuts
from freecad_camtwin.twin.cut import edge
from freecad_camtwin.twin.cut.milling import CutSlices, Milling
from freecad_camtwin.twin.shop.material import Material, materials

FEEDS = np.concatenate([[0.0], np.geomspace(1e-4, 1.0, 200)])


def of_slices(*slices, radius=3.0):
    """One horizontal step whose slices lie on each other; each (phi_st, phi_ex, ap)."""
    st, ex, ap = np.array(slices, float).T[:, None]
    area = (ap * radius * (np.cos(st) - np.cos(ex))).sum(axis=1)
    return CutSlices(area, np.zeros(1), np.cumsum(ap, axis=1) - ap / 2, ap, st, ex)


def loads(material, cut, *, flutes=4, helix=0.0):
    """Peak force and torque and mean torque at ``FEEDS``."""
    tool = edge.cutter_of(cuts.end_mill(dc=6.0, zefp=flutes, fha=helix))
    milling = Milling(tool, flutes, material, cut)
    each = np.array([(milling.peak_force(fz)[0], milling.peak_torque(fz)[0], milling.mean(fz)[0, 3])
                     for fz in FEEDS[:, None]])  # fmt: skip
    return each.T


def test_the_peak_force_never_falls_where_edge_and_shear_pull_apart():
    """Of two teeth a quarter turn apart, one rubs and one cuts: the cut's pull takes some of the rubbing's away."""
    rubs = Material("worn", ktc=1000.0, kte=20.0, krc=100.0, kac=100.0, kre=40.0, kae=2.0)
    cut = of_slices((0.0, 0.1, 10.0), (math.pi / 2, math.pi / 2 + 0.1, 2.0))
    for series in loads(rubs, cut):
        assert (np.diff(series) >= -1e-9 * series.max()).all()


@pytest.mark.parametrize("material", ["6061", "Ti6Al4V", "C45"])
@pytest.mark.parametrize("seed", range(6))
def test_loads_never_fall_with_the_feed(material, seed):
    chance = np.random.default_rng(seed)
    ends = np.sort(chance.uniform(0, math.pi, (3, 2)), axis=1)
    cut = of_slices(*((st, ex, ap) for (st, ex), ap in zip(ends, chance.uniform(0.2, 6.0, 3), strict=True)))
    for series in loads(materials()[material], cut, flutes=int(chance.integers(1, 6)), helix=chance.uniform(0, 0.8)):
        assert (np.diff(series) >= -1e-9 * series.max()).all()
