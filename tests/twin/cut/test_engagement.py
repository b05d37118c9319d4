# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cuts whose engagement is known in closed form, and jobs that cannot be cut."""

import math
from dataclasses import replace

import numpy as np
import pytest

from freecad_camtwin.errors import StockError, ToolError
from freecad_camtwin.twin.cut.engagement import Engagement, default_cell, engage
from freecad_camtwin.twin.cut.height_field import TALLEST, HeightField, memory_estimate
from freecad_camtwin.twin.job.job import Stock
from freecad_camtwin.twin.job.tool import Shape, Tool
from freecad_camtwin.twin.job.toolpath import EventKind, MoveKind, PathEvent
from reference_engagement import job, toolpath

FLAT, BALL = Tool(6.0, Shape.FLAT), Tool(6.0, Shape.BALL)
NAN3 = [math.nan] * 3


def inside(engagement: Engagement, low: float, high: float) -> np.ndarray:
    """Steps that lie between two x, clear of the stock's ends."""
    x = engagement.start[:, 0]
    return np.flatnonzero((x > low) & (x < high))


@pytest.mark.parametrize(
    ("ae", "to_the_right"), [(6.0, True), (3.0, True), (3.0, False), (0.6, True), (0.6, False), (0.3, True)]
)
def test_a_straight_pass_has_the_textbook_angles(ae: float, to_the_right: bool) -> None:
    # Material lies below y = 40; going to +x it is on the right: down milling.
    y = 40.0 + 3.0 - ae
    ends = [(-10.0, y, -2.0), (70.0, y, -2.0)]
    engagement, _ = engage(job(toolpath(ends if to_the_right else ends[::-1])), cell=0.1)
    steps = inside(engagement, 10, 50)
    arc = math.acos(1 - ae / 3)
    expected = (math.pi - arc, math.pi) if to_the_right else (0.0, arc)
    assert np.abs(engagement.phi_st[steps] - expected[0]).mean() < math.radians(2)
    assert np.abs(engagement.phi_ex[steps] - expected[1]).mean() < math.radians(2)
    np.testing.assert_allclose(engagement.ap[steps], 2.0, atol=1e-4)
    assert engagement.ae[steps].mean() == pytest.approx(ae, rel=0.02)
    assert engagement.volume[steps].sum() == pytest.approx(ae * 2.0 * engagement.length[steps].sum(), rel=0.02)


@pytest.mark.parametrize(("concave", "ae"), [(True, 0.8), (False, 0.8)])
def test_an_arc_pass_engages_more_inside_a_corner_and_less_outside(concave: bool, ae: float) -> None:
    # Earlier wall at rho0 + R - ae about the centre (concave), or at rho0 - R + ae (convex).
    rho0, radius, centre = 9.0, 3.0, np.array([20.0, 20.0])
    stock = Stock((0.0, 0.0, -5.0), (40.0, 40.0, 0.0))
    field = HeightField.of(stock, 0.1)
    for row in range(field.rows):
        x, y = field.samples(row)
        rho = np.hypot(x - centre[0], y - centre[1])
        wall = rho0 + radius - ae if concave else rho0 - radius + ae
        is_gone = rho < wall if concave else rho > wall
        field.height[row * field.columns : (row + 1) * field.columns][is_gone] = 0
    path = toolpath(
        [(20 + rho0, 20, -2), (20 - rho0, 20, -2)],
        kind=[MoveKind.ARC],
        centre=[[20, 20, -2]],
        sweep=[math.pi],
    )
    engagement, _ = engage(job(path, stock=stock), stock=field)
    steps = inside(engagement, 14, 26)
    # facts: cos φ = ((ρ0 ± (R - ae))² - ρ0² - R²) / (2 ρ0 R); counter-clockwise, so outside is on the right.
    sign = 1 if concave else -1
    cosine = ((rho0 + sign * (radius - ae)) ** 2 - rho0**2 - radius**2) / (2 * rho0 * radius)
    arc = math.acos(sign * cosine)
    found = engagement.phi_ex[steps] - engagement.phi_st[steps]
    assert np.mean(found) == pytest.approx(arc, abs=math.radians(2.5))
    straight = math.acos(1 - ae / radius)
    assert np.mean(found) > straight if concave else np.mean(found) < straight


