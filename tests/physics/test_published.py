# SPDX-License-Identifier: LGPL-2.1-or-later
"""Answers that somebody printed, against the model as it is used: each test names its print."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

import cuts
import reference
from camtwin_kernels import force
from freecad_camtwin.twin.cut.load import LoadModel
from freecad_camtwin.twin.job.tool import Shape, Tool
from freecad_camtwin.twin.shop.material import Material, find_material, materials
from reference_handbook import Taylor, chip_thinning, merchant, scallop

DATA = Path(__file__).parent.parent / "data" / "physics"


def printed(name):
    """A printed table: key to (x, y) arrays."""
    with (DATA / name).open(newline="") as text:
        header, *rows = csv.reader(text)
    x = np.array(header[1:], float)
    return {row[0]: (x, np.array(row[1:], float)) for row in rows}


def constant_kc(kc):
    return Material("as printed", kc11=kc, mc=0.0)


def face(dc, teeth, ap, ae, feed, n_rpm, material, direction="up", **fields):
    """The load of one straight pass."""
    tool = cuts.end_mill(dc=dc, zefp=teeth, **fields)
    cut = cuts.engagement(*reference.arc(ae, dc, direction), ap, radius=dc / 2)
    return LoadModel(cut, cuts.job(tool, feed=feed, n_rpm=n_rpm), material).at()


def test_power_of_a_face_mill_on_tool_steel():
    """Mitsubishi Materials, "Formula for cutting power", milling: vc 80 m/min, ap 2, ae 80, vf 280 mm/min, D 250,
    12 teeth, kc 1800 MPa, efficiency 0.8: n = 101.91/min (with π = 3.14), fz = 0.228, Pc = 1.68 kW.
    """
    n_rpm = 1000 * 80 / 3.14 / 250
    assert n_rpm == pytest.approx(101.91, rel=1e-4)
    load = face(250.0, 12, 2.0, 80.0, 280 / 60, n_rpm, constant_kc(1800))
    assert load.fz[0] == pytest.approx(0.228, rel=6e-3)  # the print truncates 0.22896
    assert load.power[0] / 0.8 == pytest.approx(1680, rel=1e-9)


def test_power_of_turning_mild_steel():
    """Mitsubishi Materials, turning: vc 120 m/min, ap 3, f 0.2, kc 3100 MPa, efficiency 0.8: 4.65 kW. Power is kc·q."""
    ktc, kte = constant_kc(3100).coefficients(0.2)
    assert ktc * (3 * 0.2 * 120_000 / 60) / 1000 / 0.8 == pytest.approx(4650)
    assert kte == 0


def test_roughness_of_a_turned_face():
    """Mitsubishi Materials, finished surface: f 0.008 in, corner radius 0.031 in: 258 µin (by f²/8r)."""
    assert scallop(0.031, 0.008) * 1e6 == pytest.approx(258, rel=5e-3)


@pytest.mark.parametrize("key", printed("mitsubishi_kc.csv"))
def test_kc_over_feed_as_mitsubishi_prints_it(key):
    """Mitsubishi Materials, milling power page: kc at fz 0.1 … 0.6 mm; our power law within 6 %."""
    fz, kc = printed("mitsubishi_kc.csv")[key]
    material = materials()[key]
    np.testing.assert_allclose(material.kc11 * fz**-material.mc, kc, rtol=0.06)


@pytest.mark.parametrize("key", printed("rohm_kc.csv"))
def test_kienzle_constants_reproduce_rohms_table(key):
    """Röhm manual RN-1391, p. 43: kc over feed at an entering angle of 45°, so h = s·sin 45°; within 3.2 %."""
    s, kc = printed("rohm_kc.csv")[key]
    h = s * math.sin(math.pi / 4)
    curve = np.array([sum(np.multiply(materials()[key].coefficients(float(x)), (1, 1 / x))) for x in h])
    np.testing.assert_allclose(curve, 1000 * kc, rtol=0.032)


def test_42crmo4_at_both_ends_of_rohms_table():
    """4.35 kN/mm² at s = 0.16 and 2.45 at 1.6, within 2 %."""
    for s, kc in ((0.16, 4350), (1.6, 2450)):
        h = s * math.sin(math.pi / 4)
        ktc, kte = find_material("42CrMo4").coefficients(h)
        assert ktc + kte / h == pytest.approx(kc, rel=0.02)


def test_power_of_a_slab_mill_in_a_textbook_of_manufacturing():
    """A. Ghosh, A. K. Mallik, Manufacturing Science, example 4.16: w 20, t 5, f 100 mm/min, N 60, Z 10, D 75,
    uc = 1.4·t^-0.4 J/mm³ at the mean chip 0.043: 817 W. The book's mean is fz·√(t/D), ours the exact one.
    """
    load = face(75.0, 10, 20.0, 5.0, 100 / 60, 60.0, Material("book", kc11=1400.0, mc=0.4))
    assert load.h_m[0] == pytest.approx(0.043, rel=0.012)
    assert load.power[0] == pytest.approx(817, rel=0.012)


def test_merchants_forces_in_the_same_textbook():
    """Ghosh and Mallik, example 4.3: rake 10°, t 0.2, w 2, µ 0.5, τ 400 MPa: 420 N and 125 N, by slide rule."""
    cutting, thrust = merchant(2.0, 0.2, 400.0, math.radians(10), 0.5)
    assert (cutting, thrust) == pytest.approx((420, 125), rel=0.025)


def test_taylors_law_through_two_points():
    """M. P. Groover's tool-life problem: (160 m/min, 5.75 min), (130, 14.25): n 0.22879, C 238.74; 119.1 min at 80."""
    law = Taylor.through((160, 5.75), (130, 14.25))
    assert law.n == pytest.approx(0.22879, rel=1e-4)
    assert law.c == pytest.approx(238.74, rel=1e-4)
    assert law.life(80) == pytest.approx(119.1, rel=2e-3)


