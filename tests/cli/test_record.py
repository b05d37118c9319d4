# SPDX-License-Identifier: LGPL-2.1-or-later
"""Recording from the command line: what comes out, and one sentence where nothing can."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_array_equal

from calling import ROOT
from freecad_camtwin.cli.connecting import show_choice
from freecad_camtwin.cli.main import camtwin as commands
from freecad_camtwin.errors import InputError
from freecad_camtwin.live.choose import Choice
from freecad_camtwin.store.reader import RecordingReader
from freecad_camtwin.twin.signals.signal_map import Meaning, Signal, SignalMap

#: Longer than any of it takes, on a machine that does ten other things [s].
PATIENCE = 60
STATES = ("ACTIVE", "READY")


@pytest.fixture
def table(tmp_path):
    """Ten seconds of an old mill at 100 Hz, as a logger wrote them."""
    lines = [f"{1.7e9 + row / 100},{row / 10},{400 + row % 7},{STATES[row // 900]}" for row in range(1000)]
    (tmp_path / "mill.csv").write_text("\n".join(["time,x,watt,state", *lines]))
    (tmp_path / "map.toml").write_text(
        'name = "old mill"\n'
        '[[signals]]\nitem = "x"\nmeaning = "POSITION_X"\n'
        '[[signals]]\nitem = "watt"\nmeaning = "SPINDLE_POWER"\n'
        '[[signals]]\nitem = "state"\nmeaning = "EXECUTION"\n'
    )
    return tmp_path


def called(*words):
    return CliRunner().invoke(commands, ["record", *words])


def test_a_table_becomes_a_recording_by_its_signal_map(table, monkeypatch):
    monkeypatch.chdir(table)
    ended = called("csv:mill.csv", "--signals", "map.toml", "-o", "run", "--operator", "Ada")
    assert ended.exit_code == 0, ended.output
    assert ended.stdout == "run: 1,000 rows; its source has ended.\n"
    assert ended.stderr == ""
    with RecordingReader("run") as reader:
        assert (reader.header.operator, reader.header.machine) == ("Ada", "old mill")
        assert_array_equal(reader.query().columns["power"], 400 + np.arange(1000) % 7)
        assert [event.value for event in reader.events(item="execution")] == ["ACTIVE", "READY"]


def test_a_recording_recorded_again_is_the_same_without_a_signal_map(table, monkeypatch):
    monkeypatch.chdir(table)
    called("csv:mill.csv", "--signals", "map.toml", "-o", "run")
    ended = called("replay:run?speed=max", "-o", "again")
    assert ended.exit_code == 0, ended.output
    assert "power is SPINDLE_POWER" in ended.stderr
    with RecordingReader("run") as first, RecordingReader("again") as again:
        assert again.query().columns.keys() == first.query().columns.keys()
        assert_array_equal(again.query().columns["power"], first.query().columns["power"])
        assert again.events() == first.events()


def test_what_was_only_listened_to_for_a_map_is_said_to_be_lost(capsys):
    signals = SignalMap((Signal("watt", Meaning.SPINDLE_POWER),))
    show_choice(Choice(signals, (), is_proposed=True, listened=3.04))
    assert "The data of the 3.0 s that this took are not kept; with --signals" in capsys.readouterr().err
    show_choice(Choice(signals, (), is_proposed=True))
    assert "listened" not in capsys.readouterr().err


@contextmanager
def started(*words, cwd):
    """Start camtwin in a process of its own, and end it in any case."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "kernels")])}
    with subprocess.Popen(
        [sys.executable, "-m", "freecad_camtwin.cli.main", *words],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def safe_rows(path):
    """Return how many rows of a recording that is being made are safe."""
    try:
        with RecordingReader(path) as reader:
            return len(reader.query())
    except InputError:  # it has not begun
        return 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_is_interrupted_finishes_the_recording(table, number):
    words = ("record", "replay:mill.csv", "--signals", "map.toml", "-o", "run", "--until", "stopped")
    with started(*words, cwd=table) as recorder:
        deadline = time.monotonic() + PATIENCE
        while not safe_rows(table / "run"):
            assert time.monotonic() < deadline
            assert recorder.poll() is None, recorder.communicate()
            time.sleep(0.05)
        recorder.send_signal(number)
        out, err = recorder.communicate(timeout=PATIENCE)
    assert recorder.returncode == 0, err
    assert out.endswith("; it was stopped by Ctrl-C or a signal.\n")
    with RecordingReader(table / "run") as reader:
        assert reader.finished is not None
        assert 0 < len(reader.query()) < 1000


@pytest.mark.parametrize("words", [("record", "-o", "run"), ("signals", "-o", "map.toml", "--listen", "60")])
def test_who_is_interrupted_before_there_is_anything_leaves_nothing(table, words):
    with socket.create_server(("127.0.0.1", 0)) as agent:
        agent.settimeout(PATIENCE)
        url = f"shdr://127.0.0.1:{agent.getsockname()[1]}"
        with started(words[0], url, *words[1:], cwd=table) as waiting:
            talk, _ = agent.accept()
            with talk:
                waiting.send_signal(signal.SIGINT)
                out, err = waiting.communicate(timeout=PATIENCE)
    assert (waiting.returncode, out) == (130, ""), err
    assert err.splitlines() == ["camtwin: it was interrupted before there was a result."]
    assert sorted(path.name for path in table.iterdir()) == ["map.toml", "mill.csv"]


def test_what_cannot_be_recorded_is_one_sentence(table, monkeypatch):
    monkeypatch.chdir(table)
    (table / "taken").touch()
    (table / "empty.toml").write_text("")
    (table / "words.csv").write_text("time,colour\n1,red\n")
    good = ("--signals", "map.toml", "-o", "run")
    for words, sentence in (
        (("csv:mill.csv", "--signals", "map.toml", "-o", "taken"), "taken exists"),
        (("csv:mill.csv", "--signals", "map.toml", "-o", "no/run"), "the folder no does not exist"),
        (("csv:mill.csv", "--signals", "empty.toml", "-o", "run"), "signals is missing"),
        (("csv:mill.csv", "--signals", "none.toml", "-o", "run"), "none.toml cannot be read"),
        (("csv:none.csv", *good), "none.csv cannot be read"),
        (("csv:words.csv", *good), "no item of the signal map was received"),
        (("csv:words.csv", "-o", "run"), "offers colour, but no item has a known meaning"),
        (("ftp://mill", *good), "must begin with one of"),
        (("mqtt://me:secret@mill/a", *good), "holds a password"),
        (("csv:mill.csv", *good, "--job", "map.toml"), "is not a CAM Twin package"),
        (("csv:mill.csv", *good, "--user", "me", "--password-file", "none"), "password file none cannot be read"),
        (("csv:mill.csv", *good, "--user", "me", "--password-env", "NOBODY_SET"), "NOBODY_SET is not set"),
        (("mqtt://127.0.0.1:1/a", *good, "--patience", "0"), "cannot be reached"),
    ):
        ended = called(*words)
        assert ended.exit_code == 3, ended.output
        assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
        assert sentence in ended.stderr
        assert "secret" not in ended.output
    assert not (table / "run").exists()
