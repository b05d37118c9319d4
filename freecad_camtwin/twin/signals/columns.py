# SPDX-License-Identifier: LGPL-2.1-or-later
"""From observations to columns: every number by its meaning, in CAM Twin's units, on one clock that never runs back.

If a signal is delayed by 0.25 s, rows wait that long for it, so that all values of a row are of the same time. Late,
doubled and timeless rows are dropped and counted. If the source's clock is set back, the time of the rows continues to
rise, and the event is counted.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from freecad_camtwin.twin.base.arrays import Floats, Indices
from freecad_camtwin.twin.signals.observation import GAP, Event, Observation, Samples
from freecad_camtwin.twin.signals.signal_map import SignalMap

#: If the rows of a source stay in the past for this long, its clock was set back [s].
CLOCK_SET_BACK = 2.0


@dataclass(frozen=True, slots=True)
class Word:
    """A word with a meaning: the state, the program, a gap."""

    time: float  #: [s] since the epoch
    column: str  #: ``Quantity.column``, or "gap"
    value: str | None


@dataclass(frozen=True)
class Columns:
    """Rows of numbers by meaning. NaN is unknown. Positions are of the tool's tip in work coordinates."""

    time: Floats  #: (n,) [s] since the epoch, rising
    values: Mapping[str, Floats] = field(default_factory=dict)  #: column → (n,), in CAM Twin's units
    words: tuple[Word, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.time)

    def column(self, name: str) -> Floats:
        """Return a column; NaN if there is none."""
        values = self.values.get(name)
        return np.full(self.rows, np.nan) if values is None else values

    @property
    def points(self) -> Floats:
        """Return the positions [mm], shape (n, 3); NaN if there is none."""
        points = np.empty((self.rows, 3))
        for index, axis in enumerate("xyz"):
            points[:, index] = self.column(axis)
        return points

    def part(self, rows: slice) -> "Columns":
        """Return some of the rows, without words; for all rows of columns without words, the same object."""
        if not self.words and rows.indices(self.rows) == (0, self.rows, 1):
            return self
        return Columns(self.time[rows], {name: values[rows] for name, values in self.values.items()})


def joined(parts: Iterable[Columns]) -> Columns:
    """Join blocks of rows, in order, into one."""
    parts = list(parts)
    filled = [part for part in parts if part.rows or part.words]
    if len(filled) == 1:
        return filled[0]
    names = dict.fromkeys(name for part in parts for name in part.values)
    return Columns(
        np.concatenate([part.time for part in parts]) if parts else np.empty(0),
        {name: np.concatenate([part.column(name) for part in parts]) for name in names},
        tuple(word for part in parts for word in part.words),
    )


def to_columns(signals: SignalMap, observations: Iterable[Observation]) -> Columns:
    """Turn a finished run's observations into columns; for a running one keep a ``Translator``."""
    translator = Translator(signals)
    parts = [translator.take(observation) for observation in observations]
    return joined([*parts, translator.rest()])


@dataclass(frozen=True, slots=True)
class _Route:
    """Which columns of a block become which output columns, and their conversion."""

    source: Indices  #: (k,) columns of the block
    target: Indices  #: (k,) output columns
    factor: Floats  #: (k,) output = source value · factor + shift
    shift: Floats


