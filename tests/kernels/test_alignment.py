# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernels of alignment against slow references."""

import functools
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from camtwin_kernels import lag, placing, signature

seeds = st.integers(0, 2**32 - 1)


def least_sum(measured, predicted, hold, band, price):
    """The least sum of any chain, by trying all that may come before, from the end."""

    @functools.cache
    def best(i, j, held):
        if not band[i, 0] <= j < band[i, 1]:
            return math.inf
        gap = measured[i] if held else measured[i] - predicted[j]
        cost = 0.0 if math.isnan(gap) else gap * gap
        if i == 0:
            return cost + (hold[j] if held else 0.0)
        if held:
            return cost + min(best(i - 1, j, True), best(i - 1, j, False) + hold[j])
        still = 0.0 if j in (0, len(predicted) - 1) else price
        return cost + min(
            best(i - 1, j, False) + still, best(i - 1, j - 1, False), best(i - 1, j - 2, False) + price,
            best(i - 1, j, True), best(i - 1, j - 1, True),
        )  # fmt: skip

    last = len(measured) - 1
    return min(best(last, j, False) for j in range(band[last, 0], band[last, 1]))


@settings(max_examples=60)
@given(seeds, st.integers(2, 14), st.integers(2, 12))
def test_the_warping_is_the_cheapest_of_all(seed, n, m):
    random = np.random.default_rng(seed)
    measured, predicted = random.normal(0, 1, n), np.abs(random.normal(0, 1, m))
    measured[random.random(n) < 0.1] = np.nan
    hold = random.choice([0.1, 1.0], m)
    low = np.sort(random.integers(0, m, n)) // 2
    band = np.stack([low, np.maximum.accumulate(np.minimum(low + random.integers(1, m + 1), m))], axis=1)
    sums, pairs = np.full((4, m), np.inf), np.zeros(n, np.int64)
    choice = np.empty((n, int((band[:, 1] - band[:, 0]).max())), np.int8)
    signature.warp(measured, predicted, hold, band, 0.3, sums, choice, pairs)
    found = sums[(n - 1) % 2, band[-1, 0] : band[-1, 1]].min()
    expected = least_sum(measured, predicted, hold, band, 0.3)
    assert found == expected or abs(found - expected) < 1e-9
    assert ((pairs >= band[:, 0]) & (pairs < band[:, 1])).all()


@settings(max_examples=60)
@given(seeds, st.integers(1, 12))
def test_places_are_looked_up_in_any_order(seed, count):
    random = np.random.default_rng(seed)
    length = random.choice([0.0, 0.5, 2.0], count)
    begins = np.concatenate([[0.0], np.cumsum(length)])
    program = np.column_stack([begins[:-1], begins[1:], np.zeros(count), np.ones(count)])
    moves = np.column_stack([np.arange(count), np.full(count, 7)]).astype(np.int32)
    # Each move has steps of 0.5 mm, but the last has none.
    steps = [(at, at + 0.5) for i in range(count - 1) for at in np.arange(0.0, length[i], 0.5)]
    rows = np.concatenate([[0], np.cumsum([len(np.arange(0.0, each, 0.5)) for each in length[:-1]]), [len(steps)]])
    way = random.uniform(0, begins[-1] + 1e-9, 30)
    way[random.random(30) < 0.2] = np.nan
    found, confidence = np.empty((4, 30), np.int32), np.empty(30)
    placing.place(way, np.zeros(30), np.empty((0, 2), np.int32), program, moves,
                  np.array(steps).reshape(-1, 2), rows.astype(np.int32), 0.1, found, confidence)  # fmt: skip
    for i, at in enumerate(way):
        if math.isnan(at):
            assert found[:, i].tolist() == [-1, -1, -1, -1]
            assert confidence[i] == 0.0
            continue
        move = int(np.searchsorted(begins[:-1], at, side="right")) - 1
        step = -1 if move == count - 1 else rows[move] + int((at - begins[move] + 1e-6) / 0.5)
        assert found[:3, i].tolist() == [move, move, 7]
        assert found[3, i] == (min(step, rows[move + 1] - 1) if step >= 0 and rows[move] < rows[move + 1] else -1)
        assert confidence[i] == 1.0


@settings(max_examples=30)
@given(seeds)
def test_the_equations_of_lag_and_bias_are_those_of_the_essay(seed):
    random = np.random.default_rng(seed)
    count, n, reach = 5, 40, 2
    u = random.normal(0, 1, (count, 3))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    start = random.normal(0, 1, (count, 3))
    segments = np.column_stack([start, u, np.full(count, 3.0), 3.0 * np.arange(count)])
    segment = random.integers(-1, count, n).astype(np.int32)
    way = 3.0 * segment + random.uniform(0, 3, n)
    time, points = np.arange(n) * 0.01, random.normal(0, 1, (n, 3))
    corrected = points + random.normal(0, 0.1, (n, 3))
    sums, limit, scale = np.zeros((4, 6)), 2.0, 0.4
    used = lag.equations(segments, segment, way, time, points, corrected, reach, 1.0, limit, scale,
                         np.empty((4, 3)), sums)  # fmt: skip
    left, right, squares, counted = np.zeros((4, 4)), np.zeros(4), 0.0, 0
    for i in range(2 * reach, n - 2 * reach):
        if segment[i] < 0:
            continue
        across = np.eye(3) - np.outer(u[segment[i]], u[segment[i]])
        gap = across @ (corrected[i] - start[segment[i]] - (way[i] - 3.0 * segment[i]) * u[segment[i]])
        if gap @ gap > limit**2:
            continue
        speed = (points[i + reach] - points[i - reach]) / (2 * reach * 0.01)
        other = (points[i + 2 * reach] - points[i - 2 * reach]) / (4 * reach * 0.01)
        weight = 1.0 / (1.0 + gap @ gap / scale**2)
        unknowns = np.column_stack([across @ speed, -across])
        instruments = np.column_stack([other, -np.eye(3)])
        left += weight * instruments.T @ unknowns
        right -= weight * instruments.T @ gap
        squares, counted = squares + gap @ gap, counted + 1
    assert used == counted
    assert np.allclose(sums[:, :4], left)
    assert np.allclose(sums[:, 4], right)
    assert np.isclose(sums[0, 5], squares)


def test_a_line_stands_for_those_that_were_passed_over_before_it():
    of_move = np.array([1, 2, 3, 3, 4, 5], np.int32)
    moves = np.arange(6, dtype=np.int32)
    rows = np.searchsorted(of_move, np.arange(7)).astype(np.int32)
    way = np.arange(7.0)
    line = np.array([1.0, 3.0, 3.0, 5.0, np.nan, 5.0, 2.0, 99.0])
    found, span, state = np.empty((8, 2), np.int32), np.empty((8, 2)), np.full(3, -1, np.int64)
    told = placing.follow_lines(line, rows, moves, of_move, way, 0.5, 100, state, found, span)
    #                     line 2 was passed over, then 4; after silence 5 is seen again; 2 is a jump back; 99 is no line
    assert found.tolist() == [[0, 0], [1, 3], [1, 3], [4, 5], [-1, -1], [5, 5], [1, 1], [1, 1]]
    assert span[1].tolist() == [0.5, 4.5]
    assert told == 7
