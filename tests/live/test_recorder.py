# SPDX-License-Identifier: LGPL-2.1-or-later
"""A recording holds what the source said, where it was silent, what was dropped; and it ends when the run does."""

import asyncio
import gc
import time

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from freecad_camtwin.errors import ConnectorError, OutputError
from freecad_camtwin.live import flow as flows
from freecad_camtwin.live import recorder as recorders
from freecad_camtwin.live import writer as writers
from freecad_camtwin.live.flow import Flow
from freecad_camtwin.live.recorder import Recorder, Until
from freecad_camtwin.store.reader import RecordingReader
from freecad_camtwin.store.recording import Recording
from freecad_camtwin.store.schema import Gap, RecordingHeader
from freecad_camtwin.twin.signals.observation import Event, Samples
from live_sources import PATIENCE, SIGNALS, START, Script, gap, recorded, rows, rows_in, state


def test_rows_words_and_the_header_are_what_the_source_said(tmp_path):
    said = [state("ACTIVE"), Event(START, "name", "part.ngc"), rows(0, 500), rows(500, 500)]
    ended, reader = recorded(tmp_path / "run", *said, simulated=True)
    with reader:
        kept = reader.query()
        assert_array_equal(kept.time, START + np.arange(1000) / 1000)
        assert_array_equal(kept.columns["line"], np.arange(1000))
        np.testing.assert_allclose(kept.columns["power"], np.arange(1000))
        assert [(word.item, word.value) for word in reader.events()] == [
            ("execution", "ACTIVE"), ("program", "part.ngc"),
        ]  # fmt: skip
        assert reader.header.simulated
        assert reader.header.program == "part.ngc"
        assert reader.header.started == START
        assert "SPINDLE_POWER" in reader.header.signal_map
        assert reader.finished == START + 0.999
        assert reader.counters.received == 4
    assert ended.rows == 1000
    assert ended.reason == "its source has ended"


def test_a_source_that_turns_out_to_be_simulated_is_told_so_in_the_header(tmp_path):
    connector = Script()
    connector.said = (rows(0, 10), 0.2, lambda: setattr(connector.told, "simulated", True), rows(10, 10), 0.2)

    async def run():
        flow = Flow(connector, SIGNALS)
        await Recorder(flow, tmp_path / "run", RecordingHeader(0.0), package=None, until=Until()).run()

    asyncio.run(run())
    with RecordingReader(tmp_path / "run") as reader:
        assert reader.header.simulated


def test_a_run_starts_with_its_first_row_though_its_state_is_older(tmp_path):
    said = [state("READY", START - 86400), 0.2, rows(0, 10)]
    _, reader = recorded(tmp_path / "run", *said)
    with reader:
        assert reader.header.started == START
        assert [word.time for word in reader.events()] == [START - 86400]


def test_a_source_has_time_to_say_farewell(tmp_path):
    farewells = []

    class Polite(Script):
        async def observations(self):
            try:
                async for each in super().observations():
                    yield each
                await asyncio.sleep(PATIENCE)
            finally:
                await asyncio.sleep(0.8)
                farewells.append("goodbye")

    async def run():
        flow = Flow(Polite(rows(0, 10)), SIGNALS)
        asyncio.get_running_loop().call_later(0.2, flow.stop)
        await Recorder(flow, tmp_path / "run", RecordingHeader(0.0), package=None, until=Until()).run()

    asyncio.run(run())
    assert farewells == ["goodbye"]


def test_a_line_number_that_no_program_has_is_not_known(tmp_path):
    ended, reader = recorded(tmp_path / "run", rows(0, 10, row=np.full(10, 1e20)))
    with reader:
        assert ended.rows == 10
    assert ended.state.line is None


def test_what_was_loaded_before_is_not_searched_for_garbage_while_rows_come(tmp_path):
    frozen = []

    async def run():
        connector = Script(rows(0, 10), lambda: frozen.append(gc.get_freeze_count()))
        await Recorder(
            Flow(connector, SIGNALS), tmp_path / "run", RecordingHeader(0.0), package=None, until=Until()
        ).run()

    asyncio.run(run())
    assert frozen[0] > 10_000
    assert gc.get_freeze_count() == 0


def test_a_gap_lies_between_the_rows_before_and_after_it(tmp_path):
    said = [rows(0, 100), gap(START + 77), gap(START + 78, "silence"), rows(3000, 10), rows(3010, 10), gap(START + 99)]
    _, reader = recorded(tmp_path / "run", *said)
    with reader:
        assert reader.gaps() == (
            Gap(START + 0.099, START + 3.0, "the broker was lost"),
            Gap(START + 0.099, START + 3.0, "silence"),
            Gap(START + 3.019, None, "the broker was lost"),
        )


def test_late_doubled_and_timeless_rows_are_counted_and_not_kept(tmp_path):
    timeless = Samples(np.array([np.nan, np.inf]), ("row",), np.zeros((2, 1)))
    strange = Samples(np.array([START]), ("nobody knows",), np.zeros((1, 1)))
    _, reader = recorded(tmp_path / "run", rows(100, 100), rows(0, 50), rows(150, 100), timeless, strange)
    with reader:
        assert_array_equal(reader.query().columns["line"], np.arange(100, 250))
        assert reader.counters.dropped == {"late or doubled": 100, "timeless": 2, "unmapped": 1}


