# SPDX-License-Identifier: LGPL-2.1-or-later
"""A weight of n counts as n values of weight one do; what is unknown, or weighs nothing, does not count."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freecad_camtwin.twin.base.weighted import means_by_group, weighted_mean, weighted_quantile

pairs = st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 4)), min_size=1, max_size=30)


@given(pairs, st.integers(1, 19))
def test_a_weight_counts_as_so_many_values(rows, twentieths):
    values, weight = (np.array(column, float) for column in zip(*rows, strict=True))
    many = np.sort(np.repeat(values, weight.astype(int)))
    if not many.size:
        assert math.isnan(weighted_mean(values, weight))
        assert math.isnan(weighted_quantile(values, weight, 0.5))
        return
    assert weighted_mean(values, weight) == pytest.approx(many.mean())
    below = -(-many.size * twentieths // 20)  # the least number of values that hold the share
    found = weighted_quantile(values, weight, twentieths / 20)
    assert found in many[max(below - 1, 0) : below + 1]


def test_unknown_values_do_not_count():
    values, weight = np.array([1.0, np.nan, 3.0, 9.0]), np.array([1.0, 5.0, 1.0, 0.0])
    assert weighted_mean(values, weight) == 2.0
    assert weighted_quantile(values, weight, 1.0) == 3.0


def test_a_group_without_known_values_has_no_mean():
    values = np.array([1.0, 3.0, np.nan, 7.0, 100.0])
    means = means_by_group(values, np.array([1.0, 3.0, 1.0, 2.0, 1.0]), np.array([0, 0, 1, 2, -1]), 4)
    np.testing.assert_array_equal(means, [2.5, np.nan, 7.0, np.nan])
