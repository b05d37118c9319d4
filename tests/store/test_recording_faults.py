# SPDX-License-Identifier: LGPL-2.1-or-later
"""However a recording's writer ends, and whatever becomes of the file: what was acknowledged stays, in one sentence."""

import resource
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from freecad_camtwin.errors import InputError, OutputError
from freecad_camtwin.store import schema
from freecad_camtwin.store.reader import RecordingReader
from freecad_camtwin.store.recording import COMMIT_S, Recording
from freecad_camtwin.twin.signals.observation import Event
from recordings import HEADER, seconds, write

ROOT = Path(__file__).resolve().parent.parent.parent

WRITER = """
import sys, time
import numpy as np
from freecad_camtwin.store.recording import Recording
from freecad_camtwin.store.schema import RecordingHeader
with Recording.create(sys.argv[1], RecordingHeader(started=time.time())) as recording:
    row = 0
    while True:
        now = time.time()
        recording.append(now + np.arange(10) * 1e-4, {"row": np.arange(row, row + 10)})
        row += 10
        print(row, now, recording.acknowledged, flush=True)
        time.sleep(0.005)
"""


def child(*arguments: str, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'kernels'}"},
        **options,
    )


def test_a_killed_writer_loses_its_last_moments_and_nothing_acknowledged(tmp_path):
    writer = child(WRITER, str(tmp_path / "run"))
    begun = time.monotonic()
    told = []
    for line in writer.stdout:
        told.append(line.split())
        if time.monotonic() - begun > 3 and int(told[-1][2]):
            break
    writer.send_signal(signal.SIGKILL)
    told += [line.split() for line in writer.stdout if line.endswith("\n") and len(line.split()) == 3]
    writer.wait()
    writer.stdout.close()
    given, newest, acknowledged = int(told[-1][0]), float(told[-1][1]), int(told[-1][2])
    with RecordingReader(tmp_path / "run") as reader:
        rows = reader.query(["row"])
        assert reader.finished is None
    assert_array_equal(rows.columns["row"], np.arange(len(rows)))
    assert acknowledged <= len(rows) <= given + 10
    assert newest - rows.time[-1] < 5 * COMMIT_S  # COMMIT_S is usual; `make faults` holds the second that is stated


def test_readers_in_another_process_see_a_growing_beginning_of_the_run_and_never_a_torn_one(tmp_path):
    writer = child(WRITER, str(tmp_path / "run"))
    writer.stdout.readline()
    seen = [0]
    begun = time.monotonic()
    while time.monotonic() - begun < 3:
        with RecordingReader(tmp_path / "run") as one, RecordingReader(tmp_path / "run") as other:
            rows = one.query(["row"]).columns["row"]
            assert_array_equal(rows, np.arange(len(rows)))
            assert one.counters.recorded >= len(rows)
            assert len(other.query()) >= len(rows)
        seen.append(len(rows))
        time.sleep(0.01)
    writer.kill()
    writer.communicate()
    assert sorted(seen) == seen
    assert len(set(seen)) > 2


FILLER = """
import sys
import numpy as np
from freecad_camtwin.errors import OutputError
from freecad_camtwin.store.recording import Recording
from freecad_camtwin.store.schema import RecordingHeader
noise = np.random.default_rng(0)
recording = Recording.create(sys.argv[1], RecordingHeader(started=1.7e9))
row = 0
try:
    while True:
        rows = np.arange(row, row + 1000)
        recording.append(1.7e9 + rows, {"row": rows, "noise": noise.random(1000)})
        recording.sync()
        row += 1000
except OutputError as error:
    print(recording.acknowledged)
    print(error)
try:
    recording.append([0.0], {})
except OutputError as error:
    print(error)
recording.close()
"""


def test_a_full_disk_gives_one_sentence_and_what_was_acknowledged_stays_readable(tmp_path):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    writer = child(FILLER, str(tmp_path / "run"), preexec_fn=limit)
    told, _ = writer.communicate(timeout=120)
    acknowledged, sentence, again = told.splitlines()
    assert writer.returncode == 0
    assert sentence == again
    assert sentence.startswith("run cannot be written any further (")
    assert sentence.endswith(f"); its first {acknowledged} rows are safe")
    with RecordingReader(tmp_path / "run") as reader:
        assert_array_equal(reader.query(["row"]).columns["row"], np.arange(int(acknowledged)))
    assert int(acknowledged) > 5_000


def test_a_recording_never_overwrites_a_file(tmp_path):
    (tmp_path / "run").write_text("precious")
    with pytest.raises(OutputError, match="exists; a recording never overwrites a file"):
        Recording.create(tmp_path / "run", HEADER)
    assert (tmp_path / "run").read_text() == "precious"
    with pytest.raises(OutputError, match="cannot be created: No such file or directory"):
        Recording.create(tmp_path / "none" / "run", HEADER)


