# SPDX-License-Identifier: LGPL-2.1-or-later
import math
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cuts
import reference
from camtwin_kernels import force
from freecad_camtwin.twin.cut.deflection import Stiffness
from freecad_camtwin.twin.cut.edge import cutter_of
from freecad_camtwin.twin.cut.engagement import engage
from freecad_camtwin.twin.cut.load import Load, LoadModel, load_of_steps
from freecad_camtwin.twin.cut.milling import Milling, engaged_edges
from freecad_camtwin.twin.cut.reduced import reduce
from freecad_camtwin.twin.job.tool import Shape, Tool
from freecad_camtwin.twin.shop.material import Material, find_material, materials

LINEAR = Material("textbook", ktc=796.0, krc=168.0, kac=222.0, kte=27.7, kre=30.8, kae=1.4)
STEEL = find_material("42CrMo4")
SLOT = (0.0, math.pi)
GROWING = ("q", "h_ex", "h_m", "force", "torque", "torque_mean", "power", "deflection")


def model(tool=None, ends=SLOT, ap=4.0, material=LINEAR, *, plunge=0.0, area=None, stiffness=None, **columns):
    tool = tool or cuts.end_mill()
    cut = cuts.engagement(*ends, ap, plunge=plunge, area=area, radius=tool.dc / 2)
    return LoadModel(cut, cuts.job(tool, **columns), material, stiffness=stiffness)


def one(load):
    """The columns of a load of one step, as numbers."""
    return {field.name: float(getattr(load, field.name)[0]) for field in fields(Load)}


def test_a_slot_has_the_textbooks_mean_forces():
    got = one(model().at())
    fz = 10.0 * 60 / 6000 / 2
    x, y, z = reference.textbook_means(2, 4.0, fz, (796, 168, 222, 27.7, 30.8, 1.4), *SLOT)
    assert got["fz"] == pytest.approx(fz)
    assert got["force_mean"] == pytest.approx(math.hypot(x, y), rel=1e-6)
    assert got["thrust"] == pytest.approx(-z, rel=1e-6)
    assert got["torque_mean"] == pytest.approx(2 * 4 * 5 / (2 * math.pi) * (796 * fz * 2 + 27.7 * math.pi), rel=1e-9)
    assert got["power"] == pytest.approx(got["torque_mean"] * 2 * math.pi * 100 / 1000)
    assert got["h_ex"] == pytest.approx(fz)
    assert got["h_m"] == pytest.approx(2 * fz / math.pi)
    assert got["q"] == pytest.approx(10 * 4 * 10)


@pytest.mark.parametrize("ae", [0.25, 1.0, 4.9, 7.0])
def test_chips_thin_as_the_pass_narrows(ae):
    """h_ex = 2·fz·√(ae/D - (ae/D)²) up to half the diameter, then fz; h_m = fz·(cos φst - cos φex)/(φex - φst)."""
    ends = reference.arc(ae, 10.0, "down")
    got = one(model(ends=ends).at())
    assert got["h_ex"] == pytest.approx(0.05 * (2 * math.sqrt(ae / 10 - (ae / 10) ** 2) if ae < 5 else 1.0))
    assert got["h_m"] == pytest.approx(0.05 * (math.cos(ends[0]) - math.cos(ends[1])) / (ends[1] - ends[0]))


def revolution(material, tool, ends, ap, feed, n_rpm=6000.0):
    """Forces and torque of a step over one revolution, by the sum over small pieces of edge."""
    elements, motion, _ = engaged_edges(cutter_of(tool), cuts.cut(*ends, ap, tool.dc / 2))
    fz = feed * 60 / n_rpm / tool.zefp
    milled = Milling(cutter_of(tool), tool.zefp, material, cuts.cut(*ends, ap, tool.dc / 2))
    ktc, kte = material.coefficients(float(milled.chip_mean[0] * fz))
    krc, kac, kre, kae = material.ratios
    k = (ktc, krc * ktc, kac * ktc, kte, kre * kte, kae * kte)
    return reference.wave(elements[0], motion[0], tool.zefp, fz, k, angles=720, pieces=24)


