# SPDX-License-Identifier: LGPL-2.1-or-later
"""A recording as a run, whether it was recorded by meaning or under the source's own names."""

import numpy as np
import pytest

from freecad_camtwin.errors import InputError
from freecad_camtwin.store.recording import Recording
from freecad_camtwin.store.run import read_run
from freecad_camtwin.store.schema import RecordingHeader
from freecad_camtwin.twin.signals.observation import Event
from freecad_camtwin.twin.signals.signal_map import Meaning, Signal, SignalMap

MAP = '[[signals]]\nitem = "clamp"\nmeaning = "SPINDLE_POWER"\nunit = "kW"\n'


def recorded(path, columns, *, finish=True, gaps=(), **said):
    time = 1.7e9 + np.arange(len(next(iter(columns.values())))) / 10
    with Recording.create(path, RecordingHeader(**({"started": 1.7e9} | said))) as recording:
        recording.append(time, columns, [Event(1.7e9, "execution", "ACTIVE")])
        for gap in gaps:
            recording.gap(*gap)
        recording.count(received=40, dropped={"late": 10})
        if finish:
            recording.finish()
    return path


def test_columns_with_meanings_are_taken_as_they_are(tmp_path):
    path = recorded(
        tmp_path / "a.run", {"power": np.arange(30.0), "x": np.ones(30)}, toolpath_hash="a" * 64, machine="mill",
        simulated=True, gaps=[(1.7e9 + 1, None, "lost")],
    )  # fmt: skip
    run = read_run(path)
    assert run.columns.values["power"].tolist() == list(range(30))
    assert (run.toolpath_hash, run.machine, run.simulated, run.finished) == ("a" * 64, "mill", True, True)
    assert run.silences[0].reason == "lost"
    assert (run.received, run.dropped) == (40, {"late": 10})
    assert run.columns.words[0].value == "ACTIVE"
    assert run.notes == ()


def test_a_run_that_was_cut_short_says_so(tmp_path):
    run = read_run(recorded(tmp_path / "a.run", {"power": np.arange(3.0)}, finish=False))
    assert run.finished is False
    assert run.notes == ("a.run was not finished by its recorder.",)


@pytest.mark.parametrize("by_header", [True, False])
def test_the_sources_own_names_are_read_by_a_signal_map(tmp_path, by_header):
    signals = None if by_header else SignalMap((Signal("clamp", Meaning.SPINDLE_POWER, unit="kW"),))
    said = {"signal_map": MAP} if by_header else {}
    path = recorded(tmp_path / "a.run", {"clamp": np.full(30, 1.5)}, gaps=[(1.7e9 + 1, 1.7e9 + 2, "lost")], **said)
    run = read_run(path, signals)
    assert run.columns.values["power"].tolist() == [1500.0] * 30


def test_names_that_nobody_explains_are_refused(tmp_path):
    path = recorded(tmp_path / "a.run", {"clamp": np.ones(3)})
    with pytest.raises(InputError, match=r"a\.run was recorded under the source's own names"):
        read_run(path)


def test_of_rows_with_one_time_the_first_counts(tmp_path):
    path = tmp_path / "a.run"
    with Recording.create(path, RecordingHeader(started=1.7e9)) as recording:
        recording.append([1.7e9, 1.7e9, 1.7e9 + 1], {"power": [1.0, 2.0, 3.0]})
        recording.finish()
    assert read_run(path).columns.values["power"].tolist() == [1.0, 3.0]
