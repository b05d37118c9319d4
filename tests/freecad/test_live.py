# SPDX-License-Identifier: LGPL-2.1-or-later
"""Live data reach FreeCAD through a child, and nothing that happens to the child hurts FreeCAD."""

import os
import shutil
import sys
import time
from pathlib import Path

import FreeCAD as App
import numpy as np
import pytest

pytest.importorskip("msgspec")

from freecad_camtwin.document import live
from freecad_camtwin.document.live import LiveFeed
from freecad_camtwin.errors import ConnectorError

#: Longer than any of it takes, on a machine that does ten other things [s].
PATIENCE = 120
ROWS = 3000


@pytest.fixture(autouse=True)
def python(tmp_path, monkeypatch):
    """A Python for the child: that of this FreeCAD's system, with the packages of the tests."""
    site = next(
        folder for folder in sys.path if (Path(folder) / "msgspec").is_dir() and (Path(folder) / "rich").is_dir()
    )
    script = tmp_path / "python"
    script.write_text(
        f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{site}" exec {shutil.which("python3")} "$@"\n', encoding="utf-8"
    )
    script.chmod(0o755)
    monkeypatch.setenv("CAMTWIN_PYTHON", str(script))
    return script


@pytest.fixture
def table(tmp_path):
    """Three seconds of a mill that cuts one move of a path after the other, at 1 kHz."""
    lines = [f"{1.7e9 + row / 1000},{row / 100},{400 + row // 100}" for row in range(ROWS)]
    path = tmp_path / "mill.csv"
    path.write_text("\n".join(["time,x,power", *lines]), encoding="utf-8")
    return path


@pytest.fixture
def feed(table):
    feed = LiveFeed(f"replay:{table}?speed=2")
    yield feed
    feed.stop()


def drained(feed, enough):
    """Drain a feed as a timer would, until ``enough``; return how many rows came."""
    deadline, rows = time.monotonic() + PATIENCE, 0
    while not enough(rows):
        rows += feed.drain()
        assert time.monotonic() < deadline, (feed.ended, feed.state)
        time.sleep(0.02)
    return rows


def test_rows_and_state_arrive_while_a_document_stays_as_it_is(feed, whole_job):
    document = whole_job.Document
    touched = [each.Name for each in document.Objects if "Touched" in each.State]
    feed.start()
    rows = drained(feed, lambda rows: not feed.is_running)
    assert rows == ROWS
    assert feed.lost == 0
    assert feed.ended == "the source has ended"
    recent = feed.recent()
    np.testing.assert_allclose(recent.column("power"), 400 + np.arange(ROWS) // 100)
    assert feed.state.x == pytest.approx(ROWS / 100 - 0.01)
    assert [each.Name for each in document.Objects if "Touched" in each.State] == touched


def test_the_newest_sample_of_every_move_is_kept():
    feed = LiveFeed("replay:none")
    rows = live.Columns(
        np.arange(6.0),
        {"move": np.array([0, 0, 3, 3, np.nan, 1e12]), "power": np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])},
    )
    feed.newest.take(rows)
    np.testing.assert_array_equal(feed.newest.power, [2, np.nan, np.nan, 4])
    np.testing.assert_array_equal(feed.newest.time, [1, np.nan, np.nan, 3])


def test_a_child_that_is_killed_is_told_in_one_sentence_and_comes_back_when_asked(table):
    feed = LiveFeed(f"replay:{table}?speed=0.1")
    feed.start()
    drained(feed, lambda rows: rows)
    feed._child.kill()
    drained(feed, lambda rows: not feed.is_running)
    assert feed.ended == "the process that receives the machine's data was ended by SIGKILL"
    assert feed.drain() == 0
    feed.start()
    drained(feed, lambda rows: rows)
    feed.stop()
    assert feed.ended == "it was stopped"


def test_what_the_child_says_is_the_sentence(table):
    feed = LiveFeed("mqtt://127.0.0.1:1/nobody", options=("--patience", "0"))
    feed.start()
    drained(feed, lambda rows: not feed.is_running)
    # Without paho, which FreeCAD's Python lacks, the sentence says so instead.
    assert "cannot be reached" in feed.ended or "is not installed" in feed.ended
    assert "\n" not in feed.ended


def test_without_a_python_there_is_one_sentence(monkeypatch):
    monkeypatch.setenv("CAMTWIN_PYTHON", "/nowhere/python")
    with pytest.raises(ConnectorError, match="there is no /nowhere/python; make one"):
        LiveFeed("replay:none").start()
    monkeypatch.delenv("CAMTWIN_PYTHON")
    monkeypatch.setattr(live, "ROOT", Path("/nowhere"))
    App.ParamGet(live.PREFERENCES).RemString("Python")
    with pytest.raises(ConnectorError, match="live data need a separate Python"):
        live.find_python()
    App.ParamGet(live.PREFERENCES).SetString("Python", os.devnull)
    with pytest.raises(ConnectorError, match="there is no"):
        live.find_python()
    App.ParamGet(live.PREFERENCES).RemString("Python")
