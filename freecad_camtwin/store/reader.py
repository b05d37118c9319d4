# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads a recording: rows by time and by operation, bands for charts, words, gaps; also while it is being written."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType, UnionType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from freecad_camtwin.errors import InputError
from freecad_camtwin.store.packing import PackingError, unpack_column
from freecad_camtwin.store.schema import MOST_ROWS, OPERATION, Counters, Gap, RecordingHeader, header_from, open_to_read
from freecad_camtwin.twin.base.arrays import Floats, Indices
from freecad_camtwin.twin.signals.observation import Event

_ALWAYS = (-np.inf, np.inf)
Kind = type | UnionType


@dataclass(frozen=True, slots=True)
class RecordedRows:
    """Samples of a recording."""

    time: Floats  #: (n,) seconds since the epoch
    columns: dict[str, Floats]  #: name → (n,); NaN where unknown

    def __len__(self) -> int:
        return len(self.time)

    def where(self, which: NDArray[Any]) -> "RecordedRows":
        """Return the rows selected by a mask or an array of indices."""
        return RecordedRows(self.time[which], {name: column[which] for name, column in self.columns.items()})


@dataclass(frozen=True, slots=True)
class Bands:
    """The least and the greatest value of a column in each of equal intervals of time; NaN without a known value."""

    edges: Floats  #: (bins + 1,) seconds since the epoch
    low: Floats  #: (bins,)
    high: Floats  #: (bins,)


