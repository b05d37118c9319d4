# SPDX-License-Identifier: LGPL-2.1-or-later
"""The height field is cut as a dense row of stamps would cut it, and every quantum of it is accounted for."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from camtwin_kernels import jit
from freecad_camtwin.twin.cut.engagement import engage
from freecad_camtwin.twin.cut.height_field import QUANTUM, HeightField
from freecad_camtwin.twin.cut.reduced import reduce
from freecad_camtwin.twin.job.job import Stock
from freecad_camtwin.twin.job.tool import Shape, Tool
from reference_engagement import heights, job, mean_forces, stamped, toolpath

#: A quarter circle of 2 mm, hollow, which leaves a round edge; and an S, both in straight pieces.
ROUND_OVER = tuple((3.0 - 2.0 * math.cos(a), 2.0 * math.sin(a)) for a in np.linspace(0, math.pi / 2, 4).tolist())
OGEE = tuple((r, 1.0 - math.cos(r * math.pi / 3)) for r in np.linspace(0, 3, 5).tolist())

TOOLS = {
    "flat": Tool(6.0, Shape.FLAT),
    "ball": Tool(6.0, Shape.BALL),
    "bull": Tool(6.0, Shape.BULL, re=1.0),
    "bull with a small corner": Tool(6.0, Shape.BULL, re=0.3),
    "wide bull": Tool(12.0, Shape.BULL, re=2.0),
    "cone": Tool(6.0, Shape.CHAMFER, sig=1.0),
    "cone with a flat tip": Tool(6.0, Shape.CHAMFER, sig=1.5, tip_dc=1.0),
    "drill": Tool(6.0, Shape.DRILL, sig=2.0),
    "round-over": Tool(None, Shape.PROFILE, profile=((0.5, 0.0), *ROUND_OVER)),
    "step drill": Tool(None, Shape.PROFILE, profile=((0.0, 0.0), (1.5, 0.9), (1.5, 2.0), (2.2, 2.0), (3.0, 2.5))),
    "ogee": Tool(6.0, Shape.PROFILE, profile=OGEE),
}
SMALL = Stock((0.0, 0.0, -6.0), (16.0, 16.0, 0.0))
PLUNGE = [(8.0, 8.0, 1.0), (8.0, 8.0, -1.0)]  # so that no path misses the stock
few = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("name", TOOLS)
@pytest.mark.parametrize("slope", [0.0, 0.02, -0.1, 0.5, -1.0])
def test_a_stroke_leaves_what_a_dense_row_of_stamps_leaves(name: str, slope: float) -> None:
    start = np.array([7.0, 7.0, -2.5 - min(slope, 0) * 0.4])
    end = start + np.array([1.6 * math.cos(0.7), 1.6 * math.sin(0.7), 1.6 * slope])
    field = HeightField.of(SMALL, 0.2)
    _, left = engage(job(toolpath([start, end]), TOOLS[name]), stock=field)
    expected = stamped(field, TOOLS[name], start, end, 601)
    # Of two stamps 2.7 µm apart the lower one is up to slope · 2.7 µm above the truth.
    np.testing.assert_allclose(heights(left), expected, atol=0.005)


points = st.tuples(*[st.floats(-4.0, 20.0)] * 2, st.floats(-7.0, 1.0))


@few
@given(name=st.sampled_from(sorted(TOOLS)), path=st.lists(points, min_size=2, max_size=6), slices=st.integers(1, 4))
def test_the_volume_of_the_steps_is_what_the_stock_lost(name: str, path: list[list[float]], slices: int) -> None:
    field = HeightField.of(SMALL, 0.25)
    engagement, left = engage(job(toolpath([*PLUNGE, *path]), TOOLS[name]), stock=field, slices=slices)
    quanta = engagement.volume / (QUANTUM * 0.25**2)
    assert (quanta == np.rint(quanta)).all()
    assert int(np.rint(quanta).astype(np.int64).sum()) == field.quanta - left.quanta
    assert (left.height <= field.height).all()
    assert left.height.min() >= 0


@few
@given(name=st.sampled_from(sorted(TOOLS)), path=st.lists(points, min_size=2, max_size=6))
def test_threads_change_nothing(name: str, path: list[list[float]]) -> None:
    work = job(toolpath([*PLUNGE, *path]), TOOLS[name], stock=SMALL)
    alone, left_alone = engage(work, cell=0.25)
    shared, left_shared = engage(work, cell=0.25, threads=3)
    assert (left_alone.height == left_shared.height).all()
    for column in ("volume", "ap", "ae", "phi_st", "phi_ex", "slice_ap", "slice_phi_st", "slice_phi_ex"):
        np.testing.assert_array_equal(getattr(alone, column), getattr(shared, column))


@few
@given(path=st.lists(points, min_size=3, max_size=6), name=st.sampled_from(sorted(TOOLS)))
def test_a_path_cut_in_two_calls_leaves_what_one_call_leaves(path: list[list[float]], name: str) -> None:
    whole, left = engage(job(toolpath([*PLUNGE, *path, *PLUNGE[::-1]]), TOOLS[name], stock=SMALL), cell=0.25)
    first, state = engage(job(toolpath([*PLUNGE, *path[:2]]), TOOLS[name], stock=SMALL), cell=0.25)
    second, state = engage(job(toolpath([*path[1:], *PLUNGE[::-1]]), TOOLS[name], stock=SMALL), stock=state)
    # Each call may leave shavings that the other takes: up to 2 µm of a bull nose, else a few quanta.
    np.testing.assert_allclose(heights(state), heights(left), atol=0.004 if "bull" in name else 0.0003)
    both = np.concatenate([first.volume, second.volume])
    np.testing.assert_allclose(both, whole.volume, rtol=1e-3, atol=0.3)


@pytest.mark.parametrize("name", ["flat", "ball", "bull", "cone"])
@pytest.mark.parametrize("kappa_height", [0.2, 0.9])
def test_the_reduced_matrix_gives_the_mean_forces_of_a_numerical_integration(name: str, kappa_height: float) -> None:
    tool = TOOLS[name]
    path = toolpath([(-5, 20, -kappa_height), (65, 20, -kappa_height)])
    work = job(path, tool)
    engagement, _ = engage(work, cell=0.2, slices=1)
    step = engagement.steps // 2
    corner = {"flat": 0.0, "ball": 3.0, "bull": 1.0, "cone": 0.0}[name]
    k = (700.0, 200.0, 150.0, 12.0, 9.0, 2.0)
    columns = (engagement.slice_phi_st, engagement.slice_phi_ex, engagement.slice_ap, engagement.slice_z)
    st_, ex, ap, z = (float(c[step, 0]) for c in columns)
    low = max(z - ap / 2, 0.0)
    radius = 3.0
    if corner:
        radius = 3.0 - corner + math.sqrt(min(z, corner) * (2 * corner - min(z, corner)))
    if name == "cone":
        radius = z * math.tan(0.5)
    expected = np.zeros(4)
    thin = 2000
    for height in low + ap * (np.arange(thin) + 0.5) / thin:  # of a rounding, each thin slice leans otherwise
        kappa = math.pi / 2 - 0.5 if name == "cone" else math.pi / 2
        if corner:
            kappa = math.acos(1 - min(height, corner) / corner)
        expected += mean_forces(st_, ex, ap / thin, kappa, radius, 0.05, k)
    matrix = reduce(engagement, work)[step].astype(float)
    np.testing.assert_allclose(0.05 * matrix[:, :3] @ k[:3] + matrix[:, 3:] @ k[3:], expected, rtol=5e-3, atol=2e-2)


def test_the_cache_is_another_one_for_other_sources() -> None:
    assert jit._key().startswith("numba")
    assert jit._key() in jit.CACHE_FOLDER
