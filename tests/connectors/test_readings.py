# SPDX-License-Identifier: LGPL-2.1-or-later
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freecad_camtwin.connectors.readings import observations, seconds_of, value_of
from freecad_camtwin.twin.signals.observation import Event, Samples

readings = st.lists(
    st.tuples(
        st.sampled_from([1.0, 2.0, 3.0, 4.5]),
        st.sampled_from(["x", "y", "program"]),
        st.one_of(st.none(), st.floats(-9, 9), st.sampled_from(["ACTIVE", "READY"])),
    ),
    max_size=30,
)


@given(readings)
def test_every_reading_is_told_once_and_in_the_order_of_time(told):
    found = []
    for observation in observations(told):
        if isinstance(observation, Event):
            found.append((observation.time, observation.item, observation.value))
            continue
        for row, time in enumerate(observation.time):
            for column, item in enumerate(observation.items):
                if not np.isnan(observation.values[row, column]):
                    found.append((time, item, observation.values[row, column]))
    assert [time for time, _, _ in found] == sorted(time for time, _, _ in told)
    ordered = sorted(told, key=lambda reading: reading[0])
    for item in ("x", "y", "program"):  # readings of one item keep their order even within an instant
        assert [each for each in found if each[1] == item] == [each for each in ordered if each[1] == item]


def test_what_was_read_in_one_instant_is_one_row():
    (block,) = observations([(2.0, "y", 5.0), (1.0, "x", 3.0), (1.0, "y", 4.0)])
    assert isinstance(block, Samples)
    assert block.items == ("x", "y")
    np.testing.assert_array_equal(block.time, [1.0, 2.0])
    np.testing.assert_array_equal(block.values, [[3.0, 4.0], [np.nan, 5.0]])


def test_a_word_holds_for_the_numbers_beside_it():
    first, word, second = observations(
        [(1.0, "x", 1.0), (1.0, "power", 5.0), (2.0, "x", 2.0), (2.0, "line", "7"), (2.0, "power", 6.0)]
    )
    assert word == Event(2.0, "line", "7")
    assert [(list(each.time), each.items, each.values.tolist()) for each in (first, second)] == [
        ([1.0], ("x", "power"), [[1.0, 5.0]]),
        ([2.0], ("x", "power"), [[2.0, 6.0]]),
    ]


def test_an_item_that_becomes_unavailable_ends_the_block_before():
    found = list(observations([(1.0, "x", 3.0), (2.0, "x", None), (3.0, "x", 4.0)]))
    assert [type(each) for each in found] == [Samples, Event, Samples]
    assert found[1] == Event(2.0, "x", None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12.0), (" -1.5e3 ", -1500.0), (".5", 0.5), ("UNAVAILABLE", None), ("nan", None), ("-Inf", None),
        ("1e999", None), ("1_000", "1_000"), ("N10", "N10"), ("", ""), ("0x10", "0x10"), ("１２", "１２"),
    ],
)  # fmt: skip
def test_a_number_is_what_a_machine_writes_as_one(text, value):
    assert value_of(text) == value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2022-08-08T13:51:34.7167146Z", 1659966694.716714),
        ("2015-12-21T16:06:36.655Z", 1450713996.655),
        ("2015-12-21T17:06:36.655+01:00", 1450713996.655),
        ("2015-12-21T16:06:36", 1450713996.0),
        ("1450713996.5", 1450713996.5),
        ("-5", None), ("yesterday", None), ("1e300", None), ("", None), ("0001-01-01T00:00:00+23:00", None),
    ],
)  # fmt: skip
def test_times_are_seconds_since_the_epoch(text, seconds):
    assert seconds_of(text) == (seconds if seconds is None else pytest.approx(seconds, abs=1e-6))
