# SPDX-License-Identifier: LGPL-2.1-or-later
"""Export a recording to PostgreSQL, for a shop's dashboards and for queries over many runs; needs psycopg 3.

====== =======================================================================================
run    one row per run: its header, its end, its counters
sample run, time and one column per signal; partitions by month, or a TimescaleDB hypertable
event  run, time, item, value: the machine's values that are words
gap    run, start, stop, reason: times of which data are missing
====== =======================================================================================

All tables are in the schema ``camtwin``. A signal that no earlier run had becomes a new column. Unknown values are
NULL; times have a resolution of microseconds.
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import numpy as np

from freecad_camtwin.errors import OutputError
from freecad_camtwin.store.reader import RecordedRows, RecordingReader

if TYPE_CHECKING:
    from psycopg import Connection

_SCHEMA = "camtwin"
_NEEDED = "PostgreSQL needs psycopg, which is not installed; pip install 'freecad-camtwin[store]' brings it"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_2000 = 946_684_800  # zero of PostgreSQL's clock [s since the Unix epoch]
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_COPY_END = struct.pack(">h", -1)
_LONGEST_NAME = 63  # PostgreSQL truncates longer names without an error, and two names could become the same
_LOCK = 0x43616D54  # one exporter at a time changes tables

_TABLES = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.run (
    run uuid PRIMARY KEY, started timestamptz NOT NULL, finished timestamptz, program text, machine text,
    operator text, toolpath_hash text, simulated boolean NOT NULL, header jsonb NOT NULL, counters jsonb NOT NULL);
CREATE TABLE IF NOT EXISTS {schema}.event (
    run uuid NOT NULL REFERENCES {schema}.run ON DELETE CASCADE,
    time timestamptz NOT NULL, item text NOT NULL, value text);
CREATE INDEX IF NOT EXISTS event_run_time ON {schema}.event (run, time);
CREATE TABLE IF NOT EXISTS {schema}.gap (
    run uuid NOT NULL REFERENCES {schema}.run ON DELETE CASCADE,
    start timestamptz NOT NULL, stop timestamptz, reason text NOT NULL);
"""


def export_postgres(recording: Path | str, address: str) -> int:
    """Copy a recording into the database at ``address`` (postgresql://user@host/database); return its number of rows.

    The database keeps the whole run or nothing of it. OutputError if the server refuses the data, or if it has this
    run already.
    """
    try:
        import psycopg
    except ImportError as error:
        raise OutputError(_NEEDED) from error
    with RecordingReader(recording) as reader, _connected(address) as database:
        names = reader.columns
        _refuse(names)
        months = sorted({month for rows in reader.arrivals() for month in _months(rows)})
        try:
            with database.transaction():
                _prepare(database, names, months)
            with database.transaction():
                _insert_run(database, reader)
                _copy_samples(database, reader, names)
        except psycopg.errors.UniqueViolation as error:
            raise OutputError(
                f"the database has the run of {reader.path.name} already ({reader.header.run})"
            ) from error
        return reader.counters.recorded


@contextmanager
def _connected(address: str) -> Iterator["Connection"]:
    """Connect, and turn the server's errors into one sentence without the address, which may hold a password."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    try:
        patience = conninfo_to_dict(address).get("connect_timeout", 10)
        address = make_conninfo(address, connect_timeout=patience)
    except psycopg.Error:
        raise OutputError("the database's address is invalid; write postgresql://user@host/database") from None
    try:
        with psycopg.connect(address, autocommit=True) as database:
            yield database
    except psycopg.Error as error:
        reason = " ".join(str(error).split("\n", 1)[0].split())
        raise OutputError(f"PostgreSQL refused: {reason}; nothing of the run was kept") from error


def _refuse(names: Sequence[str]) -> None:
    """Raise OutputError for the first signal whose name cannot be a column in PostgreSQL."""
    for name in names:
        if name == "run" or len(name.encode()) > _LONGEST_NAME or "\0" in name:
            raise OutputError(
                f"PostgreSQL does not accept a signal named {name!r}; give it another name in the signal map"
            )


def _months(rows: RecordedRows) -> set[tuple[int, int]]:
    """Return year and month of all rows, after rounding to microseconds, which may shift a row into the next month."""
    days = np.unique(np.rint(rows.time * 1e6) // 86_400e6)
    try:
        dates = [_EPOCH + timedelta(days=float(day)) for day in days]
    except OverflowError as error:
        raise OutputError(
            f"rows have times of {rows.time.min():g} … {rows.time.max():g} s, which are outside the calendar"
        ) from error
    return {(date.year, date.month) for date in dates}


def _prepare(database: "Connection", names: Sequence[str], months: Sequence[tuple[int, int]]) -> None:
    """Create the missing tables, a column per signal and a partition per month."""
    from psycopg import sql

    def run(text: str, **parts: sql.Composable) -> None:
        database.execute(sql.SQL(text).format(schema=sql.Identifier(_SCHEMA), **parts))

    database.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    database.execute("SET LOCAL client_min_messages = warning")
    run(_TABLES)
    kind = _kind_of_sample(database)
    if kind is None:
        is_timescale = _has_timescale(database)
        partition = sql.SQL("" if is_timescale else "PARTITION BY RANGE (time)")
        run("CREATE TABLE {schema}.sample (run uuid NOT NULL, time timestamptz NOT NULL) {by}", by=partition)
        run("CREATE INDEX sample_run_time ON {schema}.sample (run, time)")
        if is_timescale:
            database.execute("SELECT create_hypertable(%s::regclass, 'time')", (f"{_SCHEMA}.sample",))
        kind = _kind_of_sample(database)
    for name in names:
        run("ALTER TABLE {schema}.sample ADD COLUMN IF NOT EXISTS {name} double precision", name=sql.Identifier(name))
    for year, month in months if kind == "p" else ():
        run(
            "CREATE TABLE IF NOT EXISTS {schema}.{part} PARTITION OF {schema}.sample "
            "FOR VALUES FROM ({first}) TO ({next})",
            part=sql.Identifier(f"sample_{year:04}_{month:02}"),
            first=sql.Literal(datetime(year, month, 1, tzinfo=UTC)),
            next=sql.Literal(datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)),
        )


def _kind_of_sample(database: "Connection") -> str | None:
    """Return PostgreSQL's letter for the kind of the table of samples, p if partitioned; None without the table."""
    row = database.execute(
        "SELECT relkind::text FROM pg_class WHERE oid = to_regclass(%s)", (f"{_SCHEMA}.sample",)
    ).fetchone()
    return None if row is None else str(row[0])


