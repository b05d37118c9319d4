# SPDX-License-Identifier: LGPL-2.1-or-later
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from camtwin_kernels import force

#: ktc, krc, kac [MPa], kte, kre, kae [N/mm] of an aluminium 7050 set that textbooks use as an example.
K = (796.0, 168.0, 222.0, 27.7, 30.8, 1.4)


def ratios_of(k):
    return np.array([k[1] / k[0], k[2] / k[0], k[4] / k[3], k[5] / k[3]])


def cylinder(ap, phi_st, phi_ex, *, slices=4, dc=20.0, helix_deg=30.0):
    """The elements of a flat end mill, shape (slices, 8)."""
    lag = math.tan(math.radians(helix_deg)) / (dc / 2)
    rows = np.zeros((slices, force.COLUMNS))
    rows[:, [force.HEIGHT, force.LENGTH]] = ap / slices
    rows[:, force.RADIUS] = dc / 2
    rows[:, force.PHI_ST], rows[:, force.PHI_EX] = phi_st, phi_ex
    rows[:, force.LAG_LOW] = lag * ap * np.arange(slices) / slices
    rows[:, force.LAG_HIGH] = rows[:, force.LAG_LOW] + max(lag * ap / slices, force.LEAST_LAG)
    return rows


def means(elements, fz, k=K, teeth=4, motion=(1.0, 0.0)):
    """Mean forces by the kernel, shape (4,)."""
    shear, edge = np.empty((1, 4)), np.empty((1, 4))
    force.mean_forces(elements[None], np.array([motion]), float(teeth), ratios_of(k), shear, edge)
    return k[0] * fz * shear[0] + k[3] * edge[0]


def peak(elements, fz, k=K, teeth=4, motion=(1.0, 0.0), angles=60):
    """Peak force and torque by the kernel."""
    out, twist = np.empty((1, 1)), np.empty((1, 1))
    weights, bins = np.array([[[k[0] * fz, k[3]]]]), np.empty((angles, 6))
    force.peaks(elements[None], np.array([motion]), float(teeth), ratios_of(k), weights, bins, out, twist)
    return out[0, 0], twist[0, 0]


@st.composite
def rows(draw):
    """Any few elements: heights, widths, curved edges, arcs, helix."""
    count = draw(st.integers(1, 4))
    number = st.floats(0.0, 1.0)
    elements = np.zeros((count, force.COLUMNS))
    lag, rate = 0.0, draw(st.floats(0.0, 0.3))
    for e in elements:
        e[force.HEIGHT], e[force.WIDTH] = 0.05 + 3 * draw(number), 2 * draw(number)
        e[force.LENGTH] = math.hypot(e[force.HEIGHT], e[force.WIDTH]) * (1 + 0.1 * draw(number))
        e[force.RADIUS] = 1 + 5 * draw(number)
        e[force.PHI_ST] = 2.5 * draw(number)
        e[force.PHI_EX] = e[force.PHI_ST] + 0.1 + (math.pi - 0.1 - e[force.PHI_ST]) * draw(number)
        e[force.LAG_LOW] = lag
        lag += max(rate * e[force.HEIGHT], force.LEAST_LAG)
        e[force.LAG_HIGH] = lag
    return elements


@given(rows(), st.floats(0.005, 0.3), st.integers(1, 6), st.floats(0.0, 0.9))
@settings(max_examples=60, deadline=None)
def test_mean_forces_are_what_small_pieces_of_edge_sum_up_to(elements, fz, teeth, plunge):
    motion = (math.sqrt(1 - plunge**2), plunge)
    slow = reference.mean_forces(elements, motion, teeth, fz, K)
    np.testing.assert_allclose(means(elements, fz, K, teeth, motion), slow, rtol=1e-6, atol=1e-4)


@given(rows(), st.floats(0.01, 0.3), st.integers(1, 6))
@settings(max_examples=12, deadline=None)
def test_peaks_are_the_largest_of_what_small_pieces_sum_up_to_at_the_same_angles(elements, fz, teeth):
    angles = math.ceil(180 / teeth)
    turn = getattr(force._worst_angle, "py_func", force._worst_angle)(elements)
    wave = reference.wave(elements, (1.0, 0.0), teeth, fz, K, teeth * angles, 1200, turn)
    largest, twist = peak(elements, fz, K, teeth, angles=angles)
    assert largest == pytest.approx(np.hypot(wave[:, 0], wave[:, 1]).max(), rel=0.01)
    assert twist == pytest.approx(wave[:, 3].max(), rel=0.01)


@pytest.mark.parametrize("helix_deg", [0.0, 10.0, 30.0, 45.0])
@pytest.mark.parametrize("ends", [(0.0, math.pi), (0.0, 0.6), (math.pi - 0.6, math.pi), (0.8, 2.0)])
@pytest.mark.parametrize("teeth", [1, 2, 3, 4])
def test_peaks_of_cylinders_are_met_within_two_percent(ends, helix_deg, teeth):
    elements = cylinder(4.0, *ends, dc=10.0, helix_deg=helix_deg)
    wave = reference.wave(elements, (1.0, 0.0), teeth, 0.1, K, angles=1440, pieces=60)
    largest, twist = peak(elements, 0.1, K, teeth, angles=max(60, math.ceil(180 / teeth)))
    assert largest == pytest.approx(np.hypot(wave[:, 0], wave[:, 1]).max(), rel=0.02)
    assert twist == pytest.approx(wave[:, 3].max(), rel=0.02)


