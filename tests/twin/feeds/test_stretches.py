# SPDX-License-Identifier: LGPL-2.1-or-later
"""Windows, runs and rounding along the path, against the slow and obvious way of doing the same."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from freecad_camtwin.twin.feeds.stretches import FEED_ROUNDING, StepTrack, quantise, runs, window_argmin
from plan_jobs import straight_path

values = st.lists(st.floats(1, 100), min_size=1, max_size=40).map(np.array)


@given(values, st.data())
def test_the_least_of_a_window_is_the_least(value, data):
    low = np.array(data.draw(st.lists(st.integers(0, value.size - 1), min_size=value.size, max_size=value.size)))
    high = np.array([data.draw(st.integers(int(at), value.size - 1)) for at in low])
    found = window_argmin(value, low, high)
    assert ((low <= found) & (found <= high)).all()
    assert [value[at] for at in found] == [value[a : b + 1].min() for a, b in zip(low, high, strict=True)]


def track(lengths, rapids):
    """Steps of these lengths, one per move, with a rapid in front of those marked."""
    points, kinds, moves = [(0.0, 0.0, 0.0)], [], []
    for length, rapid in zip(lengths, rapids, strict=True):
        if rapid:
            points.append((points[-1][0], points[-1][1] + 1.0, 0.0))
            kinds.append(0)
        points.append((points[-1][0] + length, points[-1][1], 0.0))
        kinds.append(1)
        moves.append(len(kinds) - 1)
    path = straight_path(points, kinds, 10.0)
    return StepTrack.of(path, np.array(moves), np.array(lengths, float))


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=30), st.integers(0, 9))
def test_a_window_holds_what_is_near_and_nothing_beyond_a_rapid(steps, ahead):
    lengths, rapids = zip(*steps, strict=True)
    line = track(lengths, rapids)
    low, high = line.around(np.full(len(steps), 2.5), np.full(len(steps), ahead + 0.5))
    segment = np.cumsum([bool(rapid) for rapid in rapids])
    for i in range(len(steps)):
        near = [
            j
            for j in range(len(steps))
            if segment[j] == segment[i]
            and line.start[j] < line.end[i] + ahead + 0.5
            and line.end[j] > line.start[i] - 2.5
        ]
        assert (low[i], high[i]) == (near[0], near[-1])


def test_a_spike_is_not_sustained():
    line = track([1.0] * 20, [False] * 20)
    value = np.ones(20)
    value[5] = 4.0
    everywhere = np.ones(20, bool)
    assert line.sustained(value, 10.0, everywhere) == 1.3
    value[8:18] = 3.0
    assert line.sustained(value, 10.0, everywhere) == 3.0
    assert line.sustained(value, 50.0, everywhere) in (1.0, 3.0)
    assert np.isnan(line.sustained(value, 10.0, ~everywhere))


@given(values, st.integers(1, 12), st.data())
def test_a_run_stays_in_its_band_and_only_valleys_are_short(value, shortest, data):
    apart = np.array(data.draw(st.lists(st.booleans(), min_size=value.size, max_size=value.size)))
    band = 0.08
    run = runs(value, np.ones(value.size), apart, band, np.full(value.size, float(shortest)))
    assert (np.diff(run) >= 0).all()
    assert (np.diff(run)[apart[1:]] == 1).all()
    groups = [np.flatnonzero(run == number) for number in range(run[-1] + 1)]
    least = [value[group].min() for group in groups]
    for k, group in enumerate(groups):
        left = least[k - 1] if k and not apart[group[0]] else np.inf
        right = least[k + 1] if k + 1 < len(groups) and not apart[groups[k + 1][0]] else np.inf
        # A run between two slower ones is long enough to be worth its words.
        if left < least[k] and right < least[k]:
            assert group.size >= shortest


def test_a_run_that_becomes_slower_ends_the_short_one_before_it():
    value = np.array([1.0, 3.0, 2.0, 4.0, 3.0, 1.0])
    assert not runs(value, np.ones(6), np.zeros(6, bool), 0.08, np.full(6, 3.0)).any()


@given(st.floats(0.01, 400.0))
def test_rounding_is_down_by_little_and_done_once(feed):
    once = quantise(np.array([feed]))
    assert once[0] <= feed + 1e-6
    assert once[0] >= feed * (1 - FEED_ROUNDING) - 1e-6
    assert quantise(once)[0] == once[0]


def test_rounded_feeds_are_what_a_person_would_write():
    per_minute = quantise(np.array([9.876, 98.76, 641.3, 1999.0, 12345.0]) / 60) * 60
    assert np.allclose(per_minute, [9.8, 98, 640, 1980, 12200], atol=1e-3)