def test_a_clock_that_is_set_back_is_told_and_its_rows_go_on(tmp_path):
    back = [rows(number, 100) for number in range(0, 8000, 100)]
    _, reader = recorded(tmp_path / "run", rows(100_000, 100), *back)
    with reader:
        assert any("set back" in word.value for word in reader.events(item="warning"))
        assert (np.diff(reader.query().time) > 0).all()
        assert len(reader.query()) > 5000


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(recorders, "IDLE_S", 0.2)


ENDLESS = [each for number in range(6000) for each in (rows(10 * number, 10), 0.01)]


def test_a_recording_ends_with_its_program_once_the_controller_stays_idle(tmp_path, impatient):
    flicker = [state("READY"), state("ACTIVE"), rows(0, 9), state("READY"), 0.1, state("ACTIVE"), 0.2, rows(9, 1)]
    said = [*flicker, state("PROGRAM_COMPLETED"), *ENDLESS]
    ended, reader = recorded(tmp_path / "run", *said)
    reader.close()
    assert ended.reason == "the program has ended"
    assert ended.rows >= 10


def test_a_pause_is_no_end(tmp_path, impatient):
    said = [state("ACTIVE"), rows(0, 10), state("FEED_HOLD"), 0.4, state("INTERRUPTED"), 0.4, rows(10, 10)]
    ended, reader = recorded(tmp_path / "run", *said)
    reader.close()
    assert ended.reason == "its source has ended"


def test_a_controller_that_was_idle_all_along_ends_nothing(tmp_path, impatient):
    ended, reader = recorded(tmp_path / "run", state("READY"), 0.4, rows(0, 10), state("READY"), 0.4)
    reader.close()
    assert ended.reason == "its source has ended"


def test_a_recording_ends_after_so_many_seconds_or_parts(tmp_path):
    ended, reader = recorded(tmp_path / "run", *ENDLESS, until=Until(duration=0.3))
    reader.close()
    assert ended.reason == "0.3 s are over"
    parts = [rows(10 * number, 10, count=np.full(10, 7.0 + number // 20)) for number in range(100)]
    said = [each for block in parts for each in (block, 0.001)]
    ended, reader = recorded(tmp_path / "parts", *said, until=Until(parts=2))
    with reader:
        assert ended.reason == "2 parts are made"
        assert 9 in reader.query().columns["parts"]


def test_who_stops_a_recording_keeps_all_that_came(tmp_path):
    async def run():
        recorder = Recorder(
            Flow(Script(*ENDLESS), SIGNALS), tmp_path / "run", RecordingHeader(0.0), package=None, until=Until()
        )
        task = asyncio.create_task(recorder.run())
        while recorder.state.rows < 200:
            await asyncio.sleep(0.01)
        recorder.stop("it was told to stop")
        return await asyncio.wait_for(task, PATIENCE)

    ended = asyncio.run(run())
    with RecordingReader(tmp_path / "run") as reader:
        assert reader.finished is not None
        assert len(reader.query()) == ended.rows == ended.state.rows >= 200


def test_a_source_that_refuses_us_later_leaves_a_run_that_was_cut_short(tmp_path):
    with pytest.raises(ConnectorError, match="no longer ours"):
        recorded(tmp_path / "run", rows(0, 100), ConnectorError("the broker is no longer ours"))
    with RecordingReader(tmp_path / "run") as reader:
        assert len(reader.query()) == 100
        assert reader.finished is None


def test_a_source_that_never_speaks_leaves_no_file(tmp_path):
    with pytest.raises(ConnectorError, match="no item of the signal map was received"):
        recorded(tmp_path / "run", gap(START), 0.2)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_no_more_ends_the_recording_with_its_sentence(tmp_path, monkeypatch):
    def full(self, *_):
        raise OutputError(f"run cannot be written any further; its first {self.acknowledged} rows are safe")

    async def run():
        recorder = Recorder(
            Flow(Script(*ENDLESS), SIGNALS), tmp_path / "run", RecordingHeader(0.0), package=None, until=Until()
        )
        task = asyncio.create_task(recorder.run())
        while recorder.acknowledged < 100:
            await asyncio.sleep(0.01)
        monkeypatch.setattr(Recording, "append", full)
        await asyncio.wait_for(task, PATIENCE)

    with pytest.raises(OutputError, match="rows are safe"):
        asyncio.run(run())
    with RecordingReader(tmp_path / "run") as reader:
        assert_array_equal(reader.query().columns["line"], np.arange(len(reader.query())))


def test_a_slow_disk_slows_the_source_and_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(flows, "_MOST_CELLS", 2000)
    monkeypatch.setattr(writers, "_MOST_CELLS", 2000)
    append, waiting = Recording.append, []
    given = written = 0

    def slow(self, times, *words):
        nonlocal written
        time.sleep(0.01)
        waiting.append(given - written)
        written += len(times)
        append(self, times, *words)

    def count():
        nonlocal given
        given += 100

    monkeypatch.setattr(Recording, "append", slow)
    said = [each for number in range(300) for each in (rows(100 * number, 100), count)]
    ended, reader = recorded(tmp_path / "run", *said)
    with reader:
        assert_array_equal(reader.query().columns["line"], np.arange(30_000))
    assert ended.rows == 30_000
    assert max(waiting) < 6_000


def test_rows_become_safe_while_the_source_is_silent(tmp_path):
    seen = []

    async def look():
        seen.append(len(await rows_in(tmp_path / "run", 100)))

    recorded(tmp_path / "run", rows(0, 100), look)[1].close()
    assert seen == [100]
