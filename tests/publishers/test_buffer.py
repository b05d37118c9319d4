# SPDX-License-Identifier: LGPL-2.1-or-later
"""An agent's buffer forgets the oldest observations, and never what they came to."""

from hypothesis import given
from hypothesis import strategies as st

from freecad_camtwin.publishers.mtconnect.buffer import Buffer

SIZE = 5
told = st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), max_size=30)
some_items = st.none() | st.sets(st.integers(0, 3))


def filled(words):
    """A buffer, and all that was told and differed from what the item had said before, in full."""
    buffer, kept, last = Buffer(SIZE), [], {}
    for at, (item, text) in enumerate(words):
        is_news = last.get(item) != text
        assert buffer.tell(item, float(at), text) == is_news
        if is_news:
            kept.append((len(kept) + 1, item, float(at), text))
        last[item] = text
    return buffer, kept


@given(told)
def test_what_is_kept_are_the_newest_observations_in_sequence(words):
    buffer, kept = filled(words)
    assert buffer.next == len(kept) + 1
    assert buffer.first == max(1, len(kept) - SIZE + 1)
    assert buffer.since(buffer.first, 100, None) == (kept[-SIZE:], buffer.next)


@given(told, some_items, st.integers(1, 4), st.integers(0, SIZE))
def test_a_request_that_is_answered_in_parts_gets_each_observation_once(words, items, most, skipped):
    buffer, kept = filled(words)
    begin = min(buffer.first + skipped, buffer.next)
    wanted = [each for each in kept if each[0] >= begin and (items is None or each[1] in items)]
    heard, at = [], begin
    while at < buffer.next:
        part, following = buffer.since(at, most, items)
        assert len(part) <= most
        assert following > at
        heard, at = heard + part, following
    assert heard == wanted


@given(told, some_items)
def test_the_state_at_any_sequence_that_is_kept_is_what_each_item_said_last(words, items):
    buffer, kept = filled(words)
    for at in range(buffer.first, buffer.next):
        newest = {each[1]: each for each in kept[:at]}
        expected = [each for item, each in sorted(newest.items()) if items is None or item in items]
        assert buffer.state(items, at) == expected
        if at == buffer.next - 1:
            assert buffer.state(items) == expected
