# SPDX-License-Identifier: LGPL-2.1-or-later
"""A recording in a real PostgreSQL: every number, NULL where nothing is known, whole or not at all."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_array_equal

from freecad_camtwin.errors import OutputError
from freecad_camtwin.store import postgres as exporter
from freecad_camtwin.store.postgres import export_postgres
from freecad_camtwin.store.recording import Recording
from freecad_camtwin.store.schema import RecordingHeader
from freecad_camtwin.twin.signals.observation import Event
from recordings import HEADER, seconds, write

NOVEMBER = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC).timestamp()


def run_of(path: Path, columns, times=None, header: RecordingHeader | None = None) -> Path:
    length = len(next(iter(columns.values())))
    with Recording.create(path, header or RecordingHeader(started=NOVEMBER)) as recording:
        recording.append(seconds(length, NOVEMBER) if times is None else times, columns)
        recording.finish(NOVEMBER + 60)
    return path


def ask(database: str, text: str):
    with psycopg.connect(database) as connection:
        return connection.execute(text).fetchall()


def test_a_run_over_the_end_of_a_month_lies_in_two_partitions(database, tmp_path):
    load = np.random.default_rng(0).normal(50, 5, 10_000)
    load[::7] = np.nan
    run = run_of(tmp_path / "run", {"load": load, "x [mm]": np.arange(10_000) / 100})
    assert export_postgres(run, database) == 10_000
    parts = ask(database, "SELECT tableoid::regclass::text, count(*) FROM camtwin.sample GROUP BY 1 ORDER BY 1")
    assert parts == [("camtwin.sample_2026_11", 1000), ("camtwin.sample_2026_12", 9000)]
    found = ask(database, 'SELECT extract(epoch FROM time)::float8, load, "x [mm]" FROM camtwin.sample ORDER BY time')
    values = np.array(found, dtype=np.float64)  # None becomes NaN
    assert_array_equal(values[:, 0], np.round(seconds(10_000, NOVEMBER), 6))
    assert_array_equal(values[:, 1], load)
    assert_array_equal(values[:, 2], np.arange(10_000) / 100)


def test_the_last_instant_of_a_month_may_round_into_the_next(database, tmp_path):
    export_postgres(run_of(tmp_path / "run", {"load": [1]}, [NOVEMBER + 1 - 3e-7]), database)
    assert ask(database, "SELECT load FROM camtwin.sample_2026_12") == [(1,)]


def test_header_words_gaps_and_counters_go_along(database, tmp_path):
    with Recording.create(tmp_path / "run", HEADER) as recording:
        recording.append(
            [1.7e9], {"load": [1]}, [Event(1.7e9, "PROGRAM", 'it\'s \\ "panel"\n'), Event(1.8e9, "TOOL", None)]
        )
        recording.gap(1.7e9 + 1, None, "silence")
        recording.count(received=3, dropped={"garbage": 2})
        recording.finish()
    export_postgres(tmp_path / "run", database)
    ((run, machine, simulated, header, counters),) = ask(
        database, "SELECT run::text, machine, simulated, header, counters FROM camtwin.run"
    )
    assert (run, machine, simulated) == (HEADER.run, "VMC 3, hall 2", True)
    assert header["signal_map"] == HEADER.signal_map
    assert (counters["received"], counters["dropped"]) == (3, {"garbage": 2})
    events = ask(database, "SELECT item, value FROM camtwin.event ORDER BY time")
    assert events == [("PROGRAM", 'it\'s \\ "panel"\n'), ("TOOL", None)]
    assert ask(database, "SELECT stop, reason FROM camtwin.gap") == [(None, "silence")]


def test_a_later_run_with_other_signals_adds_their_columns(database, tmp_path):
    export_postgres(run_of(tmp_path / "one", {"load": [1, 2]}), database)
    export_postgres(run_of(tmp_path / "two", {"load": [3], "power": [4]}), database)
    assert ask(database, "SELECT load, power FROM camtwin.sample ORDER BY load") == [(1, None), (2, None), (3, 4)]


def test_the_same_run_twice_is_refused_and_the_first_stays(database, tmp_path):
    run = run_of(tmp_path / "run", {"load": [1, 2]})
    export_postgres(run, database)
    with pytest.raises(OutputError, match="the database has the run of run already"):
        export_postgres(run, database)
    assert ask(database, "SELECT count(*) FROM camtwin.sample") == [(2,)]


def test_nothing_of_a_run_stays_when_the_server_refuses_its_last_row(database, tmp_path):
    export_postgres(run_of(tmp_path / "one", {"load": [1]}), database)
    with psycopg.connect(database) as connection:
        connection.execute("ALTER TABLE camtwin.sample ADD CHECK (load < 100)")
    run = run_of(tmp_path / "two", {"load": [*np.zeros(20_000), 100]})
    with pytest.raises(OutputError, match=r"^PostgreSQL refused: .*check constraint.*; nothing of the run was kept$"):
        export_postgres(run, database)
    assert ask(database, "SELECT count(*) FROM camtwin.sample") == [(1,)]
    assert ask(database, "SELECT count(*) FROM camtwin.run") == [(1,)]


def test_a_word_with_a_character_zero_does_not_keep_a_run_out(database, tmp_path):
    write(tmp_path / "run", [], {}, [Event(1.7e9, "BLOCK", "G1\0X1")])
    export_postgres(tmp_path / "run", database)
    assert ask(database, "SELECT value FROM camtwin.event") == [("G1\ufffdX1",)]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_numbers_arrive_to_the_bit(database, tmp_path_factory, data):
    names = data.draw(st.sets(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)))
    names -= {"time", "run"}
    rows = data.draw(st.integers(1, 20))
    columns = {name: data.draw(hnp.arrays(np.float64, rows, elements=st.floats())) for name in names}
    with Recording.create(
        tmp_path_factory.mktemp("run") / "run", replace(HEADER, run=RecordingHeader(0).run)
    ) as recording:
        recording.append(seconds(rows), columns)
        recording.finish()
    export_postgres(recording.path, database)
    kept = {name: column for name, column in columns.items() if not np.isnan(column).all()}
    with psycopg.connect(database) as connection:
        wanted = psycopg.sql.SQL(", ").join([psycopg.sql.SQL("time"), *map(psycopg.sql.Identifier, kept)])
        text = psycopg.sql.SQL("SELECT {} FROM camtwin.sample WHERE run = {} ORDER BY time")
        found = connection.execute(text.format(wanted, psycopg.sql.Literal(recording.header.run))).fetchall()
    for place, column in enumerate(kept.values(), 1):
        assert_array_equal(np.array([row[place] for row in found], dtype=np.float64), column)


def test_with_timescaledb_the_samples_become_a_hypertable_and_have_no_partitions(database, tmp_path, monkeypatch):
    """Debian has no TimescaleDB: a function of its name stands in, so this holds the calls and not the extension."""
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TABLE called (relation text, by name)")
        connection.execute(
            "CREATE FUNCTION create_hypertable(relation regclass, time_column_name name) RETURNS void "
            "LANGUAGE sql AS 'INSERT INTO called VALUES (relation::text, time_column_name)'"
        )
    monkeypatch.setattr(exporter, "_has_timescale", lambda database: True)
    export_postgres(run_of(tmp_path / "one", {"load": [1, 2]}), database)
    export_postgres(run_of(tmp_path / "two", {"load": [3]}), database)
    assert ask(database, "SELECT * FROM called") == [("camtwin.sample", "time")]
    assert ask(database, "SELECT count(*) FROM pg_inherits") == [(0,)]
    assert ask(database, "SELECT count(*) FROM camtwin.sample") == [(3,)]


def test_signals_and_times_that_it_cannot_hold_are_named(database, tmp_path):
    write(tmp_path / "long", [1.0], {"ä" * 32: [1]})
    write(tmp_path / "far", [1e12], {"load": [1]})
    with pytest.raises(OutputError, match="does not accept a signal named 'ää"):
        export_postgres(tmp_path / "long", database)
    with pytest.raises(OutputError, match="outside the calendar"):
        export_postgres(tmp_path / "far", database)


def test_an_address_that_leads_nowhere_gives_one_sentence_without_its_password(tmp_path):
    write(tmp_path / "run", [1.0], {"load": [1]})
    for address in (
        f"postgresql://me:secret@/x?host={tmp_path}",
        "postgresql://me:secret@127.0.0.1:1/x",
        "hostess=x password=secret",
        "secret",
    ):
        with pytest.raises(OutputError, match=r"PostgreSQL refused|is invalid") as caught:
            export_postgres(tmp_path / "run", address)
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)