class RecordingReader:
    """A recording, read only. Each call reads one consistent state, the last commit of its writer."""

    def __init__(self, path: Path | str) -> None:
        """Open a recording. InputError if the file is not a recording, or damaged."""
        self.path = Path(path)
        self._database = open_to_read(self.path)
        self._is_closed = False
        try:
            self.header: RecordingHeader = header_from(self._one("SELECT json FROM header", str), self.path.name)
        except BaseException:
            self.close()
            raise

    @property
    def finished(self) -> float | None:
        """The time at which the run was completed; None during writing, and if the run was interrupted."""
        finished: float | None = self._one("SELECT finished FROM header", float | None)
        return finished

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns that have values, without ``time``."""
        names = self._all("SELECT DISTINCT name FROM piece WHERE name != 'time' ORDER BY name", (str,))
        return tuple(name for (name,) in names)

    @property
    def span(self) -> tuple[float, float] | None:
        """The first and the last time of any row; None without rows."""
        ((start, stop),) = self._all("SELECT min(start), max(stop) FROM chunk", (float | None, float | None))
        return None if start is None or stop is None else (start, stop)

    @property
    def operations(self) -> tuple[int, ...]:
        """The operations that occur."""
        numbers = self._all("SELECT DISTINCT operation FROM presence ORDER BY operation", (int,))
        return tuple(number for (number,) in numbers)

    @property
    def counters(self) -> Counters:
        """The numbers of rows received, kept and dropped."""
        with self._snapshot():
            counts = self._all("SELECT name, reason, number FROM tally", (str, str, int))
            recorded = self._one("SELECT coalesce(sum(rows), 0) FROM chunk", int)
        tallies = {(name, reason): number for name, reason, number in counts}
        return Counters(
            recorded=recorded,
            late=tallies.get(("late", ""), 0),
            repeated=tallies.get(("repeated", ""), 0),
            received=tallies.get(("received", "")),
            dropped={reason: number for (name, reason), number in tallies.items() if name == "dropped"},
        )

    def gaps(self) -> tuple[Gap, ...]:
        """Return the times of which data are missing, in order of time."""
        gaps = self._all("SELECT start, stop, reason FROM gap ORDER BY start", (float, float | None, str))
        return tuple(Gap(*row) for row in gaps)

    def events(self, start: float = -np.inf, stop: float = np.inf, item: str | None = None) -> tuple[Event, ...]:
        """Return the words with ``start`` ≤ time < ``stop``, in order of time, of one item or of all."""
        events = self._all(
            "SELECT time, item, value FROM event WHERE time >= ? AND time < ? AND item = coalesce(?, item) "
            "ORDER BY time, rowid",
            (float, str, str | None),
            (start, stop, item),
        )
        return tuple(Event(*row) for row in events)

    def query(
        self,
        columns: Sequence[str] | None = None,
        start: float = -np.inf,
        stop: float = np.inf,
        *,
        operation: int | None = None,
    ) -> RecordedRows:
        """Return the rows with ``start`` ≤ time < ``stop``, of one operation or of all, in order of time.

        Rows of the same time keep their order of arrival. A column that the recording lacks is NaN in every row.
        """
        with self._snapshot():
            names = tuple(self.columns if columns is None else columns)
            needed = names if operation is None else (*names, OPERATION)
            parts = [self._rows(chunk, rows, needed) for chunk, rows in self._chunks(start, stop, operation)]
        rows = _joined(parts, needed)
        which = (rows.time >= start) & (rows.time < stop)
        if operation is not None:
            which &= rows.columns[OPERATION] == operation
        rows = RecordedRows(rows.time, {name: rows.columns[name] for name in names})
        if not which.all():
            rows = rows.where(which)
        if np.any(rows.time[1:] < rows.time[:-1]):
            rows = rows.where(np.argsort(rows.time, kind="stable"))
        return rows

    def arrivals(self) -> Iterator[RecordedRows]:
        """Yield all rows in order of arrival, chunk by chunk, with all columns: for copies of any length."""
        with self._snapshot():
            names = self.columns
            for chunk, rows in self._chunks(*_ALWAYS, None):
                yield self._rows(chunk, rows, names)

    def bands(self, column: str, bins: int, start: float | None = None, stop: float | None = None) -> Bands:
        """Return the extremes of a column in ``bins`` equal intervals from ``start`` to ``stop``.

        Without ``start`` or ``stop`` the recording's own is used. A chunk that lies in one interval is not unpacked:
        its extremes are stored beside it. So the overview of a day costs about as much as that of a minute.
        """
        with self._snapshot():
            first, last = self.span or (0.0, 0.0)
            edges = np.linspace(first if start is None else start, last if stop is None else stop, bins + 1)
            low, high = np.full(bins, np.inf), np.full(bins, -np.inf)
            for chunk, rows, begin, end, least, most in self._all(
                "SELECT id, rows, start, stop, low, high FROM chunk JOIN piece ON chunk = id AND name = ? "
                "WHERE stop >= ? AND start <= ? ORDER BY id",
                (int, int, float, float, float, float),
                (column, edges[0], edges[-1]),
            ):
                spots = _bins(np.array([begin, end]), edges)
                if spots[0] == spots[1] and 0 <= spots[0] < bins:
                    low[spots[0]] = min(low[spots[0]], least)
                    high[spots[0]] = max(high[spots[0]], most)
                else:
                    part = self._rows(chunk, rows, (column,))
                    _widen(_bins(part.time, edges), part.columns[column], low, high)
        empty = low > high
        low[empty] = high[empty] = np.nan
        return Bands(edges, low, high)

    def close(self) -> None:
        """Close the file."""
        self._is_closed = True
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _chunks(self, start: float, stop: float, operation: int | None) -> list[tuple[int, int]]:
        """Return id and number of rows of each chunk that may hold such rows, in order of arrival."""
        if operation is None:
            text = "SELECT id, rows FROM chunk WHERE stop >= ? AND start < ? ORDER BY id"
            return self._all(text, (int, int), (start, stop))
        return self._all(
            "SELECT id, rows FROM presence JOIN chunk ON id = chunk "
            "WHERE operation = ? AND stop >= ? AND start < ? ORDER BY id",
            (int, int),
            (operation, start, stop),
        )

    def _rows(self, chunk: int, rows: int, names: Sequence[str]) -> RecordedRows:
        """Unpack columns of one chunk."""
        if not 0 < rows <= MOST_ROWS:
            raise InputError(f"{self.path.name} is damaged: chunk {chunk} states {rows} rows")
        needed = dict.fromkeys(("time", *names))
        marks = ", ".join("?" * len(needed))
        text = f"SELECT name, data FROM piece WHERE chunk = ? AND name IN ({marks})"
        pieces = dict(self._all(text, (str, bytes), (chunk, *needed)))
        if "time" not in pieces:
            raise InputError(f"{self.path.name} is damaged: chunk {chunk} has no times")
        try:
            values = {
                name: unpack_column(pieces[name], rows) if name in pieces else np.full(rows, np.nan) for name in needed
            }
        except PackingError as error:
            raise InputError(f"{self.path.name} is damaged: {error} in chunk {chunk}") from error
        time = values.pop("time")
        return RecordedRows(time, values)

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Read one commit throughout, and turn SQLite's errors on a damaged file into one sentence."""
        outermost = not self._database.in_transaction
        try:
            if outermost:
                self._database.execute("BEGIN")
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise InputError(f"{self.path.name} cannot be read: {error}") from error
        finally:
            if outermost and not self._is_closed and self._database.in_transaction:
                self._database.execute("ROLLBACK")

    def _one(self, text: str, kind: Kind) -> Any:
        rows = self._all(text, (kind,))
        if not rows:
            raise InputError(f"{self.path.name} has no header: its run was interrupted before the first row")
        return rows[0][0]

    def _all(self, text: str, kinds: Sequence[Kind], values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query. InputError if a value has another type: SQLite does not enforce column types."""
        with self._snapshot():
            rows = self._database.execute(text, values).fetchall()
        if any(not isinstance(value, kind) for row in rows for value, kind in zip(row, kinds, strict=True)):
            raise InputError(f"{self.path.name} is damaged: it has a value of the wrong type")
        return rows


def _joined(parts: Sequence[RecordedRows], names: Sequence[str]) -> RecordedRows:
    """Concatenate chunks."""
    if len(parts) == 1:
        return parts[0]
    empty: list[Floats] = [np.empty(0)]
    time = np.concatenate(empty + [part.time for part in parts])
    return RecordedRows(time, {name: np.concatenate(empty + [part.columns[name] for part in parts]) for name in names})


def _bins(time: Floats, edges: Floats) -> Indices:
    """Return the interval of each time; -1 and ``bins`` outside. The last interval includes its end."""
    bins = np.searchsorted(edges, time, side="right") - 1
    bins[time == edges[-1]] = len(edges) - 2
    return bins


def _widen(spots: Indices, values: Floats, low: Floats, high: Floats) -> None:
    """Extend the bands to include values."""
    inside = (spots >= 0) & (spots < len(low)) & ~np.isnan(values)
    np.minimum.at(low, spots[inside], values[inside])
    np.maximum.at(high, spots[inside], values[inside])
