# SPDX-License-Identifier: LGPL-2.1-or-later
"""A recording gives back what came, and lets others read while it is written."""

import sqlite3

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from freecad_camtwin.store.reader import RecordingReader
from freecad_camtwin.store.recording import Recording
from freecad_camtwin.store.schema import CHUNK_ROWS
from freecad_camtwin.twin.signals.observation import Event
from recordings import HEADER, seconds, write

decimals = st.builds(lambda digits, places: digits / 10**places, st.integers(-(10**9), 10**9), st.integers(0, 6))
numbers = st.floats(allow_nan=True, allow_infinity=True) | st.floats(width=32) | decimals


def test_a_recording_knows_whose_it_is(tmp_path):
    write(tmp_path / "run", seconds(3), {"load": [1, 2, 3]})
    with RecordingReader(tmp_path / "run") as reader:
        assert reader.header == HEADER
        assert reader.finished is not None
        assert reader.span == (1.7e9, 1.7e9 + 0.002)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_blocks_of_any_columns_come_back_sorted_with_their_unknowns(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("run")
    names = st.sampled_from(["load", "x", "power", "operation"])
    times_in, expected = [], []
    with Recording.create(folder / "run", HEADER) as recording:
        for _ in range(data.draw(st.integers(0, 4))):
            times = data.draw(hnp.arrays(np.float64, st.integers(0, 30), elements=st.floats(1.6e9, 1.8e9)))
            blocks = {
                name: data.draw(hnp.arrays(np.float64, len(times), elements=numbers))
                for name in data.draw(st.sets(names.filter(lambda name: name != "operation")))
            }
            blocks["operation"] = data.draw(
                hnp.arrays(np.float64, len(times), elements=st.sampled_from([np.nan, 0, 1, 7]))
            )
            recording.append(times, blocks)
            if data.draw(st.booleans()):
                recording.sync()
            times_in += list(times)
            expected += [
                [blocks.get(name, np.full(len(times), np.nan))[row] for name in ("load", "x", "power", "operation")]
                for row in range(len(times))
            ]
        recording.finish()
    order = np.argsort(np.array(times_in), kind="stable")
    with RecordingReader(folder / "run") as reader:
        rows = reader.query(["load", "x", "power", "operation"])
        ones = reader.query(["x"], operation=1)
        bands = reader.bands("load", 5) if len(rows) else None
    wanted = np.array(expected).reshape(-1, 4)[order]
    assert_array_equal(rows.time, np.array(times_in)[order])
    assert_array_equal(np.column_stack(list(rows.columns.values())), wanted)
    assert_array_equal(ones.columns["x"], wanted[wanted[:, 3] == 1, 1])
    if bands is not None and not np.isnan(wanted[:, 0]).all():
        assert np.nanmin(bands.low) == np.nanmin(wanted[:, 0])
        assert np.nanmax(bands.high) == np.nanmax(wanted[:, 0])


def test_a_range_of_time_and_an_operation_give_what_a_mask_gives(tmp_path):
    rows = 5 * CHUNK_ROWS + 17
    times = seconds(rows)
    operation = np.arange(rows) // 3000 % 4.0
    load = np.random.default_rng(2).normal(50, 5, rows)
    write(tmp_path / "run", times, {"operation": operation, "load": load})
    start, stop = times[9_000], times[33_333]
    with RecordingReader(tmp_path / "run") as reader:
        found = reader.query(["load"], start, stop, operation=2)
        assert reader.operations == (0, 1, 2, 3)
    which = (times >= start) & (times < stop) & (operation == 2)
    assert_array_equal(found.time, times[which])
    assert_array_equal(found.columns["load"], load[which])
    assert list(found.columns) == ["load"]


def test_late_and_repeated_rows_are_kept_and_counted_and_rows_without_a_time_dropped(tmp_path):
    with Recording.create(tmp_path / "run", HEADER) as recording:
        recording.append([10.0, 11.0, 10.5, 11.0], {"x": [0, 1, 2, 3]})
        recording.append([9.0, np.nan, 11.0, np.inf], {"x": [4, 5, 6, 7]})
        recording.count(received=9, dropped={"garbage": 1})
        recording.finish()
    with RecordingReader(tmp_path / "run") as reader:
        assert_array_equal(reader.query().columns["x"], [4, 0, 2, 1, 3, 6])
        (arrived,) = reader.arrivals()
        counters = reader.counters
    assert_array_equal(arrived.time, [10, 11, 10.5, 11, 9, 11])
    assert (counters.recorded, counters.late, counters.repeated, counters.received) == (6, 2, 2, 9)
    assert counters.dropped == {"garbage": 1, "without a time": 2}


def test_words_and_gaps_come_back_in_order_of_time(tmp_path):
    with Recording.create(tmp_path / "run", HEADER) as recording:
        recording.append([], {}, [Event(3.0, "EXECUTION", "ACTIVE"), Event(1.0, "PROGRAM", "panel.ngc")])
        recording.append([5.0], {"x": [1]}, [Event(5.0, "EXECUTION", None)])
        recording.gap(8.0, None, "the broker does not answer")
        recording.gap(6.0, 7.5, "silence")
        recording.finish()
    with RecordingReader(tmp_path / "run") as reader:
        assert [event.item for event in reader.events()] == ["PROGRAM", "EXECUTION", "EXECUTION"]
        assert reader.events(item="EXECUTION")[-1] == Event(5.0, "EXECUTION", None)
        assert reader.events(2.0, 5.0) == (Event(3.0, "EXECUTION", "ACTIVE"),)
        assert [(gap.start, gap.stop, gap.reason) for gap in reader.gaps()] == [
            (6.0, 7.5, "silence"),
            (8.0, None, "the broker does not answer"),
        ]


def test_bands_hold_every_extreme(tmp_path):
    rows = 3 * CHUNK_ROWS
    times = seconds(rows)
    load = np.random.default_rng(3).normal(0, 1, rows)
    load[1000:9000] = np.nan
    write(tmp_path / "run", times, {"load": load})
    with RecordingReader(tmp_path / "run") as reader:
        for bins in (2, 7, 500):  # whole chunks within a stretch, chunks across stretches, many stretches per chunk
            bands = reader.bands("load", bins)
            spot = np.minimum(np.searchsorted(bands.edges, times, side="right") - 1, bins - 1)
            low, high = np.full(bins, np.nan), np.full(bins, np.nan)
            for number in range(bins):
                inside = load[(spot == number) & ~np.isnan(load)]
                if len(inside):
                    low[number], high[number] = inside.min(), inside.max()
            assert_array_equal(bands.low, low)
            assert_array_equal(bands.high, high)


def test_slow_rows_end_in_one_chunk_and_not_in_slivers(tmp_path):
    with Recording.create(tmp_path / "run", HEADER) as recording:
        for row in range(50):
            recording.append([1.7e9 + row], {"load": [row], "operation": [row // 25]})
            recording.sync()
            assert recording.acknowledged == row + 1
        recording.finish()
    with RecordingReader(tmp_path / "run") as reader:
        (rows,) = reader.arrivals()
        assert_array_equal(rows.columns["load"], np.arange(50))
        assert_array_equal(reader.query(["load"], operation=1).columns["load"], np.arange(25, 50))


def test_a_finished_recording_is_one_file_that_can_be_read_where_nothing_can_be_written(tmp_path):
    write(tmp_path / "run", seconds(10), {"load": np.arange(10)})
    assert [file.name for file in tmp_path.iterdir()] == ["run"]
    database = sqlite3.connect(f"{(tmp_path / 'run').as_uri()}?mode=ro&immutable=1", uri=True)
    assert database.execute("SELECT sum(rows) FROM chunk").fetchone() == (10,)
    database.close()


def test_the_file_alone_holds_the_whole_run_even_when_a_reader_was_in_it_at_the_end(tmp_path):
    with Recording.create(tmp_path / "run", HEADER) as recording:
        recording.append(seconds(100), {"load": np.arange(100)})
        recording.sync()
        with RecordingReader(tmp_path / "run") as reader:
            recording.append(seconds(100, 1.8e9), {"load": np.arange(100)})
            recording.finish()
            (tmp_path / "copy").write_bytes((tmp_path / "run").read_bytes())
            assert len(reader.query()) == 200
    with RecordingReader(tmp_path / "copy") as reader:
        assert len(reader.query()) == 200
        assert reader.finished is not None


def test_readers_see_whole_commits_while_the_writer_goes_on(tmp_path):
    with Recording.create(tmp_path / "run", HEADER) as recording:
        recording.append(seconds(100), {"load": np.zeros(100), "x": np.zeros(100)})
        recording.sync()
        with RecordingReader(tmp_path / "run") as first, RecordingReader(tmp_path / "run") as second:
            halves = first.arrivals()
            seen = len(next(halves))  # this reader holds its moment
            recording.append(seconds(CHUNK_ROWS, 1.7e9 + 1), {"load": np.ones(CHUNK_ROWS)})
            recording.sync()
            assert seen + sum(len(rows) for rows in halves) == 100
            assert len(first.query()) == len(second.query()) == 100 + CHUNK_ROWS
            assert second.finished is None
        recording.finish()