def _has_timescale(database: "Connection") -> bool:
    return database.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").fetchone() is not None


def _insert_run(database: "Connection", reader: RecordingReader) -> None:
    """Insert the run's row, its words and its gaps."""
    header = reader.header
    database.execute(
        f"INSERT INTO {_SCHEMA}.run VALUES (%s, to_timestamp(%s), to_timestamp(%s), %s, %s, %s, %s, %s, %s, %s)",
        (
            header.run,
            header.started,
            reader.finished,
            header.program,
            header.machine,
            header.operator,
            header.toolpath_hash,
            header.simulated,
            msgspec.json.encode(asdict(header)).decode(),
            msgspec.json.encode(asdict(reader.counters)).decode(),
        ),
    )
    with database.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {_SCHEMA}.event VALUES (%s, to_timestamp(%s), %s, %s)",
            [(header.run, event.time, _text(event.item), _text(event.value)) for event in reader.events()],
        )
        cursor.executemany(
            f"INSERT INTO {_SCHEMA}.gap VALUES (%s, to_timestamp(%s), to_timestamp(%s), %s)",
            [(header.run, gap.start, gap.stop, gap.reason) for gap in reader.gaps()],
        )


def _text(words: str | None) -> str | None:
    """Return words without the character zero, which PostgreSQL does not accept."""
    return None if words is None else words.replace("\0", "\ufffd")


def _copy_samples(database: "Connection", reader: RecordingReader, names: Sequence[str]) -> None:
    from psycopg import sql

    columns = sql.SQL(", ").join(sql.Identifier(name) for name in ("run", "time", *names))
    text = sql.SQL("COPY {}.sample ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(_SCHEMA), columns)
    with database.cursor() as cursor, cursor.copy(text) as copy:
        copy.write(_COPY_HEAD)
        for rows in reader.arrivals():
            copy.write(copy_rows(reader.header.run, rows))
        copy.write(_COPY_END)


def copy_rows(run: str, rows: RecordedRows) -> bytes:
    """Return rows in PostgreSQL's binary COPY format (its manual, part VI, COPY): a length before each field.

    All rows are laid out with all fields in one array. The eight bytes of each unknown field are removed afterwards:
    NULL is the length -1 with no value after it.
    """
    names = list(rows.columns)
    layout = np.dtype(
        [("fields", ">i2"), ("run_size", ">i4"), ("run", "V16"), ("time_size", ">i4"), ("time", ">i8")]
        + [item for number in range(len(names)) for item in ((f"size{number}", ">i4"), (f"value{number}", ">f8"))]
    )
    table = np.zeros(len(rows), layout)
    kept = np.ones((len(rows), layout.itemsize), bool)
    table["fields"] = 2 + len(names)
    table["run_size"], table["run"] = 16, np.void(UUID(run).bytes)
    table["time_size"], table["time"] = 8, np.rint((rows.time - _EPOCH_2000) * 1e6).astype(np.int64)
    for number, name in enumerate(names):
        unknown = np.isnan(rows.columns[name])
        table[f"size{number}"] = np.where(unknown, -1, 8)
        table[f"value{number}"] = rows.columns[name]
        offset = layout.fields[f"value{number}"][1]  # type: ignore[index]
        kept[:, offset : offset + 8] &= ~unknown[:, np.newaxis]
    return table.view(np.uint8).reshape(len(rows), -1)[kept].tobytes()
