# SPDX-License-Identifier: LGPL-2.1-or-later
"""LinuxCNC's queue and clock on cases small enough to work by hand; also run as plain Python."""

import math

import numpy as np
import pytest

from camtwin_kernels import linuxcnc_join, linuxcnc_merge, linuxcnc_run, linuxcnc_tables

CYCLE = 0.001
MACHINE = np.array([CYCLE, 1.0, 200.0])
LIMITS = np.array([[200.0] * 3, [2000.0] * 3])


def run(points, feed, term, tolerance=0.0):
    """The queue and the legs of feed lines through ``points``."""
    points = np.asarray(points, np.float64)
    count = len(points) - 1
    rules = np.zeros((count, linuxcnc_tables.RULE_COLUMNS))
    rules[:, linuxcnc_tables.RULE_TERM] = term
    rules[:, linuxcnc_tables.RULE_TOLERANCE] = tolerance
    rules[:, linuxcnc_tables.RULE_WAIT] = -1.0
    rules[:, linuxcnc_tables.RULE_FEED] = feed
    way = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    circles = np.zeros((0, linuxcnc_tables.CIRCLE_COLUMNS))
    pieces = np.zeros((2 * count, linuxcnc_tables.PIECE_COLUMNS))
    chain = np.zeros((linuxcnc_tables.LONGEST_CHAIN + 2, 3))
    shape = np.full(count, linuxcnc_tables.SHAPE_LINE, np.int32)
    found = linuxcnc_merge.merge(shape, points[:-1], points[1:], rules, way, circles, LIMITS, chain, pieces)
    work, rays = np.zeros((3, linuxcnc_tables.WORK_COLUMNS)), np.zeros((6, 3))
    queue = np.zeros((2 * found + 1, linuxcnc_tables.QUEUE_COLUMNS))
    rows = linuxcnc_join.join(pieces, found, circles, LIMITS, MACHINE, work, rays, queue)
    linuxcnc_join.look_ahead(queue, rows, MACHINE)
    legs = np.zeros((100, linuxcnc_tables.LEG_COLUMNS))
    runners, pen, peaks = np.zeros((2, linuxcnc_tables.RUNNER_COLUMNS)), np.zeros(8), np.zeros(rows)
    drawn = linuxcnc_run.run(queue, rows, MACHINE, runners, pen, legs, peaks)
    return queue[:rows], legs[:drawn], peaks


def test_one_move_takes_its_trapezoid_and_at_most_three_cycles_more():
    _, legs, peaks = run([(0, 0, 0), (10, 0, 0)], 50.0, 1.0)
    ideal = 10 / 50 + 50 / 2000
    assert ideal <= legs[-1, linuxcnc_tables.LEG_TIME] <= ideal + 3 * CYCLE
    assert legs[-1, linuxcnc_tables.LEG_WAY] == pytest.approx(10.0)
    assert peaks[0] == pytest.approx(50.0)


def test_a_right_angle_is_rounded_by_an_arc_that_its_tolerance_allows():
    """θ = 45°: d = P·cos θ/(1 - sin θ) = 0.024142 mm for P = 0.01, R = d·tan θ = d, v² = R·a·√3/2."""
    queue, _, _ = run([(0, 0, 0), (50, 0, 0), (50, 50, 0)], 50.0, 2.0, tolerance=0.01)
    assert len(queue) == 3
    radius = 0.01 * math.cos(math.pi / 4) / (1 - math.sin(math.pi / 4))
    assert queue[1, linuxcnc_tables.Q_LENGTH] == pytest.approx(radius * math.pi / 2)
    assert queue[1, linuxcnc_tables.Q_BOUND] == pytest.approx(math.sqrt(radius * 2000 * math.sqrt(3) / 2))
    assert queue[0, linuxcnc_tables.Q_LENGTH] == pytest.approx(50 - radius)


def test_exact_path_stops_at_a_corner_but_not_at_a_harmless_kink():
    corner, legs, _ = run([(0, 0, 0), (5, 0, 0), (5, 5, 0)], 50.0, 1.0)
    kink, flowing, _ = run([(0, 0, 0), (5, 0, 0), (10, 1e-3, 0)], 50.0, 1.0)
    assert corner[0, linuxcnc_tables.Q_TERM] == linuxcnc_tables.EXACT
    assert kink[0, linuxcnc_tables.Q_TERM] == linuxcnc_tables.STRAIGHT
    assert legs[-1, 0] > flowing[-1, 0] + 0.02


def test_the_look_ahead_can_always_brake():
    rng = np.random.default_rng(2)
    points = np.cumsum(np.column_stack([np.full(40, 0.2), rng.normal(0, 0.01, 40), np.zeros(40)]), axis=0)
    queue, _, _ = run(points, 100.0, 2.0, tolerance=0.01)
    last, length, pull = (queue[:, column] for column in (
        linuxcnc_tables.Q_LAST, linuxcnc_tables.Q_LENGTH, linuxcnc_tables.Q_PULL,
    ))  # fmt: skip
    assert (last[:-1] ** 2 <= last[1:] ** 2 + 2 * pull[1:] * length[1:] + 1e-6).all()
    assert last[-1] == 0.0


@pytest.mark.parametrize("bend", [0.0, 0.2, 1.2])
@pytest.mark.parametrize(("term", "cycles"), [(1.0, 1.0), (2.0, 1.02)])
@pytest.mark.parametrize("length", [0.001, 0.005, 0.02])
def test_no_move_takes_less_than_a_servo_cycle(length, term, cycles, bend):
    """At 50 mm/s a move of 5 µm would last a tenth of a cycle: the planner looks at one move a cycle, and no more.

    Moves that flow into the next one (G64) take 2 % more than a cycle, so that no two of them end in one.
    """
    moves = 20
    direction = np.cumsum(np.where(np.arange(moves) % 2, bend, -bend))
    points = np.zeros((moves + 1, 3))
    points[1:, 0], points[1:, 1] = np.cumsum(length * np.cos(direction)), np.cumsum(length * np.sin(direction))
    queue, legs, peaks = run(points, 50.0, term)
    assert len(queue) == moves
    assert peaks[:-1].max() <= length / (cycles * CYCLE) * (1 + 1e-9)
    assert peaks[-1] <= length / CYCLE * (1 + 1e-9)
    assert legs[-1, linuxcnc_tables.LEG_TIME] >= moves * CYCLE
    assert legs[-1, linuxcnc_tables.LEG_WAY] == pytest.approx(moves * length)
