# SPDX-License-Identifier: LGPL-2.1-or-later
"""Corner speeds and planner passes against hand-worked cases and laws of motion."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camtwin_kernels import kinematics


def corner_speed(turn_deg, acceleration, deviation, kernel=kinematics.junction_speeds):
    """The speed at one corner that turns by ``turn_deg``, on axes of equal acceleration."""
    turn = math.radians(turn_deg)
    leaving = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    arriving = np.array([[1.0, 0.0, 0.0], [math.cos(turn), math.sin(turn), 0.0]])
    corner = np.empty(3)
    kernel(leaving, arriving, np.full(3, acceleration), deviation, corner)
    return corner[1]


def test_the_corner_rule_is_grbls_own():
    """grbl 1.1 planner.c: v² = a·δ·s/(1-s), s = √((1 - cos θ)/2), worked by hand for a = 500, δ = 0.01.

    The turn of 90° needs both axes in the ratio 1:1, which lets the corner have √2 of one axis' acceleration: grbl
    limits the junction's acceleration by axis, along the change of direction.
    """
    for turn in (30, 45, 60, 90, 120, 150):
        sine = math.sqrt((1 + math.cos(math.radians(turn))) / 2)
        change = np.array([math.cos(math.radians(turn)) - 1, math.sin(math.radians(turn))])
        along = 500 / np.abs(change / np.linalg.norm(change)).max()
        assert corner_speed(turn, 500.0, 0.01) == pytest.approx(math.sqrt(along * 0.01 * sine / (1 - sine)), rel=1e-9)


def test_hand_worked_corners_with_equal_pull_in_every_direction():
    """The formula alone, a = 500 and δ = 0.01 mm: 11.905, 7.790, 3.474, 2.236 and 1.321 mm/s."""
    for turn, printed in ((30, 11.905), (45, 7.790), (90, 3.474), (120, 2.236), (150, 1.321)):
        change = np.array([math.cos(math.radians(turn)) - 1, math.sin(math.radians(turn))])
        share = np.abs(change / np.linalg.norm(change)).max()
        assert corner_speed(turn, 500.0 * share, 0.01) == pytest.approx(printed, abs=6e-4)


def test_straight_on_has_no_bound_and_a_reversal_stops():
    assert corner_speed(0, 500.0, 0.01) == np.inf
    assert corner_speed(180, 500.0, 0.01) == 0.0


def test_the_passes_give_the_hand_worked_speeds():
    """Three moves of 1 mm at a = 500, top 40, corners 10 and 20: v² = v₀² + 2·a·l, worked by hand.

    Forward from rest: √(2·500·1) = 31.6 > 10, so the first corner is 10; from 10: √(100 + 1000) = 33.2 > 20, so the
    second is 20; the end is at rest, from which backwards √1000 = 31.6 > 20 bounds nothing more.
    """
    entry = np.empty(4)
    corner = np.array([0.0, 10.0, 20.0, 0.0])
    kinematics.plan_speeds(np.ones(3), np.full(3, 40.0), np.full(3, 500.0), corner, entry)
    assert entry == pytest.approx([0.0, 10.0, 20.0, 0.0], abs=1e-6)


def test_a_short_last_move_slows_all_before_it():
    """Backwards: the last 0.1 mm from rest allows √(2·500·0.1) = 10, the 0.2 mm before it √(100 + 200) = 17.3205."""
    entry = np.empty(4)
    corner = np.array([0.0, 50.0, 50.0, 0.0])
    kinematics.plan_speeds(np.array([1.0, 0.2, 0.1]), np.full(3, 50.0), np.full(3, 500.0), corner, entry)
    assert entry == pytest.approx([0.0, math.sqrt(300.0), 10.0, 0.0], abs=1e-6)


@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
@settings(max_examples=50)
def test_no_plan_exceeds_acceleration_and_every_move_is_covered(moves, seed):
    rng = np.random.default_rng(seed)
    length, top, pull = rng.uniform(0.001, 5, moves), rng.uniform(1, 100, moves), rng.uniform(50, 5000, moves)
    corner = rng.uniform(0, 60, moves + 1)
    corner[[0, -1]] = 0.0
    entry, peak, phases = np.empty(moves + 1), np.empty(moves), np.empty((moves, 3))
    kinematics.plan_speeds(length, top, pull, corner, entry)
    kinematics.trapezoids(length, top, pull, entry, peak, phases)
    assert (np.abs(np.diff(entry**2)) <= 2 * pull * length * (1 + 1e-9) + 1e-9).all()
    assert (entry <= corner + 1e-9).all()
    assert (peak <= top * (1 + 1e-12)).all()
    way = (entry[:-1] + peak) / 2 * phases[:, 0] + peak * phases[:, 1] + (entry[1:] + peak) / 2 * phases[:, 2]
    assert way == pytest.approx(length, rel=1e-9)


def test_a_corner_smoothed_by_two_boxes_misses_by_its_tolerance():
    """Convolve a corner's velocity with both boxes and measure how far the path stays off it."""
    acceleration, tolerance = 2000.0, 0.02
    for smoothing in (1e-4, 0.004, 0.03):
        corner = np.empty(3)
        leaving, arriving = np.array([[0.0] * 3, [1.0, 0, 0]]), np.array([[1.0, 0, 0], [0.0, 1.0, 0]])
        limits = np.full(3, acceleration)
        kinematics.tolerance_speeds(leaving, arriving, limits, np.array([tolerance, smoothing]), corner)
        speed = corner[1]
        turning = speed * math.sqrt(2) / (acceleration * math.sqrt(2))
        step = 1e-6
        time = np.arange(-0.1, 0.1, step)
        velocity = np.where(time[:, None] < 0, [speed, 0.0], [0.0, speed])
        for box in (turning, smoothing):
            width = max(1, round(box / step))
            summed = np.cumsum(np.vstack([np.repeat(velocity[:1], width, axis=0), velocity]), axis=0)
            velocity = (summed[width:] - summed[:-width]) / width
        path = np.cumsum(velocity, axis=0) * step
        path -= [path[-1, 0], path[0, 1]]  # the corner is the origin: x ends there, y begins there
        assert np.linalg.norm(path, axis=1).min() == pytest.approx(tolerance, rel=0.02)