def test_peaks_meet_a_revolution_summed_over_small_pieces_at_any_feed():
    tool, ends = cuts.end_mill(), reference.arc(3.0, 10.0, "down")
    for material in (LINEAR, STEEL):
        cut = model(tool, ends, material=material)
        for feed in (0.5, 3.0, 10.0, 77.0):
            got, wave = one(cut.at(np.array([feed]))), revolution(material, tool, ends, 4.0, feed)
            assert got["force"] == pytest.approx(np.hypot(wave[:, 0], wave[:, 1]).max(), rel=0.012)
            assert got["torque"] == pytest.approx(wave[:, 3].max(), rel=0.012)
            assert got["torque_mean"] == pytest.approx(wave[:, 3].mean(), rel=0.005)


@given(
    st.floats(0.0, 2.6),
    st.floats(0.2, 1.0),
    st.floats(0.1, 10.0),
    st.sampled_from([LINEAR, STEEL, find_material("MDF"), find_material("6061")]),
    st.sampled_from([Shape.FLAT, Shape.BALL]),
    st.floats(-0.5, 1.0),
)
@settings(max_examples=60, deadline=None)
def test_every_load_grows_with_the_feed_and_no_faster(start, share, ap, material, shape, plunge):
    ends = (start, start + share * (math.pi - start))
    cut = model(cuts.end_mill(shape=shape), ends, ap, material, plunge=plunge)
    feeds = np.geomspace(0.01, 400, 25)
    loads = [one(cut.at(np.array([feed]))) for feed in feeds]
    for name in GROWING:
        values = np.array([each[name] for each in loads])
        assert (np.diff(values) >= -1e-12 * np.abs(values[1:])).all(), name
        assert (np.diff(values / feeds) <= 1e-9 * values[:-1] / feeds[:-1]).all(), name


def test_of_a_kienzle_material_all_forces_are_one_power_of_the_feed():
    cut = model(ends=(0.3, 2.0), material=STEEL)
    at_one, at_two = one(cut.at(np.array([5.0]))), one(cut.at(np.array([10.0])))
    for name in ("force", "force_mean", "torque", "torque_mean", "deflection"):
        assert at_two[name] / at_one[name] == pytest.approx(2 ** (1 - STEEL.mc)), name


def test_kienzle_at_a_chip_of_one_millimetre_is_kc11():
    """Straight tooth, ap = 1 mm; where all chips are h_m thick torque is kc11·h^(1-mc)·R per edge in the cut."""
    narrow = (math.pi / 2 - 0.01, math.pi / 2 + 0.01)
    tool = cuts.end_mill(zefp=1, fha=0.0, dc=10.0)
    got = one(model(tool, narrow, 1.0, STEEL, feed=1.0 * 6000 / 60).at())
    assert got["h_ex"] == pytest.approx(1.0, rel=1e-9)
    assert got["torque"] == pytest.approx(2500 * 1.0 * 5, rel=1e-3)


@pytest.mark.parametrize("material", [LINEAR, STEEL])
def test_power_per_volume_is_the_specific_cutting_force(material):
    got = one(model(ends=(0.2, 1.7), material=material).at())
    ktc, kte = material.coefficients(got["h_m"])
    assert 1000 * got["power"] / got["q"] == pytest.approx(ktc + kte / got["h_m"], rel=1e-9)


def test_slices_do_not_matter_to_a_cylinder():
    tool, ends = cuts.end_mill(), (0.3, 1.9)
    results = [
        one(LoadModel(cuts.engagement(*ends, 6.0, slices=n, radius=5.0), cuts.job(tool), LINEAR).at())
        for n in (1, 3, 8)
    ]
    for name in ("force_mean", "torque_mean", "power", "h_m", "thrust"):
        assert results[0][name] == pytest.approx(results[2][name], rel=1e-9)
        assert results[0][name] == pytest.approx(results[1][name], rel=1e-9)


def test_the_slices_of_a_ball_converge():
    """Mean forces of a ball in a slot: four slices within 2 % of sixty-four, eight within 1 %."""

    def ball(slices):
        cut = cuts.engagement(*SLOT, 2.0, slices=slices, area=1.0)
        return one(LoadModel(cut, cuts.job(cuts.end_mill(shape=Shape.BALL)), LINEAR).at())

    fine, rough, fair = ball(64), ball(4), ball(8)
    for name in ("force_mean", "h_m"):
        assert rough[name] == pytest.approx(fine[name], rel=0.02)
        assert fair[name] == pytest.approx(fine[name], rel=0.01)