def test_a_ball_slot_has_the_section_of_a_circle() -> None:
    engagement, _ = engage(job(toolpath([(-10, 20.03, -1), (70, 20.03, -1)]), BALL), cell=0.1)
    steps = inside(engagement, 10, 50)
    area = 9 * math.acos(2 / 3) - 2 * math.sqrt(5)
    per_length = engagement.volume[steps].sum() / engagement.length[steps].sum()
    assert per_length == pytest.approx(area, rel=2e-3)
    half = np.sqrt(6 * engagement.slice_z[steps] - engagement.slice_z[steps] ** 2)
    is_in = engagement.slice_ap[steps] > 0
    assert is_in.any()
    np.testing.assert_allclose(engagement.slice_phi_ex[steps][is_in], math.pi, atol=0.25)
    slices = engagement.slice_ap[steps] * 2 * half
    np.testing.assert_allclose(slices.sum(axis=1).mean(), area, rtol=0.02)


def test_slices_of_stepped_stock_have_their_own_angles() -> None:
    stock = Stock((0.0, 0.0, -6.0), (40.0, 20.0, 0.0))
    field = HeightField.of(stock, 0.1)
    for row in range(field.rows):
        _, y = field.samples(row)
        tiles = field.height[row * field.columns : (row + 1) * field.columns]
        tiles[y < 10] //= 2
    engagement, _ = engage(job(toolpath([(-5, 10, -5), (45, 10, -5)]), stock=stock), stock=field, slices=2)
    steps = inside(engagement, 8, 32)
    # Below z = -3 a slot, above it material on the left only; the slices meet at z = -2.5.
    lower, upper = (np.degrees(engagement.slice_phi_ex[steps, k]).mean() for k in (0, 1))
    assert lower == pytest.approx(180, abs=1)
    assert upper == pytest.approx(90, abs=3)
    taken = engagement.slice_ap * 3 * (np.cos(engagement.slice_phi_st) - np.cos(engagement.slice_phi_ex))
    np.testing.assert_allclose((taken.sum(axis=1) * engagement.length)[steps], engagement.volume[steps], rtol=1e-5)


def test_a_plunge_takes_the_cutters_own_volume_all_around() -> None:
    engagement, _ = engage(job(toolpath([(30.02, 20.01, 5), (30.02, 20.01, -4)])), cell=0.05)
    assert engagement.removed_volume == pytest.approx(math.pi * 9 * 4, rel=2e-3)
    cutting = engagement.volume > 0
    np.testing.assert_allclose(engagement.plunge, 1.0)
    assert (engagement.phi_st[cutting] == 0).all()
    assert (engagement.phi_ex[cutting] == 2 * math.pi).all()
    np.testing.assert_allclose(engagement.ap[cutting][1:], engagement.length[cutting][1:], atol=1e-3)
    np.testing.assert_allclose(engagement.ae[cutting], 6.0, rtol=3e-3)


def test_a_drill_leaves_its_cone() -> None:
    tool = Tool(6.0, Shape.DRILL, sig=math.radians(118))
    engagement, _ = engage(job(toolpath([(30, 20, 5), (30, 20, -6)]), tool), cell=0.05)
    cone = 3 / math.tan(math.radians(59))
    assert engagement.removed_volume == pytest.approx(math.pi * 9 * (6 - cone + cone / 3), rel=2e-3)


def test_a_helix_bores_its_cylinder_as_one_arc_move() -> None:
    turns = 3.25
    angle = 2 * math.pi * turns
    end = (30 + 2 * math.cos(angle), 20 + 2 * math.sin(angle), -4)
    path = toolpath(
        [(32, 20, 0.0), end, (30 - 2, 20, -4)],
        kind=[MoveKind.ARC, MoveKind.ARC],
        centre=[[30, 20, 0.0], [30, 20, -4]],
        sweep=[angle, 2 * math.pi + math.pi / 2],
    )
    engagement, left = engage(job(path), cell=0.1)
    assert engagement.removed_volume == pytest.approx(math.pi * 25 * 4, rel=2e-3)
    assert (np.bincount(engagement.move) > 20).all()
    assert left.volume + engagement.removed_volume == pytest.approx(60 * 40 * 10, rel=1e-9)


