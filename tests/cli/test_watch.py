# SPDX-License-Identifier: LGPL-2.1-or-later
"""Watching a machine, proposing its signal map and copying its recordings, from the command line."""

import os
import subprocess
import sys

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from calling import ROOT
from freecad_camtwin.cli.main import camtwin
from freecad_camtwin.cli.state_line import state_line
from freecad_camtwin.twin.signals.frames import Frames
from freecad_camtwin.twin.signals.signal_map import Meaning, read_signals
from freecad_camtwin.twin.signals.state import State
from recordings import seconds, write


def called(*words):
    return CliRunner().invoke(camtwin, list(words))


@pytest.fixture(autouse=True)
def table(tmp_path, monkeypatch):
    """A second of a mill at 1 kHz."""
    lines = [f"{1.7e9 + row / 1000},{row / 100},{400 + row % 3},{row // 10},ACTIVE" for row in range(1000)]
    (tmp_path / "mill.csv").write_text("\n".join(["time,x,clamp/watt,line,execution", *lines]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_state_is_told_as_lines_of_json():
    ended = called("--quiet", "watch", "replay:mill.csv?speed=2", "--json", "--every", "0.05")
    assert ended.exit_code == 0, ended.output
    states = [msgspec.json.decode(line, type=State) for line in ended.stdout.splitlines()]
    assert len(states) > 3
    assert [state.rows for state in states] == sorted(state.rows for state in states)
    last = states[-1]
    assert (last.rows, last.x, last.power, last.line, last.execution) == (1000, 9.99, 400, 99, "ACTIVE")


def test_the_state_is_told_as_lines_to_read():
    ended = called("watch", "replay:mill.csv?speed=max")
    assert "clamp/watt is SPINDLE_POWER" in ended.stderr
    assert "ACTIVE · line 99 · 400 W" in ended.stdout.splitlines()[-1]


def test_watching_ends_after_so_long():
    ended = called("--quiet", "watch", "replay:mill.csv?speed=0.01", "--json", "--duration", "0.3")
    assert ended.exit_code == 0
    assert msgspec.json.decode(ended.stdout.splitlines()[-1], type=State).rows < 100


def test_nothing_but_frames_comes_out_of_the_pipe():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
    ended = subprocess.run(
        [sys.executable, "-m", "freecad_camtwin.cli.main", "watch", "csv:mill.csv", "--pipe"],
        capture_output=True,
        env=environment,
        check=True,
    )
    rows = [frame.rows for frame in Frames().take(ended.stdout)]
    np.testing.assert_array_equal(np.concatenate([each.column("line") for each in rows]), np.arange(1000) // 10)


def test_a_line_says_what_is_known_and_nothing_else():
    assert state_line(State()) == "0 rows/s"
    state = State(
        rate=998.6, execution="ACTIVE", operation=1, label="Pocket", move=812, tool=3, progress=0.421, power=431.2,
        predicted_power=405.9, feed_override=80.0, rapid_override=100.0, gaps=1, dropped={"garbage": 3, "late": 2},
        lost="the broker was lost", simulated=True,
    )  # fmt: skip
    assert state_line(state) == (
        "SIMULATED · 999 rows/s · ACTIVE · Pocket · move 812 · T3 · 42% · 431 W (predicted 406 W) · feed 80 % · "
        "1 gap · 5 dropped · NO DATA: the broker was lost"
    )


def test_a_map_is_proposed_written_checked_and_used(table):
    ended = called("signals", "csv:mill.csv", "-o", "map.toml")
    assert ended.exit_code == 0, ended.output
    assert "clamp/watt" in ended.stdout
    found = read_signals(table / "map.toml")
    assert found.of(Meaning.SPINDLE_POWER).item == "clamp/watt"
    assert called("signals", "check", "map.toml").stdout == ended.stdout
    assert called("record", "csv:mill.csv", "--signals", "map.toml", "-o", "run").exit_code == 0
    (table / "map.toml").write_text("[[signals]]\nitem = 'x'\nmeaning = 'POSITION'\n")
    ended = called("signals", "check", "map.toml")
    assert ended.exit_code == 3
    assert "is none of SPINDLE_LOAD" in ended.stderr
    assert called("signals", "check", "none.toml").exit_code == 3


def test_a_recording_is_copied_for_other_tools(table):
    write(table / "run", seconds(3), {"load": [1, 2, 3]})
    ended = called("export", "run", "--parquet", "run.parquet", "--influx", "run.lp")
    assert ended.exit_code == 0, ended.output
    assert ended.stdout == "run.parquet written.\n3 lines written.\n"
    assert len((table / "run.lp").read_text().splitlines()) == 3
    for words, sentence in (
        (("mill.csv", "--parquet", "a.parquet"), "is not a recording"),
        (("run", "--influx", "no/run.lp"), "the folder no does not exist"),
        (("run", "--parquet", "no/run.parquet"), "the folder no does not exist"),
        (("run", "--postgres", "postgresql://127.0.0.1:1/none"), "PostgreSQL refused"),
    ):
        ended = called("export", *words)
        assert ended.exit_code == 3
        assert sentence in ended.stderr
    assert called("export", "run").exit_code == 2


def test_a_recording_is_no_target_of_its_own_copy(table):
    write(table / "run", seconds(3), {"load": [1, 2, 3]})
    write(table / "run.events.parquet", seconds(3), {"load": [1, 2, 3]})
    before = {path.name: path.read_bytes() for path in table.iterdir()}
    for words in (
        ("run", "--parquet", "run"),
        ("run", "--influx", "./run"),
        ("run.events.parquet", "--parquet", "run.parquet"),
    ):
        ended = called("export", *words)
        assert ended.exit_code == 3
        assert "is the input itself" in ended.stderr
    for words in (("--parquet", "a", "--influx", "a"), ("--parquet", "a", "--influx", "a.events.parquet")):
        ended = called("export", "run", *words)
        assert ended.exit_code == 2
        assert "two results have the same file name" in ended.stderr
    assert called("export", "run", "--parquet", "-").exit_code == 2
    assert {path.name: path.read_bytes() for path in table.iterdir()} == before


def test_copies_replace_older_ones_together_or_not_at_all(table):
    write(table / "run", seconds(3), {"load": [1, 2, 3]})
    for name in ("run.parquet", "run.lp"):
        (table / name).write_text("old")
    files = ("--parquet", "run.parquet", "--influx", "run.lp")
    assert called("export", "run", *files, "--postgres", "postgresql://127.0.0.1:1/none").exit_code == 3
    assert [(table / name).read_text() for name in ("run.parquet", "run.lp")] == ["old", "old"]
    for _ in range(2):
        assert called("export", "run", *files).exit_code == 0
        assert len((table / "run.lp").read_text().splitlines()) == 3
    assert sorted(path.name for path in table.iterdir()) == ["mill.csv", "run", "run.lp", "run.parquet"]
    assert called("export", "run", "--influx", "-").stdout == (table / "run.lp").read_text()


def test_a_child_whose_reader_has_gone_ends():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
    with subprocess.Popen(
        [sys.executable, "-m", "freecad_camtwin.cli.main", "watch", "replay:mill.csv?speed=0.001", "--pipe"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    ) as child:
        assert child.stdout.read(1)
        child.stdout.close()
        assert child.wait(60) == 0
