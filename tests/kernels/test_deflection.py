# SPDX-License-Identifier: LGPL-2.1-or-later
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from camtwin_kernels import deflection

E = 600e3


def compliance(at, length, flutes, d1, d2, modulus=E):
    out = np.empty(1)
    deflection.cantilever_compliance(np.array([at]), length, flutes, d1, d2, modulus, out)
    return out[0]


@given(st.floats(0.05, 1.0), st.floats(10, 100), st.floats(0.0, 1.0), st.floats(2, 20), st.floats(1.0, 2.0))
def test_a_stepped_bar_bends_as_the_integral_of_its_curvature_says(at, length, fluted, d1, thicker):
    slow = reference.bent_tip(1.0, at * length, length, fluted * length, d1, thicker * d1, E)
    assert compliance(at * length, length, fluted * length, d1, thicker * d1) == pytest.approx(slow, rel=1e-3)


def test_a_uniform_bar_bends_by_the_textbook():
    """δ = F·a²·(3L - a)/(6EI) at the tip for a load at a."""
    i = math.pi * 10**4 / 64
    assert compliance(30.0, 50.0, 22.0, 10.0, 10.0) == pytest.approx(30**2 * (150 - 30) / (6 * E * i), rel=1e-12)


def test_a_load_at_the_tip_gives_the_two_step_formula():
    """δ = F/3E·[L1³/I1 + (L³ - L1³)/I2]."""
    i1, i2 = math.pi * 8**4 / 64, math.pi * 10**4 / 64
    two_step = (22**3 / i1 + (50**3 - 22**3) / i2) / (3 * E)
    assert compliance(50.0, 50.0, 22.0, 8.0, 10.0) == pytest.approx(two_step, rel=1e-12)
    assert 100 * two_step == pytest.approx(0.0159, abs=5e-5)


@pytest.mark.parametrize(("teeth", "microns"), [(4, 16.6), (3, 15.8), (2, 15.5)])
def test_the_cantilever_agrees_with_the_fit_to_finite_elements(teeth, microns):
    """D = 10, L1 = 22, L = 50 mm, 100 N, 600 GPa; constants of Kivanç and Budak."""
    fit = reference.fitted_deflection(100.0, 50.0, 22.0, 10.0, 10.0, E, teeth)
    assert 1000 * fit == pytest.approx(microns, abs=0.05)
    bar = 100 * compliance(50.0, 50.0, 22.0, deflection.FLUTE_SHARE * 10, 10.0)
    assert bar == pytest.approx(fit, rel=0.05)
