# SPDX-License-Identifier: LGPL-2.1-or-later
import math

import numpy as np
import pytest

import reference
import reference_stability as stability


def frf(hertz, natural, stiffness, damping):
    """Compliance of one mode [mm/N]."""
    ratio = hertz / natural
    return 1 / stiffness / (1 - ratio**2 + 2j * damping * ratio)


def factors(phi_st, phi_ex, kr):
    alpha = np.empty((1, 4))
    stability.directional_factors(np.array([phi_st]), np.array([phi_ex]), kr, alpha)
    return alpha[0]


def solve(hertz, gx, gy, alpha, teeth, ktc, lobes=3):
    depth, n_rpm = np.empty((len(hertz), 2)), np.empty((len(hertz), 2, lobes))
    stability.zeroth_order_lobes(2 * math.pi * hertz, gx, gy, alpha, float(teeth), ktc, depth, n_rpm)
    return depth, n_rpm


def test_a_slot_has_known_directional_factors():
    np.testing.assert_allclose(factors(0.0, math.pi, 0.3), math.pi * np.array([-0.3, -1, 1, -0.3]), rtol=1e-12)


def test_with_one_compliant_direction_the_least_depth_is_a_closed_form():
    """8π·k·ζ·(1+ζ)/(N·ktc·|αyy|): the most negative real part of one mode is -1/(4kζ(1+ζ))."""
    hertz = np.linspace(500, 560, 3001)
    k, zeta = 8000.0, 0.02
    gy = frf(hertz, 500.0, k, zeta)
    alpha = factors(0.0, math.pi, 0.3)
    depth, _ = solve(hertz, 0 * gy, gy, alpha, 4, 750.0)
    expected = 8 * math.pi * k * zeta * (1 + zeta) / (4 * 750 * abs(alpha[3]))
    assert np.nanmin(depth) == pytest.approx(expected, rel=1e-4)
    assert np.isnan(depth).sum() >= len(hertz)  # the other root is no depth at all


def test_a_force_that_follows_the_displacement_alone_is_turning():
    """With N·α/4π = -1 the cut is an orthogonal one: b = 2kζ(1+ζ)/Ks."""
    hertz = np.linspace(500, 560, 3001)
    gy = frf(hertz, 500.0, 8000.0, 0.02)
    depth, _ = solve(hertz, 0 * gy, gy, np.array([0.0, 0.0, 0.0, -math.pi]), 4, 750.0)
    assert np.nanmin(depth) == pytest.approx(2 * 8000 * 0.02 * 1.02 / 750, rel=1e-4)


@pytest.mark.parametrize(
    ("ends", "least"), [((0, math.pi), 0.777), ((0, math.pi / 2), 1.087), ((math.pi / 2, math.pi), 3.519)]
)
def test_two_modes_give_the_depths_of_solving_the_quadratic_itself(ends, least):
    """603 and 666 Hz, 3 teeth, ktc 600 MPa, kr 0.07; the least depths once computed on 240 001 frequencies."""
    hertz = np.linspace(600, 760, 161)
    gx, gy = frf(hertz, 603, 5590.0, 0.039), frf(hertz, 666, 5715.0, 0.035)
    alpha = factors(*ends, 0.07)
    depth, _ = solve(hertz, gx, gy, alpha, 3, 600.0)
    slow = reference.lobes(gx, gy, alpha, 3, 600.0)
    np.testing.assert_allclose(np.sort(depth, axis=1), np.sort(slow, axis=1), rtol=1e-9)
    assert np.nanmin(depth) == pytest.approx(least, rel=5e-3)


def test_lobes_obey_the_phase_between_two_waves():
    """On the limit 1 = depth·Ktc·N/4π·|(1 - e^-iωT)·…|: ωT - ε is a whole number of turns, and lobes fall with k."""
    hertz = np.linspace(510, 540, 7)
    gy = frf(hertz, 500.0, 8000.0, 0.02)
    alpha = factors(0.0, math.pi, 0.3)
    depth, n_rpm = solve(hertz, 0 * gy, gy, alpha, 2, 750.0)
    root = int(np.isfinite(depth[0]).argmax())
    for i, f in enumerate(hertz):
        period = 60 / n_rpm[i, root] / 2
        assert (np.diff(n_rpm[i, root]) < 0).all()
        # The loop closes exactly at the limit: 1 + Λ-equation with the delay's own factor.
        delay = 1 - np.exp(-2j * math.pi * f * period)
        np.testing.assert_allclose(depth[i, root] * 750 * 2 / (4 * math.pi) * alpha[3] * gy[i] * delay, 1, rtol=1e-9)


def largest_multiplier(depth_mm, steps):
    phi = np.empty((steps + 2, steps + 2))
    mode = np.array([922 * 2 * math.pi, 0.011, 0.03993])
    stability.transition(
        mode, 2, 5000.0, depth_mm * 1e-3, np.array([0, math.pi]), np.array([6e8, 2e8]), np.empty_like(phi), phi
    )
    return abs(np.linalg.eigvals(phi)).max()


def test_the_map_of_a_tooth_period_is_the_product_of_matrix_exponentials():
    slow = reference.multiplier(922 * 2 * math.pi, 0.011, 0.03993, 2, 5000, 5e-4, (0, math.pi), 6e8, 2e8, 30)
    assert largest_multiplier(0.5, 30) == pytest.approx(slow, rel=1e-9)


@pytest.mark.parametrize(("depth", "expected"), [(0.2, 0.8188), (0.5, 1.0715), (0.7, 1.2181), (1.0, 1.4018)])
def test_the_milling_benchmark_of_insperger_and_stepan(depth, expected):
    """Two teeth, 922 Hz, slot at 5000/min: parameters as published, multipliers of 200 steps computed independently.

    T. Insperger, G. Stépán, semi-discretisation milling benchmark; the literature's own multipliers were not read.
    """
    assert largest_multiplier(depth, 200) == pytest.approx(expected, rel=3e-4)