def test_the_edge_of_a_ball_is_an_arc():
    """Zero feed leaves edge forces: in a slot the mean of the torque is N/2π·kte·π·∫ r ds, s along the arc."""
    cut = cuts.engagement(*SLOT, 5.0, slices=64, area=0.0)
    got = one(LoadModel(cut, cuts.job(cuts.end_mill(shape=Shape.BALL)), LINEAR).at(np.array([0.0])))
    assert got["torque_mean"] == pytest.approx(2 / 2 * 27.7 * 25.0, rel=2e-3)  # ∫ R sin κ · R dκ = R²


@pytest.mark.parametrize(("sig_deg", "tip"), [(90.0, None), (60.0, 1.0)])
def test_a_v_bit_cuts_chips_thinner_by_its_angle(sig_deg, tip):
    tool = cuts.end_mill(shape=Shape.CHAMFER, sig=math.radians(sig_deg), tip_dc=tip)
    got = one(model(tool, SLOT, 2.0, area=2.0 * 2.0).at())
    assert got["h_ex"] == pytest.approx(got["fz"] * math.cos(math.radians(sig_deg / 2)))


@pytest.mark.parametrize(
    "tool", [cuts.end_mill(), cuts.end_mill(shape=Shape.BULL, re=1.0), cuts.end_mill(shape=Shape.BALL)]
)
def test_a_plunge_costs_what_its_volume_costs(tool):
    """Full section, straight down: torque is ktc·A·f/2π and edges over the whole face; no force in the plane."""
    got = one(model(tool, (0.0, 2 * math.pi), 5.0, plunge=1.0, area=25 * math.pi).at())
    shear = 796 * 25 * math.pi * got["fz"] * 2 / (2 * math.pi)
    face = 2 * 27.7 * {Shape.FLAT: 12.5, Shape.BULL: 8 + 4 * math.pi / 2 + 1, Shape.BALL: 25}[tool.shape]
    assert got["torque_mean"] == pytest.approx(shear + face, rel=0.03)
    assert got["torque"] == pytest.approx(got["torque_mean"], rel=1e-6)
    assert got["force"] == pytest.approx(0, abs=1e-6)
    assert got["thrust"] > 0


def test_a_ramp_lies_between_slot_and_plunge():
    tool = cuts.end_mill()
    slopes = [0.0, 0.02, 0.1, 0.3, 0.6]
    # A slot 2 mm deep on a slope: its side D·ap, and its floor a disc.
    loads = [
        one(model(tool, SLOT, 2.0, plunge=p, area=20 * math.sqrt(1 - p * p) + 25 * math.pi * p).at()) for p in slopes
    ]
    thrusts, forces = [each["thrust"] for each in loads], [each["force"] for each in loads]
    assert loads[1]["torque"] > loads[0]["torque"]
    assert thrusts == sorted(thrusts)
    assert forces[4] < forces[0]
    assert loads[2]["force"] == pytest.approx(loads[0]["force"], rel=0.02)


def test_a_rising_ramp_does_not_cut_with_its_floor():
    down, up = (one(model(plunge=p, area=40.0).at()) for p in (0.3, -0.3))
    assert up["torque_mean"] < down["torque_mean"]
    assert up["thrust"] < down["thrust"]


def test_peaks_between_rungs_lie_within_half_a_percent_above():
    """For every measured set: the table's peak against the kernel at that very feed."""
    for material in materials().values():
        if material.is_kienzle:
            continue
        for ends in (SLOT, reference.arc(3.0, 10.0, "up"), reference.arc(1.0, 10.0, "down")):
            cut = Milling(cutter_of(cuts.end_mill()), 2, material, cuts.cut(*ends, 4.0, 5.0))
            for rung in cut.rungs[1:-1]:
                fz = np.array([1.41 * rung])
                weights = np.array([[[material.ktc * fz[0], material.kte]]])
                exact, twist = np.empty((1, 1)), np.empty((1, 1))
                elements, motion, _ = engaged_edges(cutter_of(cuts.end_mill()), cuts.cut(*ends, 4.0, 5.0))
                ratios, bins = np.array(material.ratios), np.empty((90, 6))
                force.peaks(elements, motion, 2.0, ratios, weights, bins, exact, twist)
                assert 1 - 1e-9 <= cut.peak_force(fz)[0] / exact[0, 0] <= 1.005
                assert cut.peak_torque(fz)[0] == pytest.approx(twist[0, 0], rel=1e-3)


