# SPDX-License-Identifier: LGPL-2.1-or-later
"""Raw data of a machine, before the signal map is applied: blocks of numbers, and single words.

Connectors yield these; the signal map (``signals.signal_map``) turns them into columns with meanings and units.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

import numpy as np

from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.base.arrays import Floats

#: The item of an Event that marks missing data; its value is the reason.
GAP = "GAP"


@dataclass(frozen=True, slots=True)
class Samples:
    """A block of numbers on one clock, as the source sent it: late, doubled and unordered rows included.

    Raises InputError if the columns differ in length.
    """

    time: Floats  #: (n,) the source's own time, seconds since the epoch
    items: tuple[str, ...]  #: the source's own names of its items
    values: Floats  #: (n, items) in the source's units; NaN where an item has no number in that row

    def __post_init__(self) -> None:
        time = np.ascontiguousarray(self.time, np.float64)
        values = np.ascontiguousarray(self.values, np.float64)
        if time.ndim != 1 or values.shape != (len(time), len(self.items)):
            raise InputError(f"{time.shape} times do not fit {values.shape} values of {len(self.items)} items")
        object.__setattr__(self, "time", time)
        object.__setattr__(self, "values", values)

    @staticmethod
    def row(time: float, values: Mapping[str, float]) -> "Samples":
        """Make a block of one row."""
        return Samples(np.array([time]), tuple(values), np.array([list(values.values())], np.float64).reshape(1, -1))


@dataclass(frozen=True, slots=True)
class Event:
    """One word of the source: a program's name, a state, a condition, or a ``GAP`` in its data."""

    time: float  #: seconds since the epoch
    item: str
    value: str | None  #: None for UNAVAILABLE


Observation = Samples | Event
#: The observations of a source in the order in which they come; the receiver closes the generator when it is done.
Observations = AsyncGenerator[Observation, None]