def test_columns_that_do_not_fit_their_times_are_refused_before_anything_is_kept(tmp_path):
    with Recording.create(tmp_path / "run", HEADER) as recording:
        with pytest.raises(ValueError, match="load"):
            recording.append([1.0, 2.0], {"x": [1, 2], "load": [1, 2, 3]})
        with pytest.raises(ValueError, match="named time"):
            recording.append([1.0], {"time": [1]})
        recording.finish()
    with RecordingReader(tmp_path / "run") as reader:
        assert len(reader.query()) == 0
        assert reader.span is None


def test_words_that_no_database_takes_do_not_end_a_recording(tmp_path):
    words = [Event(float("nan"), "BLOCK", "G1"), Event(1.0, "BLOCK", "\ud800 half a pair"), Event(2.0, "BLOCK", "a\0b")]
    with Recording.create(tmp_path / "run", HEADER) as recording:
        recording.append([1.0], {"operation": [np.inf], "x": [-np.inf]}, words)
        recording.finish()
    with RecordingReader(tmp_path / "run") as reader:
        assert [event.value for event in reader.events()] == ["? half a pair", "a\0b"]
        assert reader.counters.dropped == {"word without a time": 1}
        assert reader.operations == ()
        assert_array_equal(reader.query(["x"]).columns["x"], [-np.inf])


def test_what_is_no_recording_is_named_in_one_sentence(tmp_path):
    (tmp_path / "text").write_text("G1 X10 F500\n" * 500)
    (tmp_path / "empty").touch()
    foreign = sqlite3.connect(tmp_path / "foreign")
    foreign.execute("CREATE TABLE t (x)")
    foreign.close()
    for name, words in (
        ("text", "text is not a recording, or it is damaged: file is not a database"),
        ("empty", "empty is not a recording of CAM Twin"),
        ("foreign", "foreign is not a recording of CAM Twin"),
        ("absent", "there is no recording"),
    ):
        with pytest.raises(InputError, match=words):
            RecordingReader(tmp_path / name)


def test_a_recording_of_a_newer_form_is_left_alone(tmp_path):
    write(tmp_path / "run", seconds(3), {"load": [1, 2, 3]})
    newer = sqlite3.connect(tmp_path / "run")
    newer.execute(f"PRAGMA user_version = {schema.RECORDING_VERSION + 1}")
    newer.close()
    with pytest.raises(InputError, match="by a newer CAM Twin"):
        RecordingReader(tmp_path / "run")


def test_damage_anywhere_gives_one_sentence_or_the_truth(tmp_path):
    write(tmp_path / "run", seconds(20_000), {"load": np.random.default_rng(4).normal(50, 5, 20_000)})
    whole = (tmp_path / "run").read_bytes()
    refused = []
    for spot in np.random.default_rng(5).integers(0, len(whole) - 600, 60):
        broken = bytearray(whole)
        broken[spot : spot + 600] = bytes(600)
        (tmp_path / "broken").write_bytes(broken)
        try:
            with RecordingReader(tmp_path / "broken") as reader:
                reader.query(), reader.bands("load", 10), reader.counters, reader.events(), reader.gaps()
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 30
    assert all("broken" in sentence for sentence in refused)
    (tmp_path / "broken").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="broken"), RecordingReader(tmp_path / "broken") as reader:
        reader.query()


def test_single_wrong_bytes_never_give_more_than_one_sentence(tmp_path):
    with Recording.create(tmp_path / "run", HEADER) as recording:
        for second in range(20):
            columns = {"load": np.arange(20) / 10, "operation": np.full(20, second // 10)}
            recording.append(second + np.arange(20) / 20, columns, [Event(second, "BLOCK", f"G1 X{second}")])
        recording.gap(3.0, 4.0, "silence")
        recording.count(received=400, dropped={"garbage": 1})
        recording.finish()
    whole = (tmp_path / "run").read_bytes()
    random = np.random.default_rng(6)
    refused = 0
    for _ in range(300):
        broken = bytearray(whole)
        for spot in random.integers(0, len(whole), 10):
            broken[spot] = random.integers(256)
        (tmp_path / "broken").write_bytes(broken)
        try:
            with RecordingReader(tmp_path / "broken") as reader:
                list(reader.arrivals()), reader.query(["load"], operation=1), reader.bands("load", 10)
                reader.counters, reader.events(), reader.gaps(), reader.span, reader.operations, reader.finished
        except InputError:
            refused += 1
    assert refused > 30
