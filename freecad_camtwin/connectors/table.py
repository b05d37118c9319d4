# SPDX-License-Identifier: LGPL-2.1-or-later
"""A text table, as loggers of sensors and of machines write it: one row per instant, one column per item.

The first row names the columns. One of them, named time, timestamp, date or t, is the clock: seconds, or ISO 8601.
Columns of numbers become samples, columns of words become events where they change. A column has words if the options
name it, or if most of its values in the first block that has any are not numbers; a text in a column of numbers is
dropped. If commas do not separate the columns, a number may have a decimal comma.
"""

import asyncio
import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from freecad_camtwin.connectors.protocol import Options, Told
from freecad_camtwin.connectors.readings import Reading, seconds_of, value_of
from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import Event, Observation, Observations, Samples

ROWS_AT_ONCE = 4096
MOST_COLUMNS = 2000
_CLOCKS = ("time", "timestamp", "time_s", "date", "datetime", "t")
_DELIMITERS = ",;\t|"
_DECIMAL_COMMA = re.compile(r"\s*[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?\s*")


class Table:
    """A file of comma, semicolon or tab separated values."""

    def __init__(self, path: Path, options: Options) -> None:
        self.told = Told()
        self._path = path
        self._delimiter = ","
        self._is_timed = False  # whether any row had a time
        self._is_word = dict.fromkeys(options.words, True)  # for every column that has had a value
        self._last: dict[str, float | str | None] = {}

    async def observations(self) -> Observations:
        """Yield all rows; see ``protocol.Connector``."""
        rows = self._rows()
        names, clock = self._head(rows)
        untimed: str | None = None
        while block := list(islice(rows, ROWS_AT_ONCE)):
            for observation in self._block(names, clock, block):
                yield observation
            if not self._is_timed and untimed is None:
                untimed = next((row[clock] for row in block if len(row) == len(names)), None)
            await asyncio.sleep(0)
        if untimed is not None and not self._is_timed:
            raise InputError(
                f"no row of {self._path.name} has a valid time in its column {names[clock]!r} (the first has "
                f"{untimed[:40]!r}); write seconds, or 2026-01-31T12:00:00Z"
            )

    async def offered(self) -> tuple[Item, ...]:
        """Return the columns."""
        names, clock = self._head(self._rows())
        return tuple(Item(name) for at, name in enumerate(names) if at != clock)

    def _rows(self) -> Iterator[list[str]]:
        try:
            with self._path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
                first = file.readline(csv.field_size_limit())
                file.seek(0)
                self._delimiter = max(_DELIMITERS, key=first.count)
                yield from csv.reader(file, delimiter=self._delimiter)
        except OSError as error:
            raise InputError(f"the table {self._path} cannot be read: {error.strerror}") from error
        except csv.Error as error:
            raise InputError(f"{self._path.name} is not a table: {error}") from error

    def _head(self, rows: Iterator[list[str]]) -> tuple[list[str], int]:
        """Return the names of the columns, and the index of the clock."""
        names = [name.strip() for name in next(rows, [])]
        for word in _CLOCKS:
            for at, name in enumerate(names):
                if name.lower() == word and len(names) <= MOST_COLUMNS:
                    return names, at
        raise InputError(
            f"{self._path.name} has no column of times in its first row; name one of its columns 'time', "
            "in seconds or as 2026-01-31T12:00:00Z"
        )

    def _block(self, names: Sequence[str], clock: int, block: Sequence[list[str]]) -> Iterator[Observation]:
        self.told.received += len(block)
        timed = [(seconds_of(self._plain(row[clock])), row) for row in block if len(row) == len(names)]
        rows = [row for at, row in timed if at is not None]
        times = np.array([at for at, _ in timed if at is not None])
        self._is_timed |= bool(rows)
        if len(rows) < len(timed):
            self.told.drop("row without a time", len(timed) - len(rows))
        if len(timed) < len(block):
            self.told.drop("row of another length", len(block) - len(timed))
        items: list[str] = []
        columns: list[Floats] = []
        changes: list[tuple[int, Reading]] = []
        for at, name in enumerate(names):
            if at == clock or not name:
                continue
            values = [value_of(self._plain(row[at])) if row[at].strip() else None for row in rows]
            if self._has_words(name, values):
                changes += self._changes(name, times, [row[at].strip() for row in rows], values)
            else:
                items.append(name)
                columns.append(self._numbers(name, values))
        matrix = np.stack(columns, axis=1) if columns else np.empty((len(rows), 0))
        yield from _split(times, tuple(items), matrix, sorted(changes, key=lambda change: change[0]))

    def _plain(self, text: str) -> str:
        """Return a text; if it is a number with a decimal comma, with a decimal point instead."""
        if self._delimiter == "," or "," not in text or not _DECIMAL_COMMA.fullmatch(text):
            return text
        return text.replace(",", ".")

    def _has_words(self, name: str, values: Sequence[float | str | None]) -> bool:
        """Whether a column has words; its first block with a value decides it for all later ones."""
        if name not in self._is_word:
            texts = sum(isinstance(value, str) for value in values)
            numbers = sum(isinstance(value, float) for value in values)
            if not texts + numbers:
                return False
            self._is_word[name] = texts > numbers
        return self._is_word[name]

    def _numbers(self, name: str, values: Sequence[float | str | None]) -> Floats:
        """Return a column of numbers, NaN where there is none; texts in it are counted as dropped."""
        texts = sum(isinstance(value, str) for value in values)
        if texts:
            self.told.drop(f"text among the numbers of {name}", texts)
        return np.array([value if isinstance(value, float) else np.nan for value in values], np.float64)

    def _changes(
        self, name: str, times: Floats, texts: Sequence[str], values: Sequence[float | str | None]
    ) -> Iterator[tuple[int, Reading]]:
        """Yield the rows in which a column of words changes."""
        for row, (at, text, value) in enumerate(zip(times, texts, values, strict=True)):
            word = text if value is not None else None
            if name not in self._last or self._last[name] != word:
                self._last[name] = word
                yield row, (float(at), name, word)


def _split(
    times: Floats, items: tuple[str, ...], values: Floats, changes: Sequence[tuple[int, Reading]]
) -> Iterator[Observation]:
    """Yield rows in their order, and each word before the row that contains it."""
    done = 0
    for row, (at, item, word) in changes:
        if items and row > done:
            yield Samples(times[done:row], items, values[done:row])
            done = row
        yield Event(at, item, None if word is None else str(word))
    if items and len(times) > done:
        yield Samples(times[done:], items, values[done:])
