# SPDX-License-Identifier: LGPL-2.1-or-later
"""Messages of a few rows each become blocks, and no row, no word and no order is lost by that."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from freecad_camtwin.live.flow import MERGED_S, merged_blocks
from freecad_camtwin.twin.signals.observation import Event, Samples

#: Messages of rows 10 ms apart, each after a pause [ms] and of one of two sets of items; or a word.
messages = st.lists(
    st.none() | st.tuples(st.integers(-20, 60), st.integers(0, 4), st.sampled_from([("x",), ("x", "y")])), max_size=12
)


def told(messages):
    """The observations that a source tells."""
    clock, said = 0.0, []
    for number, message in enumerate(messages):
        if message is None:
            said.append(Event(clock, "execution", f"word {number}"))
            continue
        pause, rows, items = message
        times = clock + pause / 1000 + np.arange(rows) * 0.01
        clock = float(times[-1]) if rows else clock
        said.append(Samples(times, items, np.full((rows, len(items)), number)))
    return said


def rows_of(observations):
    """Every row and every word, one after the other."""
    for each in observations:
        if isinstance(each, Event):
            yield each
        else:
            yield from zip(each.time.tolist(), [each.items] * len(each.time), each.values.tolist(), strict=True)


@given(messages)
def test_every_row_and_word_comes_through_in_its_order(messages):
    said = told(messages)
    assert list(rows_of(merged_blocks(said))) == list(rows_of(said))


@given(messages)
def test_a_block_is_of_one_set_of_items_rises_in_time_and_is_short(messages):
    said = told(messages)
    one_message = [len(each.time) for each in said if isinstance(each, Samples)]
    for block in merged_blocks(said):
        if isinstance(block, Samples) and len(block.time) > max(one_message):
            assert (np.diff(block.time) > 0).all()
            assert block.time[-1] - block.time[0] <= MERGED_S
            assert block.values.shape == (len(block.time), len(block.items))


def test_rows_that_follow_each_other_are_one_block_until_it_is_long_enough():
    said = [Samples(np.array([at * MERGED_S / 4]), ("x",), np.array([[at]])) for at in range(8)]
    assert [block.values[:, 0].tolist() for block in merged_blocks(said)] == [[0, 1, 2, 3, 4], [5, 6, 7]]


def test_a_row_of_the_same_instant_begins_a_block_of_its_own():
    said = [Samples(np.array([1.0]), ("x",), np.array([[at]])) for at in range(2)]
    assert len(list(merged_blocks(said))) == 2
