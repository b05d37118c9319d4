# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the comparison's pictures show of a run is what paper and pencil say of it, step by step."""

import numpy as np
import pytest

import hand_made
from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.runs.along_path import compare_load
from freecad_camtwin.twin.runs.execution import make_executions
from freecad_camtwin.twin.runs.file import load_execution, save_execution
from freecad_camtwin.twin.signals.run import Silence


def compared(told=None, made=None, **said):
    """Lay the run's power on the path."""
    made = made or hand_made.package()
    told = hand_made.columns() if told is None else told
    (only,) = make_executions(made, hand_made.run(made, told, **said), alignment=hand_made.placed(made, told))
    return compare_load(made, only)


def test_every_step_has_the_mean_of_its_rows_and_its_ratio():
    shown = compared()
    assert list(shown.engagement.move) == [0, 1, 2, 3, 4, 5]
    assert shown.engagement.start[:, 0] == pytest.approx(hand_made.WAYS[:-1])
    assert shown.engagement.end[:, 0] == pytest.approx(hand_made.WAYS[1:])
    assert shown.measured == pytest.approx([0, 120, 0, 0, 160, 0])
    np.testing.assert_allclose(shown.ratio, [np.nan, 1.2, np.nan, np.nan, 0.8, np.nan])


def test_samples_tell_the_feed_that_was_reached():
    samples = compared().samples
    within = (samples.way > 13) & (samples.way < 37)  # a while away from the rapid and from the turn of the override
    assert samples.feed[within] == pytest.approx(10.0)
    assert samples.feed[(samples.way > 43) & (samples.way < 77)] == pytest.approx(5.0)
    assert np.isnan(samples.feed[(samples.way < 10) | (samples.way > 80)]).all()
    assert set(samples.programmed[(samples.way >= 10) & (samples.way < 80)]) == {10.0}
    assert samples.since[1:] == pytest.approx(samples.way[:-1])


def test_pieces_are_seconds_of_one_operation_each():
    pieces = compared().pieces
    face, side = pieces.operation == 0, pieces.operation == 1
    assert pieces.predicted[face] == pytest.approx(100.0)
    assert pieces.predicted[side] == pytest.approx(200.0)
    assert pieces.measured[side] == pytest.approx(160.0)
    assert pieces.measured[face].min() == pytest.approx(80.0)


def test_what_was_passed_unseen_is_a_gap_from_way_to_way():
    told = hand_made.columns()
    hushed = hand_made.part(told, (told.time <= 1.5) | (told.time >= 2.5))
    shown = compared(hushed, silences=(Silence(1.5, 2.5, "lost"),))
    assert shown.gaps == ((15.0, 25.0),)


def test_where_hardly_anything_is_predicted_there_is_no_ratio():
    """A few watts more than idling would be a ratio of ten, and be painted as the worst place of the path."""
    made, told = hand_made.with_faint_cuts()
    shown = compared(told, made)
    assert shown.measured == pytest.approx([0, 120, 20, 20, 160, 0])
    np.testing.assert_allclose(shown.ratio, [np.nan, 1.2, np.nan, np.nan, 0.8, np.nan])


def test_an_execution_that_was_read_from_its_file_has_no_samples_to_draw(tmp_path):
    made, told = hand_made.package(), hand_made.columns()
    (only,) = make_executions(made, hand_made.run(made, told), alignment=hand_made.placed(made, told))
    path, _ = save_execution(only, tmp_path)
    with pytest.raises(InputError, match="holds no samples"):
        compare_load(made, load_execution(path))
