# SPDX-License-Identifier: LGPL-2.1-or-later
"""Gaps of a live source lie between its rows, whatever its clock does."""

import asyncio

import numpy as np
from numpy.testing import assert_array_equal

from freecad_camtwin.live.flow import Flow
from freecad_camtwin.store.schema import Gap
from freecad_camtwin.twin.signals.columns import joined
from freecad_camtwin.twin.signals.observation import Samples
from live_sources import SIGNALS, START, Script, gap, rows


def blocks_of(*said):
    """All blocks that a flow makes of a script."""

    async def run():
        return [block async for block in Flow(Script(*said), SIGNALS).blocks()]

    return asyncio.run(run())


def gaps_of(*said):
    return [each for block in blocks_of(*said) for each in block.gaps if each.stop is not None]


def test_a_gap_ends_with_the_first_row_after_it():
    assert gaps_of(rows(0, 10), gap(START + 5), rows(3000, 10)) == [
        Gap(START + 0.009, START + 3.0, "the broker was lost")
    ]


def test_no_gap_ends_before_it_began():
    """What comes first after a lost connection may be rows that the broker had kept: older than the last that came."""
    (only,) = gaps_of(rows(3000, 10), gap(START + 5), rows(2000, 10), rows(4000, 10))
    assert only.start == START + 3.009
    assert only.stop == only.start


def test_rows_out_of_order_come_out_in_the_order_of_time_each_with_its_own_values():
    number = np.random.default_rng(5).permutation(50).astype(float)
    shuffled = Samples(START + number / 1000, ("row", "watt"), np.stack([number, number / 1000], axis=1))
    kept = joined([block.columns for block in blocks_of(shuffled)])
    assert_array_equal(kept.time, START + np.arange(50) / 1000)
    assert_array_equal(kept.values["line"], np.arange(50))
    np.testing.assert_allclose(kept.values["power"], np.arange(50))


def test_rows_that_come_after_later_ones_change_nothing_of_them():
    plain = joined([block.columns for block in blocks_of(rows(0, 100), rows(100, 100))])
    late = joined([block.columns for block in blocks_of(rows(0, 100), rows(40, 20), rows(100, 100), rows(150, 10))])
    assert_array_equal(late.time, plain.time)
    for name, column in plain.values.items():
        assert_array_equal(late.values[name], column)


def test_what_a_late_row_says_does_not_hold_for_the_rows_after_it():
    """Where a row has no number for an item, the newest number before it holds: not the one that came last."""
    said = [rows(0, 100), rows(40, 20), Samples.row(START + 0.2, {"row": 200.0})]
    kept = joined([block.columns for block in blocks_of(*said)])
    assert (kept.values["line"][-1], kept.values["power"][-1]) == (200.0, 99.0)