def test_air_costs_nothing():
    got = one(model(ends=(0.0, 0.0), ap=1.0, area=0.0).at())
    assert [got[name] for name in GROWING] == [0.0] * len(GROWING)


@pytest.mark.parametrize(
    ("change", "word", "known"),
    [
        ({"tool": cuts.end_mill(zefp=None)}, "number of flutes", {"q"}),
        ({"n_rpm": math.nan}, "spindle speed", {"q"}),
        ({"n_rpm": 0.0}, "spindle speed", {"q"}),
        ({"material": None}, "material", {"q", "fz", "h_ex", "h_m"}),
        ({"feed": math.nan}, "feed", set()),
        ({"tool": cuts.end_mill(shape=None)}, "tool shape", {"q", "fz"}),
        ({"tool": cuts.end_mill(shape=Shape.BULL)}, "corner radius", {"q", "fz"}),
    ],
)
def test_what_is_unknown_is_nan_and_named(change, word, known):
    cut = model(**change)
    got = one(cut.at())
    assert word in cut.unknown[0]
    quantities = set(got) - {"feed"}
    assert {name for name in quantities if not math.isnan(got[name])} == known


@pytest.mark.parametrize(
    ("change", "word"), [({"lpr": None}, "protruding length"), ({"material": None}, "tool material")]
)
def test_an_unknown_tool_bends_unknown(change, word):
    cut = model(cuts.end_mill(**change))
    got = one(cut.at())
    assert cut.unknown == ((word,),)
    assert math.isnan(got["deflection"])
    assert got["force"] > 0
    told = model(cuts.end_mill(**change), stiffness=Stiffness(stickout=40.0, modulus=600e3))
    assert told.unknown == ((),)
    assert one(told.at())["deflection"] == pytest.approx(one(model().at())["deflection"])


def test_a_soft_spindle_adds_its_own_yield():
    stiff, soft = one(model().at()), one(model(stiffness=Stiffness(holder=2e4, spindle=1e4)).at())
    assert soft["deflection"] - stiff["deflection"] == pytest.approx(stiff["force"] * (1 / 2e4 + 1 / 1e4))


def test_high_speed_steel_bends_more_than_carbide():
    hss = one(model(cuts.end_mill(material="HSS")).at())
    assert hss["deflection"] / one(model().at())["deflection"] == pytest.approx(600 / 210)


def drill(**change):
    tool = Tool(**({"dc": 10.0, "shape": Shape.DRILL, "zefp": 2, "sig": math.radians(118)} | change))
    return tool, (0.0, 2 * math.pi), 5.0


def test_a_drill_in_a_material_without_factor_goes_by_kc():
    titanium = find_material("Ti6Al4V")
    got = one(model(*drill(), titanium, plunge=1.0, area=25 * math.pi).at())
    h = got["fz"] * math.sin(math.radians(59))
    assert got["h_ex"] == pytest.approx(h)
    assert got["torque"] == pytest.approx(1450 * h**-0.225 * got["fz"] * 2 * 100 / 8)
    assert got["force"] == got["deflection"] == 0


def test_a_drill_whose_lips_are_unknown_still_has_the_makers_torque():
    known, unknown = (model(*drill(zefp=z), STEEL, plunge=1.0, area=25 * math.pi) for z in (2, None))
    assert one(unknown.at())["torque"] == one(known.at())["torque"]
    assert known.unknown == ((),)
    assert unknown.unknown == (("number of flutes",),)
    assert math.isnan(one(unknown.at())["h_ex"])
    bare = model(*drill(zefp=None, sig=None), find_material("POM"), plunge=1.0, area=25 * math.pi)
    assert bare.unknown == (("number of flutes", "point angle"),)
    assert math.isnan(one(bare.at())["torque"])


