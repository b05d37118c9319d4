# SPDX-License-Identifier: LGPL-2.1-or-later
"""The last observations of an agent, each with its number; older ones are forgotten, but not what they came to."""

from collections.abc import Iterator
from typing import NamedTuple


class BufferedObservation(NamedTuple):
    """One observation."""

    sequence: int
    item: int  #: index of the data item
    time: float  #: seconds since the epoch
    text: str


class Buffer:
    """A ring of ``size`` observations."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.first = self.next = 1  #: sequences: the oldest that is kept, the one that comes
        self._ring: list[BufferedObservation | None] = [None] * size
        self._before: dict[int, BufferedObservation] = {}  # the state before the oldest that is kept
        self._state: dict[int, BufferedObservation] = {}

    def tell(self, item: int, time: float, text: str) -> bool:
        """Keep an observation; what says the same as the one before it is none."""
        last = self._state.get(item)
        if last is not None and last.text == text:
            return False
        place = self.next % self.size
        gone = self._ring[place]
        if gone is not None:
            self._before[gone.item] = gone
            self.first = gone.sequence + 1
        self._ring[place] = self._state[item] = BufferedObservation(self.next, item, time, text)
        self.next += 1
        return True

    def since(self, sequence: int, most: int, items: set[int] | None) -> tuple[list[BufferedObservation], int]:
        """Return up to ``most`` observations of ``items`` from a sequence on, and where to go on after them."""
        found: list[BufferedObservation] = []
        for at in range(sequence, self.next):
            each = self._at(at)
            if items is not None and each.item not in items:
                continue
            found.append(each)
            if len(found) == most:
                return found, at + 1
        return found, self.next

    def state(self, items: set[int] | None, at: int | None = None) -> list[BufferedObservation]:
        """Return the newest observation of every item; ``at``: as it was when that sequence was told."""
        newest = self._state
        if at is not None:
            newest = dict(self._before)
            newest.update((each.item, each) for each in self._kept(at))
        return [each for item, each in sorted(newest.items()) if items is None or item in items]

    def _kept(self, last: int) -> Iterator[BufferedObservation]:
        return (self._at(sequence) for sequence in range(self.first, last + 1))

    def _at(self, sequence: int) -> BufferedObservation:
        found = self._ring[sequence % self.size]
        assert found is not None
        return found
