# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads a recording as a run: columns by meaning, whether it was recorded by meaning or under the source's names."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from freecad_camtwin.errors import InputError
from freecad_camtwin.store.reader import RecordedRows, RecordingReader
from freecad_camtwin.twin.base.arrays import Mask
from freecad_camtwin.twin.signals.columns import Columns, Word, to_columns
from freecad_camtwin.twin.signals.observation import GAP, Event, Observation, Samples
from freecad_camtwin.twin.signals.run import Run, Silence
from freecad_camtwin.twin.signals.signal_map import QUANTITIES, SignalMap, decode_signals

_OURS = {quantity.column for quantity in QUANTITIES.values()}


def read_run(path: Path | str, signals: SignalMap | None = None) -> Run:
    """Read a recording. InputError if it is missing or damaged, or if no signal map gives its columns' meanings.

    ``signals``: the signal map for a recording that was made without one.
    """
    with RecordingReader(path) as reader:
        header, counters = reader.header, reader.counters
        gaps, events = reader.gaps(), reader.events()
        if _OURS & set(reader.columns):
            columns = _columns(reader.query(), events)
        else:
            columns = _translated(reader, signals or _of_header(header.signal_map, reader.path.name))
        notes = () if reader.finished is not None else (f"{reader.path.name} was not finished by its recorder.",)
        return Run(
            columns=columns,
            source=reader.path.name,
            name=header.run,
            toolpath_hash=header.toolpath_hash,
            program_hash=header.program_hash,
            program=header.program,
            machine=header.machine,
            operator=header.operator,
            simulated=header.simulated,
            finished=reader.finished is not None,
            silences=tuple(Silence(gap.start, gap.stop, gap.reason) for gap in gaps),
            received=counters.received,
            dropped=counters.dropped,
            notes=notes,
        )


def _columns(rows: RecordedRows, events: tuple[Event, ...]) -> Columns:
    """Return rows that were recorded by meaning; of rows with the same time the first is used."""
    new = np.diff(rows.time, prepend=-np.inf) > 0
    kept = rows if new.all() else rows.where(new)
    return Columns(kept.time, kept.columns, tuple(Word(event.time, event.item, event.value) for event in events))


def _of_header(text: str | None, name: str) -> SignalMap:
    if not text:
        raise InputError(f"{name} was recorded under the source's own names and has no signal map; give a signal map")
    return decode_signals(text.encode(), f"of {name}")


def _translated(reader: RecordingReader, signals: SignalMap) -> Columns:
    """Return rows that were recorded under the source's names, translated by a signal map."""
    return to_columns(signals, run_observations(reader, [reader.query()]))


def words(reader: RecordingReader) -> tuple[Event, ...]:
    """Return words and gaps in the order of their time; a gap follows the row at whose time it begins."""
    gaps = [Event(float(np.nextafter(gap.start, np.inf)), GAP, gap.reason) for gap in reader.gaps()]
    return tuple(sorted([*gaps, *reader.events()], key=lambda event: event.time))


def run_observations(reader: RecordingReader, parts: Iterable[RecordedRows]) -> Iterator[Observation]:
    """Yield the rows of all parts, and each word and gap before the first row that is not earlier.

    A recording by meaning repeats the last value, so that NaN in its rows means unknown. In a block of samples NaN
    means unchanged: so an event is yielded where a column becomes unknown.
    """
    by_meaning = bool(_OURS & set(reader.columns))
    waiting = deque(words(reader))
    times = np.array([word.time for word in waiting])
    last: Mask | None = None
    for rows in parts:
        names = tuple(rows.columns)
        table = np.stack([rows.columns[name] for name in names], axis=1) if names else np.empty((len(rows), 0))
        known = np.isfinite(table) if by_meaning else np.ones(table.shape, np.bool_)
        before = np.concatenate([known[:1] if last is None else last, known[:-1]])
        last = known[-1:]
        changes = np.flatnonzero((known != before).any(axis=1))
        stops = np.searchsorted(np.maximum.accumulate(rows.time), times)
        for start, stop in pairwise(np.unique([0, *changes, *stops, len(rows)])):
            while waiting and waiting[0].time <= rows.time[start]:
                yield waiting.popleft()
            for column in np.flatnonzero(before[start] & ~known[start]):
                yield Event(float(rows.time[start]), names[column], None)
            yield Samples(rows.time[start:stop], names, table[start:stop])
    yield from waiting
