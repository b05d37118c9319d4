# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs of equal rows and unbroken numbers, against itertools."""

from itertools import groupby

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from freecad_camtwin.twin.base.sequences import numbered_pieces, run_begins, sums_before, unbroken

small = st.integers(0, 2)


@given(st.lists(st.tuples(small, small), max_size=20))
def test_a_run_begins_where_any_column_changes(rows):
    a, b = (np.array([row[i] for row in rows], np.int32) for i in (0, 1))
    sizes = [len(list(group)) for _, group in groupby(rows)]
    assert np.flatnonzero(run_begins(a, b)).tolist() == [sum(sizes[:i]) for i in range(len(sizes))]


@given(st.sets(st.integers(0, 30)))
def test_unbroken_numbers_give_back_what_they_were_made_from(numbers):
    spans = list(unbroken(np.array(sorted(numbers), np.int64)))
    assert [n for first, last in spans for n in range(first, last + 1)] == sorted(numbers)
    assert all(last + 1 not in numbers and first - 1 not in numbers for first, last in spans)


@given(st.lists(st.integers(0, 4), max_size=10))
def test_pieces_are_numbered_in_each_owner(counts):
    owner, number = numbered_pieces(np.array(counts, np.int64))
    assert list(zip(owner.tolist(), number.tolist(), strict=True)) == [
        (i, k) for i, count in enumerate(counts) for k in range(count)
    ]


def test_sums_before_begin_at_nothing_and_end_with_all():
    assert sums_before(np.array([1.0, 2.0, 4.0])).tolist() == [0.0, 1.0, 3.0, 7.0]
    assert sums_before(np.zeros(0)).tolist() == [0.0]