@pytest.mark.parametrize(("plane", "height"), [(1, -8.0), (2, -8.0)])
def test_an_upright_arc_dips_to_its_lowest_point(plane: int, height: float) -> None:
    # A half circle of radius 6 below z = -2 in ZX (from -x to +x) or YZ.
    ends = [(24, 20, -2), (36, 20, -2)] if plane == 1 else [(30, 14, -2), (30, 26, -2)]
    path = toolpath(
        ends,
        kind=[MoveKind.ARC],
        centre=[[30, 20, -2]],
        plane=[plane],
        sweep=[-math.pi if plane == 1 else math.pi],
    )
    engagement, left = engage(job(path, BALL), cell=0.1)
    assert engagement.end[:, 2].min() == pytest.approx(height, abs=0.05)
    assert float(np.nanmin(left.grid())) == pytest.approx(height, abs=0.01)


def test_a_rapid_through_material_is_reported_with_its_move_and_one_above_it_has_no_steps() -> None:
    path = toolpath(
        [(-10, 20, 5), (10, 20, 5), (10, 20, -2), (50, 20, -2)],
        kind=[MoveKind.RAPID, MoveKind.LINE, MoveKind.RAPID],
    )
    engagement, _ = engage(job(path), cell=0.2)
    assert [move for move, _ in engagement.rapid_contacts] == [2]
    assert engagement.rapid_contacts[0][1] == pytest.approx(6 * 2 * 40, rel=0.02)
    assert set(engagement.move) == {1, 2}
    assert any("rapid" in warning for warning in engagement.warnings)


def test_air_costs_nothing_and_every_feed_move_has_a_step() -> None:
    path = toolpath([(0, 0, 5), (60, 40, 5), (60, 40, -1), (60.01, 40, -1), (60.01, 40.0, 5)])
    engagement, _ = engage(job(path), cell=0.2)
    assert set(engagement.move) == {0, 1, 2, 3}
    air = engagement.move == 0
    for column in ("volume", "ap", "ae", "phi_st", "phi_ex"):
        assert (getattr(engagement, column)[air] == 0).all()


def test_two_tools_cut_one_after_the_other() -> None:
    path = toolpath([(-10, 20, -2), (70, 20, -2), (30, 20, 5), (30, 20, -6)], tool=[0, 0, 1])
    engagement, _ = engage(job(path, FLAT, Tool(3.0, Shape.DRILL, sig=2.0)), cell=0.1)
    assert engagement.volume[engagement.move == 0].sum() == pytest.approx(6 * 2 * 60, rel=5e-3)
    assert 0 < engagement.volume[engagement.move == 2].sum() < math.pi * 1.5**2 * 4


def test_nothing_is_cut_below_the_underside() -> None:
    engagement, left = engage(job(toolpath([(-10, 20, -12), (70, 20, -12)])), cell=0.2)
    assert engagement.removed_volume == pytest.approx(6 * 10 * 60, rel=5e-3)
    assert np.isnan(left.grid()).any()


def test_stock_of_three_kinds_has_its_volume() -> None:
    box = HeightField.of(Stock((0, 0, -5), (20, 10, 0)), 0.1)
    assert box.volume == pytest.approx(1000, rel=1e-9)
    cylinder = HeightField.of(Stock((0, 0, -5), (20, 20, 0), kind="cylinder"), 0.1)
    assert cylinder.volume == pytest.approx(math.pi * 100 * 5, rel=1e-3)
    top = [[0, 0, -2], [20, 0, 0], [20, 10, 0]], [[0, 0, -2], [20, 10, 0], [0, 10, -2]]
    wedge = Stock((0, 0, -5), (20, 10, 0), kind="solid", triangles=np.array(top, float))
    assert HeightField.of(wedge, 0.1).volume == pytest.approx(20 * 10 * 4, rel=1e-3)


