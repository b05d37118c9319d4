# SPDX-License-Identifier: LGPL-2.1-or-later
"""A packed column is exact and small, and bytes that are none are refused."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from freecad_camtwin.store.packing import PackingError, pack_column, unpack_column
from recordings import seconds

decimals = st.builds(lambda digits, places: digits / 10**places, st.integers(-(10**9), 10**9), st.integers(0, 6))
numbers = st.floats(allow_nan=True, allow_infinity=True) | st.floats(width=32) | decimals
columns = hnp.arrays(np.float64, st.integers(0, 300), elements=numbers)


@given(columns)
def test_a_packed_column_comes_back_to_the_bit(values):
    back = unpack_column(pack_column(values), len(values))
    known = ~np.isnan(values)
    assert_array_equal(np.isnan(back), ~known)
    assert_array_equal(back[known].view(np.int64), values[known].view(np.int64))


@pytest.mark.parametrize("places", [0, 1, 3, 4])
def test_what_a_control_reports_with_few_places_takes_a_fraction_of_a_float(places):
    values = np.round(50 + 10 * np.sin(np.arange(8192) / 300), places)
    assert len(pack_column(values)) < 8192 * 8 / 10


def test_a_clock_that_jitters_takes_a_quarter_of_its_floats():
    jitter = np.random.default_rng(1).normal(0, 1e-5, 8192)
    assert len(pack_column(seconds(8192) + jitter)) < 8192 * 8 / 4


@given(st.binary(max_size=200), st.integers(0, 500))
def test_bytes_that_are_no_column_are_refused_and_nothing_else_happens(data, rows):
    try:
        values = unpack_column(data, rows)
    except PackingError:
        return
    assert len(values) == rows


def test_a_column_that_would_inflate_without_end_is_refused():
    head = pack_column(np.zeros(10))[:8]
    bomb = head + zlib.compress(bytes(50_000_000))
    with pytest.raises(PackingError, match="longer or shorter"):
        unpack_column(bomb, 10)
