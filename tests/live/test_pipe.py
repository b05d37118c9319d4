# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes into a pipe of live data comes out of it; a slow reader loses the oldest and nothing else."""

import os
import select
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from freecad_camtwin.errors import InputError
from freecad_camtwin.live import pipe as pipes
from freecad_camtwin.live.flow import Block
from freecad_camtwin.live.pipe import Pipe
from freecad_camtwin.twin.signals.columns import Columns
from freecad_camtwin.twin.signals.frames import LONGEST_FRAME, Frames, encode
from freecad_camtwin.twin.signals.state import State

#: Longer than any of it takes, on a machine that does ten other things [s].
PATIENCE = 60


def numbered(first, count):
    number = np.arange(first, first + count, dtype=float)
    return Columns(1.7e9 + number, {"row": number, "power": 2 * number})


@given(st.lists(st.integers(0, 40), max_size=5), st.lists(st.integers(1, 300), max_size=20))
def test_frames_come_out_whole_however_the_pipe_cuts_them(sizes, cuts):
    sent = [numbered(7 * at, size) for at, size in enumerate(sizes)]
    data = b"".join(encode(State(rows=at), each.time, each.values, at) for at, each in enumerate(sent))
    frames, found = Frames(), []
    for cut in [*cuts, len(data)]:
        found += frames.take(data[:cut])
        data = data[cut:]
    assert [frame.state.rows for frame in found] == list(range(len(sent)))
    for frame, each in zip(found, sent, strict=True):
        assert_array_equal(frame.rows.time, each.time)
        assert_array_equal(frame.rows.column("power"), each.column("power"))


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",
        b"\x05\0\0\0hello",
        b"Traceback (most recent call last):",
        encode(State(), np.zeros(1), {}, 0).replace(b"\xa7version\x01", b"\xa7version\x02"),
    ],
)
def test_what_is_no_frame_is_one_sentence(data):
    with pytest.raises(InputError, match="live data"):
        Frames().take(data)


def test_columns_that_do_not_fit_are_refused():
    (frame,) = Frames().take(encode(State(), np.zeros(2), {"x": np.zeros(3)}, 0))
    with pytest.raises(InputError, match="different lengths"):
        _ = frame.rows
    frame.time = b"123"
    with pytest.raises(InputError, match="cut off"):
        _ = frame.rows


@pytest.fixture
def ends():
    reader, writer = os.pipe()
    yield reader, writer
    for end in (reader, writer):
        try:
            os.close(end)
        except OSError:  # the test has closed it
            continue


def test_rows_are_told_when_they_come_and_not_at_the_next_beat(ends, monkeypatch):
    monkeypatch.setattr(pipes, "BEAT", 10 * PATIENCE)
    reader, writer = ends
    pipe = Pipe(writer)
    time.sleep(0.2)  # by now it waits for its beat
    pipe.put(Block(numbered(0, 3)), State(rows=3))
    assert select.select([reader], [], [], PATIENCE)[0]
    (frame,) = Frames().take(os.read(reader, 65536))
    assert_array_equal(frame.rows.column("row"), [0, 1, 2])
    pipe.end()


def test_a_reader_that_sleeps_loses_the_oldest_rows_and_is_told_how_many(ends, monkeypatch):
    monkeypatch.setattr(pipes, "_MOST_ROWS", 1000)
    reader, writer = ends
    pipe = Pipe(writer)
    for at in range(0, 100_000, 100):
        pipe.put(Block(numbered(at, 100)), State(rows=at + 100))
        assert pipe._rows <= 1100
        if at == 20_000:
            time.sleep(0.2)  # the pipe of the system fills, and then nobody takes anything
    os.set_blocking(reader, False)
    frames, found = Frames(), []
    deadline = time.monotonic() + PATIENCE
    while not found or found[-1].state.rows < 100_000 or found[-1].lost == 0 or pipe._rows:
        assert time.monotonic() < deadline
        try:
            found += frames.take(os.read(reader, 1 << 16))
        except BlockingIOError:
            time.sleep(0.01)
    pipe.end()
    rows = np.concatenate([frame.rows.column("row") for frame in found])
    assert (np.diff(rows) > 0).all()
    assert rows[-1] == 99_999
    assert found[-1].lost == 100_000 - len(rows) > 50_000


def test_the_state_is_told_though_nothing_comes(ends, monkeypatch):
    monkeypatch.setattr(pipes, "BEAT", 0.02)
    reader, writer = ends
    pipe = Pipe(writer)
    frames, found = Frames(), []
    while len(found) < 3:
        found += frames.take(os.read(reader, 1 << 16))
    pipe.end()
    assert all(frame.rows.rows == 0 for frame in found)


def test_a_reader_that_has_gone_is_noticed(ends, monkeypatch):
    monkeypatch.setattr(pipes, "BEAT", 0.02)
    reader, writer = ends
    os.close(reader)
    pipe = Pipe(writer)
    deadline = time.monotonic() + PATIENCE
    while not pipe.is_broken:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_many_rows_at_once_are_told_in_frames_that_a_reader_takes(ends):
    block = Block(numbered(0, 45_000 * 20 // 20))
    wide = Columns(block.columns.time, {f"c{at}": block.columns.time for at in range(30)})
    reader, writer = ends
    pipe = Pipe(writer)
    pipe.put(Block(wide), State())
    frames, found = Frames(), []
    while sum(frame.rows.rows for frame in found) < 45_000:
        found += frames.take(os.read(reader, LONGEST_FRAME))
    pipe.end()
    assert len([frame for frame in found if frame.rows.rows]) > 1
