# SPDX-License-Identifier: LGPL-2.1-or-later
"""The last observations of an agent, each with its sequence number, and the state before the oldest of them."""

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
        self.first = self.next = 1  #: sequence of the oldest observation kept, and of the next one
        self._ring: list[BufferedObservation | None] = [None] * size
        self._before: dict[int, BufferedObservation] = {}  # the state before the oldest observation kept
        self._state: dict[int, BufferedObservation] = {}

    def tell(self, item: int, time: float, text: str) -> bool:
        """Store an observation and return True; return False if its text equals the item's last one."""
        last = self._state.get(item)
        if last is not None and last.text == text:
            return False
        place = self.next % self.size
        oldest = self._ring[place]
        if oldest is not None:
            self._before[oldest.item] = oldest
            self.first = oldest.sequence + 1
        self._ring[place] = self._state[item] = BufferedObservation(self.next, item, time, text)
        self.next += 1
        return True

    def since(self, sequence: int, most: int, items: set[int] | None) -> tuple[list[BufferedObservation], int]:
        """Return up to ``most`` observations of ``items`` from a sequence on, and the sequence to continue at."""
        observations: list[BufferedObservation] = []
        for at in range(sequence, self.next):
            each = self._at(at)
            if items is not None and each.item not in items:
                continue
            observations.append(each)
            if len(observations) == most:
                return observations, at + 1
        return observations, self.next

    def state(self, items: set[int] | None, at: int | None = None) -> list[BufferedObservation]:
        """Return the newest observation of every item; with ``at``, the newest up to that sequence."""
        newest = self._state
        if at is not None:
            newest = dict(self._before)
            newest.update((each.item, each) for each in self._kept(at))
        return [each for item, each in sorted(newest.items()) if items is None or item in items]

    def _kept(self, last: int) -> Iterator[BufferedObservation]:
        return (self._at(sequence) for sequence in range(self.first, last + 1))

    def _at(self, sequence: int) -> BufferedObservation:
        observation = self._ring[sequence % self.size]
        assert observation is not None
        return observation
