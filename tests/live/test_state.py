# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is shown of a machine is the last that is known of it; that nothing comes is shown for as long as it lasts."""

import numpy as np
import pytest

from freecad_camtwin.live.flow import Block, Flow
from freecad_camtwin.live.state import Keeper
from freecad_camtwin.store.schema import Gap
from freecad_camtwin.twin.signals.columns import Columns, Word
from live_sources import SIGNALS, Script


@pytest.fixture
def keeper():
    return Keeper(Flow(Script(), SIGNALS))


def rows(first, many, **values):
    return Columns(first + np.arange(many) / 1000, {name: np.full(many, value) for name, value in values.items()})


def test_a_lost_source_is_shown_as_lost_until_its_next_row(keeper):
    assert keeper.state.lost is None
    keeper.take(Block(rows(1.0, 5, power=100.0)))
    assert (
        keeper.take(Block(Columns(np.empty(0)), (Gap(1.004, None, "the broker was lost"),))).lost
        == "the broker was lost"
    )
    assert keeper.take(Block(Columns(np.empty(0)))).lost == "the broker was lost"
    state = keeper.take(Block(rows(9.0, 5, power=110.0), (Gap(1.004, 9.0, "the broker was lost"),)))
    assert state.lost is None
    assert (state.gaps, state.rows, state.power) == (1, 10, 110.0)


def test_every_gap_counts_once_though_it_is_told_twice(keeper):
    for number in range(3):
        keeper.take(Block(Columns(np.empty(0)), (Gap(number, None, "silence"),)))
        keeper.take(Block(rows(number + 0.5, 1), (Gap(number, number + 0.5, "silence"),)))
    assert (keeper.state.gaps, keeper.state.lost) == (3, None)


def test_what_is_no_longer_told_is_unknown_and_not_its_last_value(keeper):
    keeper.take(Block(rows(1.0, 2, power=100.0, line=7.0)))
    assert (keeper.state.power, keeper.state.line) == (100.0, 7)
    keeper.take(Block(rows(2.0, 2, power=np.nan, line=np.nan)))
    assert (keeper.state.power, keeper.state.line) == (None, None)


def test_words_last_until_the_next_word(keeper):
    keeper.take(Block(Columns(np.empty(0), {}, (Word(1.0, "execution", "ACTIVE"), Word(1.0, "program", "a.ngc")))))
    keeper.take(Block(rows(2.0, 1, power=1.0)))
    assert (keeper.state.execution, keeper.state.program) == ("ACTIVE", "a.ngc")
    keeper.take(Block(Columns(np.empty(0), {}, (Word(3.0, "execution", None),))))
    assert (keeper.state.execution, keeper.state.program) == (None, "a.ngc")
