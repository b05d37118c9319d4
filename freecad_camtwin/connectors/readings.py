# SPDX-License-Identifier: LGPL-2.1-or-later
"""Combine single readings, which most sources send, into blocks of numbers and words in order of time.

A reading is a time, an item, and a number or a word. Each row of a block is one instant: readings of the same time are
in the same row. A block ends at a word, so that the order of numbers and words is kept.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

import numpy as np

from freecad_camtwin.twin.signals.observation import Event, Observation, Samples

#: (seconds since the epoch, item, value); a value of None is UNAVAILABLE.
Reading = tuple[float, str, float | str | None]

#: Cells of a block; more readings are yielded in several blocks.
_MOST_CELLS = 2**20
#: Numbers of one time series of MTConnect, in XML or JSON; a longer one is ignored or truncated.
MOST_NUMBERS = 100_000
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_FRACTION = re.compile(r"(\.\d{6})\d+")
#: End of the year 9999; times from here on are invalid [s since the epoch].
LAST_SECOND = 253402300800.0


def value_of(text: str) -> float | str | None:
    """Return a text as a number if it is one, else the text; None for UNAVAILABLE, NaN and infinity."""
    word = text.strip()
    if _NUMBER.fullmatch(word):
        number = float(word)
        return number if math.isfinite(number) else None
    if word == "UNAVAILABLE" or word.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
        return None
    return word


def number_of(value: float) -> float | None:
    """Return a number; None for NaN and infinity."""
    return float(value) if math.isfinite(value) else None


def seconds_of(text: str) -> float | None:
    """Return an ISO 8601 time or a plain number of seconds as seconds since the epoch; None if it is neither.

    A time without a zone is UTC.
    """
    word = text.strip()
    if _NUMBER.fullmatch(word):
        return time_of(float(word))
    try:
        moment = datetime.fromisoformat(_FRACTION.sub(r"\1", word))
    except ValueError:
        return None
    return time_of((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def time_of(number: float) -> float | None:
    """Return a number as a time [s since the epoch]; None if it is out of range."""
    return float(number) if 0 <= number < LAST_SECOND else None


def observations(readings: Iterable[Reading]) -> Iterator[Observation]:
    """Yield blocks and words, in order of time.

    At the same time words come first, because a line number is valid for the position beside it; readings of one item
    keep their order.
    """
    ordered = sorted(readings, key=lambda reading: reading[0])
    numeric = {reading[:2] for reading in ordered if isinstance(reading[2], float)}
    ordered.sort(key=lambda reading: (reading[0], reading[:2] in numeric))
    run: list[tuple[float, str, float]] = []
    items: set[str] = set()
    for at, item, value in ordered:
        if isinstance(value, float):
            items.add(item)
            run.append((at, item, value))
            if len(items) * len(run) < _MOST_CELLS:
                continue
        if run:
            yield _block(run)
            run, items = [], set()
        if not isinstance(value, float):
            yield Event(at, item, value)
    if run:
        yield _block(run)


def _block(run: Sequence[tuple[float, str, float]]) -> Samples:
    """Make a block of readings in order of time; a second number of an item at the same time becomes a second row."""
    row = {item: value for _, item, value in run}
    if run[0][0] == run[-1][0] and len(row) == len(run):  # one instant, as in most messages
        return Samples(np.array([run[0][0]]), tuple(row), np.array([list(row.values())]))
    items = {item: column for column, item in enumerate(row)}
    rows: list[int] = []
    times: list[float] = []
    filled: set[str] = set()  # items that the last row has
    for at, item, _ in run:
        if not times or at != times[-1] or item in filled:
            times.append(at)
            filled = set()
        filled.add(item)
        rows.append(len(times) - 1)
    values = np.full((len(times), len(items)), np.nan)
    values[rows, [items[item] for _, item, _ in run]] = [value for _, _, value in run]
    return Samples(np.array(times), tuple(items), values)