def test_chip_thinning_of_a_narrow_pass():
    """The calculator on myshopmetrics.com: D 0.5 in, ae 0.05, chip 0.003 in, 520 sfm, 4 flutes: factor 1.667, 0.00500
    in per tooth, 3973/min, 79.5 in/min. At that feed our thickest chip is the 0.003 in wanted.
    """
    n_rpm = 400 * 1.3 * 12 / (math.pi * 0.5)
    assert n_rpm == pytest.approx(3973, rel=1e-3)
    load = face(12.7, 4, 5.0, 1.27, 79.5 * 25.4 / 60, n_rpm, constant_kc(700), "down")
    assert load.fz[0] / 25.4 == pytest.approx(0.00500, rel=2e-3)
    assert load.h_ex[0] / 25.4 == pytest.approx(0.003, rel=2e-3)
    assert load.fz[0] / load.h_ex[0] == pytest.approx(1.667, rel=1e-3)
    assert chip_thinning(0.5, 0.05) == pytest.approx(1.667, rel=1e-3)


def test_angles_of_a_twenty_percent_immersion():
    """T. L. Schmitz, K. S. Smith, Machining Dynamics, ex. 4.3: down milling starts at 126.8699°, up ends at 53.13°."""
    assert math.degrees(reference.arc(0.2, 1.0, "down")[0]) == pytest.approx(126.869897645844, rel=1e-12)
    assert math.degrees(reference.arc(0.2, 1.0, "up")[1]) == pytest.approx(53.1301, rel=1e-6)


def test_coefficients_from_slots_on_a_dynamometer():
    """Slots, 2 teeth, ap 3 mm: mean normal forces of real recordings (see the data's README) give, by least squares on
    our mean-force integrals, ktc 958.8 MPa and kte 15.75 N/mm, as Ktc = 4·slope/(N·a), Kte = π·intercept/(N·a) do.
    """
    with (DATA / "slot_means.csv").open() as text:
        fz, normal = np.loadtxt(text, delimiter=",", skiprows=1).T
    lag = force.LEAST_LAG
    elements = np.array([[[3.0, 0.0, 3.0, 12.5, 0.0, math.pi, 0.0, lag]]])
    shear, edge = np.empty((1, 4)), np.empty((1, 4))
    force.mean_forces(elements, np.array([[1.0, 0.0]]), 2.0, np.zeros(4), shear, edge)
    basis = np.stack([fz * shear[0, 1], np.full_like(fz, edge[0, 1])], axis=1)
    (ktc, kte), residual, *_ = np.linalg.lstsq(basis, normal, rcond=None)
    assert ktc == pytest.approx(958.8, rel=2e-4)
    assert kte == pytest.approx(15.75, rel=5e-4)
    assert 1 - residual[0] / ((normal - normal.mean()) ** 2).sum() == pytest.approx(0.9967, abs=5e-5)


def test_kienzle_through_a_series_of_turning_tests():
    """github.com/mati-paredes/Turning-Cutting-Forces, Ks/Datos.csv: printed KS0 1609.5, m 0.136, R² 0.932."""
    f, ks = np.array([0.098, 0.176, 0.303, 0.401]), np.array([2169.0, 2108.591, 1877.96, 1809.559])
    slope, intercept = np.polyfit(np.log(f), np.log(ks), 1)
    assert (math.exp(intercept), -slope) == pytest.approx((1609.5, 0.136), rel=2e-3)
    fitted = Material("turned", kc11=1609.5, mc=0.136)
    curve = np.array([sum(np.multiply(fitted.coefficients(x), (1, 1 / x))) for x in f])
    logs = np.log(ks)
    assert 1 - ((logs - np.log(curve)) ** 2).sum() / ((logs - logs.mean()) ** 2).sum() == pytest.approx(0.932, abs=1e-3)


def test_drilling_by_tungaloys_formulas():
    """Tungaloy drilling page L068 prints the formulas and K = 2.22 for S20C. D 10, f 0.2, n 1000: 8.876 N·m, 3222 N;
    the power formula beside them, K·D²·n·(0.647 + 17.29·f)·1e-6 kW, agrees with torque times speed within 2 %.
    """
    drill = Tool(dc=10.0, shape=Shape.DRILL, zefp=2)
    cut = cuts.engagement(0.0, 2 * math.pi, 1.0, plunge=1.0, area=25 * math.pi)
    job = cuts.job(drill, feed=0.2 * 1000 / 60, n_rpm=1000.0)
    load = LoadModel(cut, job, find_material("S20C")).at()
    assert load.torque[0] == pytest.approx(8876, rel=1e-3)
    assert load.thrust[0] == pytest.approx(3222, rel=1e-3)
    assert load.power[0] == pytest.approx(2.22 * 100 * 1000 * (0.647 + 17.29 * 0.2) * 1e-3, rel=0.021)
