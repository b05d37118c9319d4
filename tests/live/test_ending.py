# SPDX-License-Identifier: LGPL-2.1-or-later
"""A recording ends when what it was to wait for has happened, and not one part or one word sooner."""

import numpy as np
import pytest

from freecad_camtwin.live import recorder as recorders
from freecad_camtwin.live.recorder import Ending, Until
from freecad_camtwin.twin.signals.columns import Columns, Word


def counted(*parts):
    return Columns(np.arange(len(parts), dtype=float), {"parts": np.array(parts, float)})


@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_a_recording_of_so_many_parts_ends_with_the_last_of_them(wanted):
    """The counter of a machine that has run before does not begin at 0: parts that are made from now on count."""
    ending = Ending(Until(parts=wanted))
    for made in range(wanted):
        assert ending.reached(counted(41 + made, 41 + made)) == ""
    assert ending.reached(counted(41 + wanted)) == f"{wanted} parts are made"


def test_parts_that_are_made_within_one_block_count():
    assert Ending(Until(parts=2)).reached(counted(7, 8, 8)) == ""
    assert Ending(Until(parts=2)).reached(counted(7, 8, 9)) == "2 parts are made"


def test_a_counter_that_is_silent_for_a_while_ends_nothing():
    ending = Ending(Until(parts=1))
    assert ending.reached(counted(np.nan, np.nan)) == ""
    assert ending.reached(counted(np.nan, 5)) == ""
    assert ending.reached(counted(np.nan)) == ""
    assert ending.reached(counted(np.nan, 6, np.nan)) == "1 parts are made"


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        (["ACTIVE", "PROGRAM_COMPLETED"], True),
        (["ACTIVE", "READY"], True),
        (["READY"], False),  # no program ran yet
        (["ACTIVE", "FEED_HOLD"], False),
        (["ACTIVE", "INTERRUPTED"], False),
        (["ACTIVE", "STOPPED", "ACTIVE"], False),  # the next program has begun
        (["ACTIVE", None], False),
    ],
)
def test_only_the_end_of_a_program_that_ran_ends_a_recording(words, ends, monkeypatch):
    monkeypatch.setattr(recorders, "IDLE_S", 0.0)
    said = Columns(np.empty(0), {}, tuple(Word(float(at), "execution", word) for at, word in enumerate(words)))
    assert Ending(Until()).reached(said) == ("the program has ended" if ends else "")
    assert Ending(Until(program_end=False)).reached(said) == ""