def test_a_drill_that_moves_sideways_is_not_understood():
    cut = model(*drill(), STEEL, plunge=0.0, area=10.0)
    assert cut.unknown == (("drill moving sideways",),)
    assert math.isnan(one(cut.at())["torque"])


def test_the_geometry_factor_is_known_without_material_speed_or_flutes():
    cut = model(cuts.end_mill(zefp=None), reference.arc(1.0, 10.0, "up"), material=None, n_rpm=math.nan)
    assert cut.thickness[0] == pytest.approx(0.6)
    assert cut.area[0] == pytest.approx(4.0)


def test_steps_of_several_tools_find_their_own_tool():
    small, large = cuts.end_mill(dc=4.0), cuts.end_mill(dc=10.0, zefp=4)
    tools = np.array([0, 1, 0, 1])
    job = replace(cuts.job(small, moves=4, tool=tools), tools=(small, large))
    cut = cuts.engagement(np.zeros(4), np.full(4, 1.5), np.full(4, 2.0), area=3.0)
    both = LoadModel(cut, job, LINEAR).at()
    alone = load_of_steps(cut, replace(job, tools=(large, large)), LINEAR)
    np.testing.assert_array_equal(both.force[tools == 1], alone.force[tools == 1])
    assert (both.force[tools == 0] != alone.force[tools == 0]).all()


@pytest.mark.parametrize("ae", [10.0, 5.0, 2.0])
def test_a_simulated_pass_loads_the_tool_as_its_closed_form(ae):
    """A straight pass with the block on its left, through the engagement kernel: all within 1.5 %."""
    tool = cuts.end_mill()
    y = 20.0 if ae == 10.0 else ae - 5.0
    job = cuts.job(tool, [(-10, y, 7), (70, y, 7)], stock=cuts.box())
    simulated, _ = engage(job, cell=0.05)
    middle = (simulated.start[:, 0] > 15) & (simulated.start[:, 0] < 45)
    got = LoadModel(simulated, job, LINEAR).at()
    exact = one(model(tool, reference.arc(ae, 10.0, "up"), 3.0).at())
    for name, tolerance in (("force_mean", 0.015), ("power", 0.01), ("q", 0.01), ("force", 0.015), ("h_ex", 0.01)):
        assert getattr(got, name)[middle].mean() == pytest.approx(exact[name], rel=tolerance), name


@pytest.mark.parametrize(
    ("tool", "tolerance"),
    [
        (cuts.end_mill(), 1e-5),
        (cuts.end_mill(shape=Shape.BULL, re=1.0), 0.005),
        (cuts.end_mill(shape=Shape.BALL), 0.005),
        (cuts.end_mill(shape=Shape.CHAMFER, sig=math.radians(90)), 0.005),
    ],
)
def test_the_reduced_order_model_gives_the_same_mean_forces(tool, tolerance):
    """Two programs, one engagement: the integrals that travel with a package, and the kernel behind the load.

    Of a curved edge the former takes the lean at mid slice, the latter the exact length: 3 % apart in the torque of a
    ball in four slices, and the less the more slices there are.
    """
    job = cuts.job(tool, [(-10, -1, 6), (70, -1, 6)], stock=cuts.box())
    simulated, _ = engage(job, cell=0.1, slices=16)
    middle = (simulated.start[:, 0] > 15) & (simulated.start[:, 0] < 45)
    matrix, got = reduce(simulated, job), LoadModel(simulated, job, LINEAR).at()
    shear, edge = matrix[:, :, :3] @ [796.0, 168.0, 222.0], matrix[:, :, 3:] @ [27.7, 30.8, 1.4]
    x, y, axial, torque = 2 * (got.fz[:, None] * shear + edge)[middle].T
    scale = np.hypot(x, y)
    np.testing.assert_allclose(got.force_mean[middle], scale, rtol=tolerance)
    np.testing.assert_allclose(-got.thrust[middle], axial, atol=1.5 * tolerance * scale.max())
    np.testing.assert_allclose(got.torque_mean[middle], torque, rtol=max(tolerance, 1e-3))