def test_a_cell_too_fine_for_the_memory_is_refused_with_the_estimate_before_it_is_taken() -> None:
    stock = Stock((0, 0, -50), (500, 500, 0))
    estimate = memory_estimate(500, 500, 0.05)
    assert 390e6 < estimate < 450e6
    with pytest.raises(StockError, match=rf"takes {estimate / 1e6:.0f} MB and 300 MB may be used"):
        HeightField.of(stock, 0.05, memory_limit=300_000_000)


def test_stock_as_tall_as_can_be_is_taken_and_taller_one_is_refused() -> None:
    def stock(tall: float) -> Stock:
        return Stock((0.0, 0.0, 0.0), (10.0, 10.0, tall))

    field = HeightField.of(stock(TALLEST), cell=1.0)
    assert field.volume == pytest.approx(100.0 * TALLEST, rel=1e-6)
    with pytest.raises(StockError, match="more than the 1000 mm"):
        HeightField.of(stock(TALLEST + 0.1), cell=1.0)


def test_the_default_cell_follows_the_smallest_cutter_and_the_stock() -> None:
    assert default_cell(job(toolpath([(0, 0, 0), (1, 0, 0)]))) == pytest.approx(0.1)
    large = Stock((0, 0, -50), (1200, 1200, 0))
    assert default_cell(job(toolpath([(0, 0, 0), (1, 0, 0)]), stock=large)) == pytest.approx(0.3)


def test_progress_ends_at_one() -> None:
    seen: list[float] = []
    engage(job(toolpath([(-10, 20, -2), (70, 20, -2)])), cell=0.2, progress=seen.append)
    assert seen[-1] == 1.0


@pytest.mark.parametrize(
    ("tool", "sentence"),
    [
        (Tool(None, Shape.FLAT, number=3), "T3 has no diameter"),
        (Tool(6.0, None, label="Cherry", shape_name="lollipop"), "Cherry is a lollipop, which cannot be simulated"),
        (Tool(6.0, Shape.BULL, label="Bull"), "Bull is a bull nose without a corner radius"),
        (Tool(6.0, Shape.CHAMFER, label="V"), "V is a pointed tool without a point angle"),
    ],
)
def test_a_tool_that_cannot_be_simulated_is_refused_by_name(tool: Tool, sentence: str) -> None:
    with pytest.raises(ToolError, match=sentence):
        engage(job(toolpath([(-10, 20, -2), (70, 20, -2)]), tool), cell=0.2)


def test_a_move_without_a_tool_is_refused() -> None:
    with pytest.raises(ToolError, match="cuts without a tool"):
        engage(job(toolpath([(-10, 20, -2), (70, 20, -2)], tool=[-1])), cell=0.2)


def test_a_path_that_misses_the_stock_is_refused() -> None:
    with pytest.raises(StockError, match="the path misses the stock"):
        engage(job(toolpath([(100, 100, -2), (170, 100, -2)])), cell=0.2)


def test_a_job_without_stock_is_refused() -> None:
    with pytest.raises(StockError, match="has no stock"):
        engage(replace(job(toolpath([(0, 0, 0), (1, 0, 0)])), stock=None))


def test_moves_shorter_than_the_cells_still_have_the_textbook_angles() -> None:
    x = np.arange(-10, 70, 0.15)
    points = np.stack([x, np.full_like(x, 42.4), np.full_like(x, -2.0)], axis=1)
    engagement, _ = engage(job(toolpath(points)), cell=0.1)
    steps = inside(engagement, 10, 50)
    assert len(steps) > 250
    error = engagement.phi_st[steps] - (math.pi - math.acos(1 - 0.6 / 3))
    assert np.quantile(np.abs(error), 0.95) < math.radians(2.5)


def test_a_left_turning_spindle_is_warned_of() -> None:
    path = toolpath([(-10, 20, -2), (70, 20, -2)], events=(PathEvent(0, EventKind.SPINDLE, -8000.0),))
    engagement, _ = engage(job(path), cell=0.2)
    assert any("M4" in warning for warning in engagement.warnings)
