# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes a recording: rows are safe on disk within half a second.

Rows are collected in a block of ``CHUNK_ROWS``. Every ``COMMIT_S`` the new rows of the block are committed as a small
chunk; when the block is full, or old, one chunk replaces its small ones. So a kill loses half a second, a slow source
does not leave thousands of tiny chunks, and each row is compressed at most twice. Readers see whole commits only.
"""

import math
import os
import sqlite3
import time as clocks
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from freecad_camtwin.errors import OutputError
from freecad_camtwin.store.packing import pack_column
from freecad_camtwin.store.schema import CHUNK_ROWS, OPERATION, TABLES, RecordingHeader, header_json
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.signals.observation import Event

COMMIT_S = 0.5  #: longest time from a row to its commit, as long as rows arrive or ``sync`` is called
BLOCK_S = 60.0  #: a block is closed at this age even if it is not full


class Recording:
    """One run being written. Use it from one thread at a time; readers may be in any process.

    ``with Recording.create(path, header) as recording`` closes the file in every case; only ``finish`` marks the run
    as complete.
    """

    def __init__(self, path: Path, header: RecordingHeader, database: sqlite3.Connection) -> None:
        self.path = path
        self._database = database
        self.header = header
        self._failure: str | None = None
        self._acknowledged = 0
        self._stored = 0  # rows handed to the database, committed or not
        self._newest = -np.inf
        self._tallies: dict[tuple[str, str], int] = {}
        self._stored_tallies: dict[tuple[str, str], int] = {}  # the tallies as they are in the file
        self._committed = self._opened = clocks.monotonic()
        self._time = np.empty(CHUNK_ROWS)
        self._columns: dict[str, Floats] = {}
        self._rows = 0  # in the block
        self._sliced = 0  # of these, rows in small chunks
        self._slices: list[int] = []  # the small chunks of this block

    @classmethod
    def create(cls, path: Path | str, header: RecordingHeader) -> Self:
        """Begin a recording in a new file. OutputError if the file exists or cannot be created."""
        path = Path(path)
        text = header_json(header)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        except FileExistsError as error:
            raise OutputError(f"{path} exists; a recording never overwrites a file, choose another name") from error
        except OSError as error:
            raise OutputError(f"{path} cannot be created: {error.strerror}") from error
        database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        recording = cls(path, header, database)
        try:
            with recording._writing():
                # FULL: each commit reaches the disk. Two a second cost little, and a power cut loses one at most.
                database.executescript(
                    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE;" + TABLES
                )
                database.execute("INSERT INTO header VALUES (?, NULL)", (text,))
                database.execute("COMMIT")
        except OutputError:
            database.close()
            raise
        return recording

    @property
    def acknowledged(self) -> int:
        """The number of rows that are safe on disk, even if this process is killed now."""
        return self._acknowledged

    def append(self, time: ArrayLike, columns: Mapping[str, ArrayLike], events: Iterable[Event] = ()) -> None:
        """Add rows in order of arrival: ``time`` (n,) seconds since the epoch, each column (n,), NaN unknown.

        Each call may have other columns; a missing column is unknown. Rows and words without a finite time are dropped
        and counted. OutputError if the disk cannot be written; acknowledged rows stay readable.
        """
        times = np.ascontiguousarray(time, np.float64)
        values = {name: np.ascontiguousarray(column, np.float64) for name, column in columns.items()}
        wrong = [name for name, column in values.items() if column.shape != times.shape or name in ("", "time")]
        if times.ndim != 1 or wrong:
            raise ValueError(f"columns {wrong} do not have the shape {times.shape} of the times, or are named time")
        timed = np.isfinite(times)
        if not timed.all():
            self._tally("dropped", "without a time", int(np.count_nonzero(~timed)))
            times, values = times[timed], {name: column[timed] for name, column in values.items()}
        self._count_disorder(times)
        with self._writing():
            self._keep_words(events)
            done = 0
            while done < len(times):
                done += self._fill(times[done:], {name: column[done:] for name, column in values.items()})
                if self._rows == CHUNK_ROWS:
                    self._close_block()
            if clocks.monotonic() - self._committed >= COMMIT_S:
                self._commit()

    def gap(self, start: float, stop: float | None, reason: str) -> None:
        """Record a time of which data are missing, and commit it at once.

        ``stop`` None: the gap has not ended. To end it, call again with the same start and reason.
        """
        if not math.isfinite(start):
            raise ValueError(f"a gap cannot begin at {start}")
        with self._writing():
            row = (float(start), None if stop is None else float(stop), _text(reason))
            self._insert("gap", [row])
            if stop is not None:
                self._database.execute("DELETE FROM gap WHERE start = ? AND reason = ? AND stop IS NULL", row[::2])
            self._commit()

    def count(self, *, received: int | None = None, dropped: Mapping[str, int] | None = None) -> None:
        """Set the number of rows that the source has delivered so far, and of those dropped before here, by reason."""
        if received is not None:
            self._tallies["received", ""] = int(received)
        for reason, number in (dropped or {}).items():
            self._tallies["dropped", reason] = int(number)

    def describe(self, header: RecordingHeader) -> None:
        """Replace the header when more of the run is known; its ``run`` must stay the same."""
        if header.run != self.header.run:
            raise ValueError(f"{header.run} is another run than {self.header.run}")
        with self._writing():
            self._commit()
            self._database.execute("UPDATE header SET json = ?", (header_json(header),))
        self.header = header

    def sync(self) -> None:
        """Commit everything now. Call it twice a second if the source may fall silent."""
        with self._writing():
            self._commit()

    def finish(self, stopped: float | None = None) -> None:
        """Mark the run as complete at the time ``stopped`` (default: now), and close the file."""
        with self._writing():
            self._close_block()
            self._commit()
            self._database.execute(
                "UPDATE header SET finished = ?", (clocks.time() if stopped is None else float(stopped),)
            )
            self._settle()
        self.close()

    def close(self) -> None:
        """Commit the remaining rows, unless the disk has failed, and close the file. A second call does nothing."""
        try:
            if self._failure is None:
                self.sync()
        finally:
            self._failure = self._failure or "the recording is closed"
            self._database.close()

    def discard(self) -> None:
        """Close the file and remove it: for a copy that could not be completed."""
        self.close()
        for ending in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _settle(self) -> None:
        """Leave one file without a log, which can be read from a read-only medium.

        While a reader has the file open, the log stays beside it, and the file still has all data; if the disk is
        full, file and log together have the run.
        """
        with suppress(sqlite3.OperationalError):
            self._database.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._database.execute("PRAGMA journal_mode = DELETE")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn a disk error into one sentence, and refuse all later writes: rows after a lost one would mislead."""
        if self._failure is not None:
            raise OutputError(self._failure)
        try:
            yield
        except sqlite3.Error as error:
            safe = f"its first {self._acknowledged} rows are safe" if self._acknowledged else "it has no row"
            self._failure = f"{self.path.name} cannot be written any further ({error}); {safe}"
            if self._database.in_transaction:
                self._database.rollback()
            raise OutputError(self._failure) from error

    def _insert(self, table: str, rows: list[tuple[object, ...]]) -> int:
        """Insert rows in the running transaction; return the number of the last."""
        if not rows:
            return 0
        if not self._database.in_transaction:
            self._database.execute("BEGIN IMMEDIATE")
        marks = ", ".join("?" * len(rows[0]))
        if len(rows) == 1:
            return self._database.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows[0]).lastrowid or 0
        self._database.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)
        return 0

    def _keep_words(self, events: Iterable[Event]) -> None:
        words = list(events)
        timed = [event for event in words if math.isfinite(event.time)]
        self._insert("event", [(float(event.time), _text(event.item), _text(event.value)) for event in timed])
        self._tally("dropped", "word without a time", len(words) - len(timed))

    def _fill(self, times: Floats, values: Mapping[str, Floats]) -> int:
        """Put as many rows into the block as fit; return their number."""
        if not self._rows:
            self._opened = clocks.monotonic()
        rows = min(len(times), CHUNK_ROWS - self._rows)
        place = slice(self._rows, self._rows + rows)
        self._time[place] = times[:rows]
        for name, column in values.items():
            if name not in self._columns:
                self._columns[name] = np.full(CHUNK_ROWS, np.nan)
            self._columns[name][place] = column[:rows]
        self._rows += rows
        return rows

    def _commit(self) -> None:
        """Store the new rows of the block and the counters, and commit them to disk."""
        if clocks.monotonic() - self._opened >= BLOCK_S:
            self._close_block()
        elif self._rows > self._sliced:
            self._slices.append(self._store(self._sliced, self._rows))
            self._sliced = self._rows
        if self._tallies != self._stored_tallies:
            self._insert("tally", [(*key, number) for key, number in self._tallies.items()])
            self._stored_tallies = dict(self._tallies)
        if self._database.in_transaction:
            self._database.execute("COMMIT")
        self._acknowledged = self._stored
        self._committed = clocks.monotonic()

    def _close_block(self) -> None:
        """Store the whole block as one chunk in place of its small ones, and begin the next block."""
        for chunk in self._slices:
            for table, key in (("chunk", "id"), ("piece", "chunk"), ("presence", "chunk")):
                self._delete(table, key, chunk)
        if self._rows:
            self._stored -= self._sliced
            self._store(0, self._rows)
        self._rows = self._sliced = 0
        self._slices.clear()
        self._columns.clear()

    def _store(self, start: int, stop: int) -> int:
        """Store rows of the block as a chunk; return its number."""
        times = self._time[start:stop]
        known = {name: column[start:stop] for name, column in self._columns.items()}
        known = {name: column for name, column in known.items() if not np.isnan(column).all()}
        low, high = float(times.min()), float(times.max())
        chunk = self._insert("chunk", [(None, stop - start, low, high)])
        pieces: list[tuple[object, ...]] = [(chunk, "time", low, high, pack_column(times))]
        pieces += [(chunk, name, *_extremes(column), pack_column(column)) for name, column in known.items()]
        self._insert("piece", pieces)
        present = np.unique(known.get(OPERATION, np.empty(0)))
        self._insert("presence", [(int(number), chunk) for number in present if float(number).is_integer()])
        self._stored += stop - start
        return chunk

    def _delete(self, table: str, key: str, chunk: int) -> None:
        if not self._database.in_transaction:
            self._database.execute("BEGIN IMMEDIATE")
        self._database.execute(f"DELETE FROM {table} WHERE {key} = ?", (chunk,))

    def _count_disorder(self, times: Floats) -> None:
        """Count rows that arrive after a later one, and rows with the same time as the newest before them."""
        if not len(times):
            return
        newest = np.maximum.accumulate(np.concatenate(([self._newest], times)))
        self._newest = float(newest[-1])
        self._tally("late", "", int(np.count_nonzero(times < newest[:-1])))
        self._tally("repeated", "", int(np.count_nonzero(times == newest[:-1])))

    def _tally(self, name: str, reason: str, number: int) -> None:
        if number:
            self._tallies[name, reason] = self._tallies.get((name, reason), 0) + number


def _extremes(column: Floats) -> tuple[float, float]:
    return float(np.nanmin(column)), float(np.nanmax(column))


def _text(words: str | None) -> str | None:
    """Return words as valid UTF-8: half of a surrogate pair, which a source may send, becomes a question mark."""
    return None if words is None else words.encode(errors="replace").decode()