class Translator:
    """Applies a signal map to observations as they come. Memory is bounded by the longest delay."""

    def __init__(self, signals: SignalMap) -> None:
        self.signals = signals
        self.counters: Counter[str] = Counter()  #: what was dropped or corrected, by reason
        self._by_item: dict[str, list[int]] = {}
        for index, signal in enumerate(signals.signals):
            self._by_item.setdefault(signal.item, []).append(index)
        self._columns = [signal.quantity.column for signal in signals.signals]
        self._conversion = np.array([signal.conversion for signal in signals.signals])
        self._is_number = np.array([signal.quantity.unit is not None for signal in signals.signals])
        self._delay = np.array([signal.delay for signal in signals.signals])
        self._late, self._longest = np.flatnonzero(self._delay), self._delay.max(initial=0.0)
        self._latest = np.full(len(self._columns), np.nan)
        self._shift = 0.0  # added to the source's time after its clock was set back
        self._last = -np.inf
        self._behind = np.inf  # time of the first of the present series of late rows
        self._routes: dict[tuple[str, ...], _Route] = {}
        self._time = np.empty(0)
        self._rows = np.empty((0, len(self._columns)))

    def take(self, observation: Observation) -> Columns:
        """Return the rows and words that an observation completes, possibly none."""
        if isinstance(observation, Event):
            return self._event(observation)
        return self._samples(observation)

    def rest(self) -> Columns:
        """Return the rows that still wait for delayed signals, after the last observation."""
        return self._release(np.inf)

    def newest(self, otherwise: float) -> float:
        """Return the time of the newest row that was taken [s]; ``otherwise`` if there was none."""
        return self._last if np.isfinite(self._last) else otherwise

    def on_our_clock(self, time: float) -> float:
        """Return a time of the source on the clock of the rows; they differ after the source's clock was set back."""
        return time + self._shift

    def _event(self, event: Event) -> Columns:
        if event.item == GAP:
            self._latest[:] = np.nan
            return Columns(np.empty(0), {}, (Word(event.time + self._shift, "gap", event.value),))
        words: list[Word] = []
        indices = self._by_item.get(event.item, ())
        self.counters["unmapped"] += not indices
        for index in indices:
            if not self._is_number[index]:
                words.append(Word(event.time + self._shift, self._columns[index], event.value))
                continue
            factor, shift = self._conversion[index]
            self._latest[index] = _number(event.value) * factor + shift
        return Columns(np.empty(0), {}, tuple(words))

    def _route(self, items: tuple[str, ...]) -> _Route:
        """Return the output columns of a block's columns."""
        if items not in self._routes:
            if len(self._routes) > 1000:  # a source that invents names must not fill the memory
                self._routes.clear()
            pairs = [
                (at, index)
                for at, item in enumerate(items)
                for index in self._by_item.get(item, ())
                if self._is_number[index]
            ]
            source, target = np.array(pairs, np.intp).reshape(-1, 2).T
            self._routes[items] = _Route(source, target, *self._conversion[target].T)
        return self._routes[items]

    def _samples(self, samples: Samples) -> Columns:
        route = self._route(samples.items)
        if not len(route.target):
            self.counters["unmapped"] += len(samples.time)
            return Columns(np.empty(0))
        last = self._last
        kept, time = self._in_order(samples.time)
        if not len(time):
            return Columns(np.empty(0))
        rows = np.full((len(time) + 1, len(self._columns)), np.nan)
        rows[0] = self._latest
        with np.errstate(over="ignore", invalid="ignore"):
            rows[1:, route.target] = samples.values[kept].take(route.source, axis=1) * route.factor + route.shift
        _hold(rows)
        self._latest = rows[-1].copy()
        rows = rows[1:]
        if not _is_rising(last, time):
            again = int(np.searchsorted(time, last, side="right"))  # rows of the newest time, known before
            if again and len(self._time):
                self._rows[-1] = rows[again - 1]
            whole = np.flatnonzero(np.diff(time[again:], append=np.inf) > 0) + again
            time, rows = time[whole], rows[whole]
        self._time = np.concatenate([self._time, time])
        self._rows = np.concatenate([self._rows, rows])
        return self._release(self._last)

    def _in_order(self, source: Floats) -> tuple[slice | Indices, Floats]:
        """Return the rows of a block at the newest time or later, in order, and their times on the clock of the rows.

        A message may end between values of the same time: the values in the next message are added to that row.
        """
        time = source + self._shift
        if _is_rising(self._last, time) and time[-1] < np.inf:
            self._behind, self._last = np.inf, float(time[-1])
            return slice(None), time
        rows = np.flatnonzero(np.isfinite(time))
        self.counters["timeless"] += len(time) - len(rows)
        rows = rows[np.argsort(time[rows], kind="stable")]
        time = time[rows]
        new = time > np.maximum(np.concatenate([[self._last], time[:-1]]), self._last)
        if not new.any() and len(time):
            self._behind = min(self._behind, float(time[0]))
            if time[-1] - self._behind > CLOCK_SET_BACK and self._last - time[-1] > CLOCK_SET_BACK:
                self._shift += self._last - float(time[-1]) + 1e-6
                self.counters["clock set back"] += 1
                self._behind = np.inf
        elif len(time):
            self._behind = np.inf
        self.counters["late or doubled"] += int((~new).sum())
        kept = time >= self._last
        rows, time = rows[kept], time[kept]
        if len(time):
            self._last = float(time[-1])
        return rows, time

    def _release(self, newest: float) -> Columns:
        """Return the rows whose most delayed signal has come: a signal's value at t + its delay belongs to t."""
        ready = int(np.searchsorted(self._time, newest - self._longest, side="right"))
        time, rows = self._time[:ready], self._rows[:ready].copy()
        for index in self._late:
            at = time + self._delay[index]
            if self.signals.signals[index].quantity.steps:
                row = np.searchsorted(self._time, at, side="right") - 1
                rows[:, index] = np.where(at > newest, np.nan, self._rows[row, index])
            else:
                rows[:, index] = np.interp(at, self._time, self._rows[:, index], right=np.nan) if ready else 0.0
        self._time, self._rows = self._time[ready:], self._rows[ready:]
        return self._named(time, rows)

    def _named(self, time: Floats, rows: Floats) -> Columns:
        named = {name: rows[:, index] for index, name in enumerate(self._columns) if self._is_number[index]}
        return Columns(time, self._in_work_coordinates(named))

    def _in_work_coordinates(self, named: dict[str, Floats]) -> dict[str, Floats]:
        if self.signals.coordinates == "work":
            return named
        zero = self.signals.work_zero or (0.0, 0.0, 0.0)
        for axis, at in zip("xyz", zero, strict=True):
            if axis not in named:
                continue
            moved = named[axis] - at
            lengths = ("tool_length",) if axis == "z" else ()
            for name in (f"offset_{axis}", f"shift_{axis}", *lengths):
                if name in named:
                    moved = moved - named[name]
            named[axis] = moved
        return named


def _is_rising(last: float, time: Floats) -> bool:
    """Whether every time is later than the one before, and the first later than ``last``."""
    return bool(len(time) and time[0] > last and (time[1:] > time[:-1]).all())


def _number(word: str | None) -> float:
    try:
        number = float(word) if word is not None else np.nan
    except ValueError:
        return np.nan
    return number if math.isfinite(number) else np.nan


def _hold(rows: Floats) -> None:
    """Fill every gap in a column with the last number before it."""
    known = np.isfinite(rows)
    if known.all():
        return
    for index in np.flatnonzero(~known.all(axis=0)):
        last = np.maximum.accumulate(np.where(known[:, index], np.arange(len(rows)), 0))
        rows[:, index] = rows[last, index]
