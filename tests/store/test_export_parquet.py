# SPDX-License-Identifier: LGPL-2.1-or-later
"""A recording goes to Parquet and comes back the same, and another reader finds the same numbers in it."""

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal
from pyarrow import parquet

from freecad_camtwin.errors import InputError, OutputError
from freecad_camtwin.store.export_parquet import export_parquet, import_parquet
from freecad_camtwin.store.reader import RecordingReader
from freecad_camtwin.store.recording import Recording
from freecad_camtwin.twin.signals.observation import Event
from recordings import HEADER, seconds, write


@pytest.fixture
def run(tmp_path) -> Path:
    """A recording with everything that one can hold: disorder, unknowns, columns that come late, words, gaps."""
    rows = 20_000
    load = np.random.default_rng(0).normal(50, 5, rows)
    load[100:200] = np.nan
    times = seconds(rows)
    times[500:600] = times[500:600][::-1]
    with Recording.create(tmp_path / "run", HEADER) as recording:
        recording.append(times, {"load": load}, [Event(2.0, "EXECUTION", "ACTIVE"), Event(3.0, "TOOL_NUMBER", None)])
        recording.append(seconds(50, 1.8e9), {"load": np.ones(50), "x": np.arange(50) / 10})
        recording.gap(1.75e9, 1.76e9, "silence")
        recording.count(received=20_060, dropped={"garbage": 10})
        recording.finish(1.8e9 + 1)
    return tmp_path / "run"


def test_a_recording_comes_back_from_parquet_as_it_was(run, tmp_path):
    assert export_parquet(run, tmp_path / "run.parquet") == (tmp_path / "run.parquet", tmp_path / "run.events.parquet")
    import_parquet(tmp_path / "run.parquet", tmp_path / "copy")
    with RecordingReader(run) as one, RecordingReader(tmp_path / "copy") as other:
        for told in ("header", "finished", "counters", "columns", "span"):
            assert getattr(one, told) == getattr(other, told)
        assert one.counters.late == 99
        assert one.gaps() == other.gaps()
        assert one.events() == other.events()
        first, second = list(one.arrivals()), list(other.arrivals())
    for name in ("load", "x"):
        assert_array_equal(*(np.concatenate([rows.columns[name] for rows in side]) for side in (first, second)))
    assert_array_equal(*(np.concatenate([rows.time for rows in side]) for side in (first, second)))


def test_duckdb_finds_the_same_numbers_and_null_where_nothing_is_known(run, tmp_path):
    export_parquet(run, tmp_path / "run.parquet")
    with RecordingReader(run) as reader:
        load = reader.query(["load"]).columns["load"]
    with duckdb.connect() as database:
        table = f"'{tmp_path / 'run.parquet'}'"
        found = database.execute(
            f"SELECT count(*), count(load), min(load), max(load), count(x) FROM {table}"
        ).fetchone()
        codec = database.execute(f"SELECT DISTINCT compression FROM parquet_metadata({table})").fetchall()
    assert found == (20_050, 19_950, np.nanmin(load), np.nanmax(load), 50)
    assert codec == [("ZSTD",)]


def test_a_run_that_was_cut_short_stays_cut_short(tmp_path):
    with Recording.create(tmp_path / "run", HEADER) as recording:
        recording.append([1.0], {"x": [1]})
    assert export_parquet(tmp_path / "run", tmp_path / "run.parquet") == (tmp_path / "run.parquet",)
    import_parquet(tmp_path / "run.parquet", tmp_path / "copy")
    with RecordingReader(tmp_path / "copy") as reader:
        assert reader.finished is None
        assert_array_equal(reader.query().columns["x"], [1])


def test_what_was_not_exported_here_is_refused(run, tmp_path):
    (tmp_path / "text.parquet").write_text("G1 X10\n" * 100)
    parquet.write_table(pa.table({"time": [1.0]}), tmp_path / "foreign.parquet")
    export_parquet(run, tmp_path / "run.parquet")
    words = pa.table({"time": [1.0, 2.0], "load": ["high", "low"]})
    described = parquet.read_schema(tmp_path / "run.parquet").metadata[b"camtwin.recording"]
    described = described.replace(b'"events":2', b'"events":0')
    parquet.write_table(words.replace_schema_metadata({"camtwin.recording": described}), tmp_path / "words.parquet")
    (tmp_path / "run.events.parquet").unlink()
    for name, words in (
        ("text", "text.parquet cannot be read as Parquet"),
        ("foreign", "foreign.parquet is a Parquet file, but not a recording"),
        ("run", "run.events.parquet is missing; put it beside run.parquet, to which it belongs"),
        ("words", "words.parquet cannot be read as Parquet"),
        ("absent", "absent.parquet cannot be read as Parquet"),
    ):
        with pytest.raises(InputError, match=words):
            import_parquet(tmp_path / f"{name}.parquet", tmp_path / "copy")
        assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("time", [None, 2.0]),
        ("time", ["noon", "night"]),
        ("item", [5, 6]),
        ("item", [None, "a"]),
        ("value", [1.5, 2.5]),
    ],
)
def test_words_that_are_none_are_refused(run, tmp_path, column, values):
    export_parquet(run, tmp_path / "run.parquet")
    words = {"time": [1.0, 2.0], "item": ["EXECUTION", "PROGRAM"], "value": ["ACTIVE", None]} | {column: values}
    parquet.write_table(pa.table(words), tmp_path / "run.events.parquet")
    with pytest.raises(InputError, match=rf"run.events.parquet does not contain words .*{column}"):
        import_parquet(tmp_path / "run.parquet", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_folder_that_is_not_there_gives_one_sentence(tmp_path):
    write(tmp_path / "run", [1.0], {"x": [1]})
    with pytest.raises(OutputError, match="cannot be written"):
        export_parquet(tmp_path / "run", tmp_path / "none" / "run.parquet")


def test_nothing_half_written_stays_when_the_recording_turns_out_damaged(run, tmp_path):
    broken = bytearray(run.read_bytes())
    broken[len(broken) // 2 : len(broken) // 2 + 20_000] = bytes(20_000)
    (tmp_path / "broken").write_bytes(broken)
    with pytest.raises(InputError, match="broken"):
        export_parquet(tmp_path / "broken", tmp_path / "broken.parquet")
    assert not list(tmp_path.glob("*.parquet"))
    assert not list(tmp_path.glob(".*part"))


def test_a_simulated_run_says_so_wherever_it_goes(tmp_path):
    with Recording.create(tmp_path / "run", replace(HEADER, simulated=True)) as recording:
        recording.finish()
    export_parquet(tmp_path / "run", tmp_path / "run.parquet")
    assert b'"simulated":true' in parquet.read_schema(tmp_path / "run.parquet").metadata[b"camtwin.recording"]
