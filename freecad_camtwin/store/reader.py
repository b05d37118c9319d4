# SPDX-License-Identifier: LGPL-2.1-or-later
"""The reader of a recording: rows by time and by operation, bands for charts, words, gaps; also while it is written."""

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
    columns: dict[str, Floats]  #: name → (n,); NaN where not known

    def __len__(self) -> int:
        return len(self.time)

    def where(self, which: NDArray[Any]) -> "RecordedRows":
        """Return the rows that a mask or an order of indices picks."""
        return RecordedRows(self.time[which], {name: column[which] for name, column in self.columns.items()})


@dataclass(frozen=True, slots=True)
class Bands:
    """The least and the greatest value of a column in each of equal stretches of time; NaN where nothing is known."""

    edges: Floats  #: (bins + 1,) seconds since the epoch
    low: Floats  #: (bins,)
    high: Floats  #: (bins,)


class RecordingReader:
    """A recording, read only. Each call sees one moment of it, the last commit of its writer."""

    def __init__(self, path: Path | str) -> None:
        """Open a recording. InputError where it is none, or damaged."""
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
        """When the run was marked as whole; None while it is written, and where it was cut short."""
        finished: float | None = self._one("SELECT finished FROM header", float | None)
        return finished

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns that hold anything, without ``time``."""
        found = self._all("SELECT DISTINCT name FROM piece WHERE name != 'time' ORDER BY name", (str,))
        return tuple(name for (name,) in found)

    @property
    def span(self) -> tuple[float, float] | None:
        """The first and the last time of any row; None without rows."""
        ((start, stop),) = self._all("SELECT min(start), max(stop) FROM chunk", (float | None, float | None))
        return None if start is None or stop is None else (start, stop)

    @property
    def operations(self) -> tuple[int, ...]:
        """The operations that occur."""
        found = self._all("SELECT DISTINCT operation FROM presence ORDER BY operation", (int,))
        return tuple(number for (number,) in found)

    @property
    def counters(self) -> Counters:
        """How many rows came, were kept and were dropped."""
        with self._moment():
            found = self._all("SELECT name, reason, number FROM tally", (str, str, int))
            recorded = self._one("SELECT coalesce(sum(rows), 0) FROM chunk", int)
        tallies = {(name, reason): number for name, reason, number in found}
        return Counters(
            recorded=recorded,
            late=tallies.get(("late", ""), 0),
            repeated=tallies.get(("repeated", ""), 0),
            received=tallies.get(("received", "")),
            dropped={reason: number for (name, reason), number in tallies.items() if name == "dropped"},
        )

    def gaps(self) -> tuple[Gap, ...]:
        """Return the stretches of which nothing is known, in order of time."""
        found = self._all("SELECT start, stop, reason FROM gap ORDER BY start", (float, float | None, str))
        return tuple(Gap(*row) for row in found)

    def events(self, start: float = -np.inf, stop: float = np.inf, item: str | None = None) -> tuple[Event, ...]:
        """Return the words told in ``start`` ≤ time < ``stop``, in order of time, of one item or of all."""
        found = self._all(
            "SELECT time, item, value FROM event WHERE time >= ? AND time < ? AND item = coalesce(?, item) "
            "ORDER BY time, rowid",
            (float, str, str | None),
            (start, stop, item),
        )
        return tuple(Event(*row) for row in found)

    def query(
        self,
        columns: Sequence[str] | None = None,
        start: float = -np.inf,
        stop: float = np.inf,
        *,
        operation: int | None = None,
    ) -> RecordedRows:
        """Return the rows with ``start`` ≤ time < ``stop``, of one operation or of all, in order of time.

        Rows of the same time keep the order in which they came. A column that the recording lacks is unknown
        throughout.
        """
        with self._moment():
            names = tuple(self.columns if columns is None else columns)
            wanted = names if operation is None else (*names, OPERATION)
            found = [self._rows(chunk, rows, wanted) for chunk, rows in self._chunks(start, stop, operation)]
        rows = _joined(found, wanted)
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
        """Yield all rows in the order they came, chunk by chunk, all columns in each: for copies of any length."""
        with self._moment():
            names = self.columns
            for chunk, rows in self._chunks(*_ALWAYS, None):
                yield self._rows(chunk, rows, names)

    def bands(self, column: str, bins: int, start: float | None = None, stop: float | None = None) -> Bands:
        """Return the extremes of a column in ``bins`` equal stretches from ``start`` to ``stop`` (all, if not told).

        A chunk that lies in one stretch is not unpacked: its extremes stand beside it. So the overview of a day
        costs about as much as that of a minute.
        """
        with self._moment():
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
        """Return number and rows of each chunk that may hold such rows, in the order they came."""
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
            raise InputError(f"{self.path.name} is damaged: chunk {chunk} claims {rows} rows")
        wanted = dict.fromkeys(("time", *names))
        marks = ", ".join("?" * len(wanted))
        text = f"SELECT name, data FROM piece WHERE chunk = ? AND name IN ({marks})"
        pieces = dict(self._all(text, (str, bytes), (chunk, *wanted)))
        if "time" not in pieces:
            raise InputError(f"{self.path.name} is damaged: chunk {chunk} has no times")
        try:
            values = {
                name: unpack_column(pieces[name], rows) if name in pieces else np.full(rows, np.nan) for name in wanted
            }
        except PackingError as error:
            raise InputError(f"{self.path.name} is damaged: {error} in chunk {chunk}") from error
        time = values.pop("time")
        return RecordedRows(time, values)

    @contextmanager
    def _moment(self) -> Iterator[None]:
        """See one commit throughout, and turn what SQLite says of a damaged file into one sentence."""
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
        found = self._all(text, (kind,))
        if not found:
            raise InputError(f"{self.path.name} holds no header: its run was cut short before it began")
        return found[0][0]

    def _all(self, text: str, kinds: Sequence[Kind], values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return what a question finds, which must be of these kinds: SQLite itself holds no column to its type."""
        with self._moment():
            found = self._database.execute(text, values).fetchall()
        if any(not isinstance(value, kind) for row in found for value, kind in zip(row, kinds, strict=True)):
            raise InputError(f"{self.path.name} is damaged: it holds words for numbers, or nothing at all")
        return found


def _joined(parts: Sequence[RecordedRows], names: Sequence[str]) -> RecordedRows:
    """Put chunks one after the other."""
    if len(parts) == 1:
        return parts[0]
    empty: list[Floats] = [np.empty(0)]
    time = np.concatenate(empty + [part.time for part in parts])
    return RecordedRows(time, {name: np.concatenate(empty + [part.columns[name] for part in parts]) for name in names})


def _bins(time: Floats, edges: Floats) -> Indices:
    """Return the stretch of each time; -1 and ``bins`` outside. The last stretch holds its end."""
    found = np.searchsorted(edges, time, side="right") - 1
    found[time == edges[-1]] = len(edges) - 2
    return found


def _widen(spots: Indices, values: Floats, low: Floats, high: Floats) -> None:
    """Let the bands take in values."""
    inside = (spots >= 0) & (spots < len(low)) & ~np.isnan(values)
    np.minimum.at(low, spots[inside], values[inside])
    np.maximum.at(high, spots[inside], values[inside])
