# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows of a running machine get their places on the way into the recording, and none waits long for it."""

import asyncio

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from aligning import made_up
from freecad_camtwin.live import placer as placers
from freecad_camtwin.live.flow import Flow
from freecad_camtwin.live.placer import PathPlacer
from freecad_camtwin.live.recorder import Recorder, Until
from freecad_camtwin.store.reader import RecordingReader
from freecad_camtwin.store.schema import RecordingHeader
from freecad_camtwin.twin.analysis.analysis import analyze
from freecad_camtwin.twin.package.package import make_package
from freecad_camtwin.twin.signals.discovery import Item, propose_signals
from freecad_camtwin.twin.signals.observation import Samples
from live_sources import PATIENCE, Script, rows_in
from plan_jobs import job_of, passes


@pytest.fixture(scope="module")
def package():
    return make_package(analyze(job_of(passes(rows=3)), machine="linuxcnc_sim", material="6061", cell=0.5))


def told(run, rows, step=20):
    """Cut a run into blocks, as a machine would tell it."""
    columns = run.columns()
    for start in range(rows.start, rows.stop, step):
        part = slice(start, min(start + step, rows.stop))
        yield Samples(columns.time[part], ("x", "y", "z"), columns.points[part])


def record(path, package, said):
    signals = propose_signals([Item(name) for name in "xyz"]).signals
    recorder = Recorder(
        Flow(Script(*said), signals, PathPlacer(package)), path, RecordingHeader(0.0), package=package, until=Until()
    )
    return asyncio.run(asyncio.wait_for(recorder.run(), PATIENCE))


def test_a_recorded_row_knows_its_operation_its_move_and_what_was_predicted(package, tmp_path):
    run = made_up(package, every=2, noise=0.003)
    ended = record(tmp_path / "run", package, told(run, slice(0, len(run.time))))
    with RecordingReader(tmp_path / "run") as reader:
        rows = reader.query()
    assert_array_equal(rows.time, run.columns().time)
    move = rows.columns["move"]
    assert np.mean(np.abs(move - run.first) <= 1) > 0.99
    cutting = package.lines.program.is_cutting[run.first]
    assert (rows.columns["operation"][cutting] == 0).mean() > 0.99
    predicted = rows.columns["predicted_power"]
    assert np.nanmax(predicted) == pytest.approx(np.nanmax(package.steps.power))
    assert (np.diff(rows.columns["way"][np.isfinite(rows.columns["way"])]) > -0.5).all()
    assert ended.state.unplaced == np.isnan(rows.columns["way"]).sum()
    assert ended.state.label == package.job.operations[0].label
    assert ended.state.progress == pytest.approx(1.0, abs=0.01)


def test_rows_go_on_without_a_place_that_takes_long_to_find(package, tmp_path, monkeypatch):
    monkeypatch.setattr(placers, "UNPLACED", 0.05)
    run = made_up(package, every=2)
    seen = []

    async def look():
        seen.append(await rows_in(tmp_path / "run", 60))

    # The first rows tell too little of a motion to find the machine by.
    said = [*told(run, slice(0, 60)), look, *told(run, slice(60, len(run.time)))]
    record(tmp_path / "run", package, said)
    assert len(seen[0]) == 60
    with RecordingReader(tmp_path / "run") as reader:
        rows = reader.query()
    assert_array_equal(rows.time, run.columns().time)
    assert np.isnan(seen[0].columns.get("move", np.full(60, np.nan))).all()
    assert np.isfinite(rows.columns["move"][-500:]).all()