@pytest.mark.parametrize("helix_deg", [0.0, 30.0, 55.0])
@pytest.mark.parametrize("slices", [1, 4, 7])
@pytest.mark.parametrize("ends", [(0.0, math.pi), (0.0, math.pi / 2), (math.pi / 2, math.pi), (2.1, 2.8)])
def test_slices_sum_to_the_textbook_means_whatever_the_helix(ends, slices, helix_deg):
    got = means(cylinder(5.0, *ends, slices=slices, helix_deg=helix_deg), 0.1)
    np.testing.assert_allclose(got[:3], reference.textbook_means(4, 5.0, 0.1, K, *ends), rtol=1e-6)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ((0.0, math.pi), (-280.0789, 574.3437, 155.3296, 7837.493)),
        ((0.0, math.pi / 2), (-354.8986, 162.3944, 77.6648, 3918.747)),
        ((math.pi / 2, math.pi), (74.8197, 411.9493, 77.6648, 3918.747)),
        ((math.pi - math.acos(0.5), math.pi), (105.9327, 226.8535, 39.9991, 2190.207)),
    ],
)
def test_the_worked_example_of_slot_half_and_quarter_immersion(ends, expected):
    """N = 4, a = 5, fz = 0.1, D = 20: closed forms, once also summed over 400 slices and 3600 angles."""
    np.testing.assert_allclose(means(cylinder(5.0, *ends), 0.1), expected, atol=1e-3)


def test_slot_means_have_their_short_form():
    """Fx = -N·a/4·krc·fz - N·a/π·kre, Fy = N·a/4·ktc·fz + N·a/π·kte, Fz = N·a/π·kac·fz + N·a/2·kae."""
    ktc, krc, kac, kte, kre, kae = K
    x, y, z = -20 / 4 * krc * 0.1 - 20 / math.pi * kre, 20 / 4 * ktc * 0.1 + 20 / math.pi * kte, 0.0
    z = 20 / math.pi * kac * 0.1 + 20 / 2 * kae
    np.testing.assert_allclose(means(cylinder(5.0, 0, math.pi), 0.1)[:3], (x, y, z), rtol=1e-12)


def test_power_is_ktc_times_removal_rate_plus_kte_times_swept_edge():
    ends, ap, fz, n = (0.4, 1.9), 5.0, 0.1, 100.0
    torque = means(cylinder(ap, *ends), fz)[3]
    rate = 10 * ap * (math.cos(ends[0]) - math.cos(ends[1])) * fz * 4 * n
    swept = 4 * ap * 10 * (ends[1] - ends[0]) * n
    assert torque * 2 * math.pi * n == pytest.approx(K[0] * rate + K[3] * swept, rel=1e-12)


def test_up_and_down_milling_take_the_same_torque_and_pull():
    up, down = means(cylinder(5.0, 0.0, 1.2), 0.1), means(cylinder(5.0, math.pi - 1.2, math.pi), 0.1)
    assert up[2:] == pytest.approx(down[2:], rel=1e-12)
    assert not np.allclose(up[:2], down[:2])


@pytest.mark.parametrize("ends", [(0.0, math.pi), (math.pi - math.acos(0.5), math.pi)])
def test_a_depth_of_one_helix_pitch_makes_the_force_constant(ends):
    """When ap = 2πR/(N·tan β) every angle of the arc carries edge at every moment: 27.2070 mm here."""
    ap = 2 * math.pi * 10 / (4 * math.tan(math.radians(30)))
    assert ap == pytest.approx(27.2070, abs=1e-4)
    elements = cylinder(ap, *ends)
    mean, (largest, twist) = means(elements, 0.1), peak(elements, 0.1)
    assert largest == pytest.approx(math.hypot(*mean[:2]), rel=1e-9)
    assert twist == pytest.approx(mean[3], rel=1e-9)


@pytest.mark.parametrize(("ends", "ripple"), [((0.0, math.pi), 0.1065), ((math.pi - math.acos(0.5), math.pi), 1.409)])
def test_half_that_depth_has_a_known_ripple(ends, ripple):
    """(largest - least)/mean of the torque, computed once by an independent program."""
    elements = cylinder(math.pi * 10 / (4 * math.tan(math.radians(30))), *ends)
    wave = reference.wave(elements, (1.0, 0.0), 4, 0.1, K)
    assert np.ptp(wave[:, 3]) / wave[:, 3].mean() == pytest.approx(ripple, rel=0.01)
    largest, twist = peak(elements, 0.1)
    assert twist == pytest.approx(wave[:, 3].max(), rel=1.2e-2)
    assert largest == pytest.approx(np.hypot(wave[:, 0], wave[:, 1]).max(), rel=1.2e-2)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_straight_teeth_peak_where_the_chip_is_thickest(direction):
    """One straight tooth in the cut at a time: the largest force is that of the thickest chip."""
    ends = reference.arc(2.0, 20.0, direction)
    h = 0.1 * math.sin(ends[1] if direction == "up" else ends[0])
    ft, fr = K[0] * h + K[3], K[1] * h + K[4]
    got = peak(cylinder(5.0, *ends, helix_deg=0.0), 0.1)
    assert got[0] == pytest.approx(5 * math.hypot(ft, fr), rel=1e-3)
    assert got[1] == pytest.approx(5 * 10 * ft, rel=1e-3)


def test_force_is_proportional_to_depth_and_air_costs_nothing():
    one, two = means(cylinder(2.0, 0.3, 1.4), 0.1), means(cylinder(4.0, 0.3, 1.4), 0.1)
    np.testing.assert_allclose(two, 2 * one)
    assert not means(cylinder(0.0, 0.3, 1.4), 0.1).any()
    assert not means(cylinder(2.0, 1.4, 1.4), 0.1).any()
    assert peak(cylinder(2.0, 1.4, 1.4), 0.1) == (0.0, 0.0)


def test_a_rising_flat_tool_that_advances_across_no_edge_feels_nothing():
    assert not means(cylinder(2.0, 0.0, 2 * math.pi), 0.1, motion=(0.0, 1.0)).any()
