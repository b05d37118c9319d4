# SPDX-License-Identifier: LGPL-2.1-or-later
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from camtwin_kernels import drilling


def by_maker(fn, d=10.0, factor=2.22, share=1.0):
    torque, thrust = np.empty(1), np.empty(1)
    drilling.maker_drilling(np.array([fn]), np.array([share]), d, factor, torque, thrust)
    return torque[0], thrust[0]


def by_kc(fn, d=10.0, lips=2.0, sin_kappa=0.857, kc=(2220.0, 0.14, 0.0), share=1.0):
    torque, thrust = np.empty(1), np.empty(1)
    drilling.generic_drilling(np.array([fn]), np.array([share]), d, lips, sin_kappa, np.array(kc), torque, thrust)
    return torque[0], thrust[0]


@given(st.floats(0.02, 0.6), st.floats(1.0, 30.0))
def test_torque_of_the_generic_form_is_specific_energy_times_volume_per_radian(fn, d):
    """Work per revolution: kc times the volume of a disc fn thick."""
    torque, thrust = by_kc(fn, d)
    kc = 2220 * (fn / 2 * 0.857) ** -0.14
    assert torque * 2 * np.pi == pytest.approx(kc * np.pi * d**2 / 4 * fn)
    assert thrust == pytest.approx(0.5 * kc * d / 2 * fn * 0.857)


@given(st.floats(0.05, 0.5), st.floats(1.01, 2.0))
def test_more_feed_is_more_torque_and_more_thrust(fn, more):
    for law in (by_maker, by_kc):
        assert all(np.greater(law(fn * more), law(fn)))


def test_a_pilot_hole_takes_its_share_away():
    np.testing.assert_allclose(by_maker(0.2, share=0.36), 0.36 * np.array(by_maker(0.2)))
    assert by_kc(0.2, share=0.0) == (0.0, 0.0)


def test_a_linear_edge_material_adds_its_edge_force_to_every_lip():
    with_edge, without = by_kc(0.2, kc=(700.0, 0.0, 10.0)), by_kc(0.2, kc=(700.0, 0.0, 0.0))
    assert with_edge[1] - without[1] == pytest.approx(0.5 * 10 * 2 * 10 / 2)


def test_an_unknown_feed_is_an_unknown_load():
    assert np.isnan(by_maker(np.nan)).all()
    assert np.isnan(by_kc(np.nan)).all()
