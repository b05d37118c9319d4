# SPDX-License-Identifier: LGPL-2.1-or-later
"""Converts the notifications of a subscription into observations: rows of values of the same time, and words.

A server sends each variable separately, with its source time. The first value of a variable after connecting may have
been valid for long: it is yielded as an event. So is a value that is older than rows already yielded, such as an
override that the server samples rarely: rows stay in order of time, and the value is valid from now on.
"""

import math
import time
from collections.abc import Iterator, Sequence
from datetime import datetime

from asyncua import ua

from freecad_camtwin.connectors.protocol import Told
from freecad_camtwin.connectors.readings import Reading, observations
from freecad_camtwin.twin.signals.observation import GAP, Event, Observation

#: Longer arrays and texts are not signals.
MOST_ELEMENTS, MOST_TEXT = 64, 10_000
#: Readings that wait for the rest of a message.
_MOST_WAITING = 2**20
#: Bits of a status code: information about the value, and that a queue overflowed before it (OPC 10000-4, 7.39).
_OVERFLOW = 0x480
_BAD, _UNCERTAIN = 0x80000000, 0x40000000
_WAITING = int(ua.StatusCodes.BadWaitingForInitialData)
_NUMBERS = (bool, int, float)


class Gatherer:
    """Converts the notifications of one subscription into observations."""

    def __init__(self, names: Sequence[str], words: frozenset[str], told: Told) -> None:
        """``names``: names of the items; the index of each is its handle."""
        self._names, self._words, self._told = names, words, told
        self._known = [False] * len(names)  # whether an item's last value was known
        self._begun = [False] * len(names)
        self._fresh: list[Reading] = []  # readings that wait for the rest of their rows
        self._state: list[Event] = []
        self._last = -math.inf  # time of the last row
        self._newest: dict[int, float] = {}  # item → time of its last number that waits
        self._times = [-math.inf] * len(names)  # of each item's last value
        self._overflowed: tuple[float, str] | None = None  # when, and which item first
        self._sequence: int | None = None  # of the next message

    def take(self, message: ua.NotificationMessage, *, more: bool = False) -> Iterator[Observation]:
        """Yield the observations of a message; with ``more`` it waits for the next message, so that rows are whole."""
        yield from self._missing(message)
        for part in message.NotificationData or ():
            for notification in part.MonitoredItems if isinstance(part, ua.DataChangeNotification) else ():
                self._told.received += 1
                if 0 <= notification.ClientHandle < len(self._names):
                    self._notification(int(notification.ClientHandle), notification.Value)
                else:
                    self._told.drop("item that was not asked for")
        if more and len(self._fresh) < _MOST_WAITING:
            return
        fresh, self._fresh = self._fresh, []
        state, self._state = self._state, []
        if self._overflowed is not None:
            yield Event(self._overflowed[0], GAP, f"the server's queue of {self._overflowed[1]} overflowed")
        yield from sorted(state, key=lambda event: event.time)
        self._last = max(self._newest.values(), default=self._last)
        self._newest, self._overflowed = {}, None
        yield from observations(fresh)

    def _missing(self, message: ua.NotificationMessage) -> Iterator[Event]:
        """Yield a gap if messages are missing before this one."""
        number = int(message.SequenceNumber)
        if self._sequence is not None and number not in (self._sequence, 1):  # after 2³²−1 comes 1
            lost = max(number - self._sequence, 1)
            self._told.drop("message that did not come", lost)
            yield Event(time.time(), GAP, f"{lost} messages of the subscription did not come")
        # A message without data only keeps the connection alive, and has the number of the next one.
        self._sequence = number + bool(message.NotificationData)

    def _notification(self, handle: int, value: ua.DataValue) -> None:
        name = self._names[handle]
        code = 0 if value.StatusCode is None else int(value.StatusCode.value)
        at = self._time(value, code)
        if code & _OVERFLOW == _OVERFLOW:
            self._told.drop("overflow of the server's queue")
            self._overflowed = self._overflowed or (at, name)
        readings = list(self._readings(name, value, code))
        known = any(word is not None for _, word in readings)
        begins = not self._begun[handle]
        if not known and not begins and not self._known[handle]:
            return  # still unknown
        self._begun[handle], self._known[handle] = True, known
        if at < self._times[handle]:
            self._last = -math.inf  # its source's clock was set back: later values do not count as older
        self._times[handle] = at
        for item, word in readings:
            if begins or (isinstance(word, float) and at <= self._last):
                self._state.append(Event(at, item, repr(word) if isinstance(word, float) else word))
            else:
                self._fresh.append((at, item, word))
                if isinstance(word, float):
                    self._newest[handle] = at

    def _time(self, value: ua.DataValue, code: int) -> float:
        stamp: datetime | None = value.SourceTimestamp or value.ServerTimestamp
        if (
            value.SourceTimestamp is None
            and not code & _BAD
            and value.Value is not None
            and value.Value.Value is not None
        ):
            self._told.warn("the server's time is used for values without a source time")
        return stamp.timestamp() if stamp is not None else time.time()

    def _readings(self, name: str, value: ua.DataValue, code: int) -> Iterator[tuple[str, float | str | None]]:
        """Yield the items of a value; None where it is unknown."""
        if code & _BAD:
            if code != _WAITING:
                self._told.drop(f"bad value ({ua.StatusCode(code).name})")
            yield name, None
            return
        if code & _UNCERTAIN:
            self._told.warn(f"the server marks values of {name} as uncertain ({ua.StatusCode(code).name})")
        content = value.Value.Value if value.Value is not None else None
        if not isinstance(content, list):
            yield name, self._word(name, content)
        elif len(content) > MOST_ELEMENTS:
            self._told.drop("array too long")
            yield name, None
        else:
            for at, element in enumerate(content):
                yield f"{name}[{at}]", self._word(name, element)

    def _word(self, name: str, content: object) -> float | str | None:
        """Return a value as a number or a word; None if it is neither."""
        if isinstance(content, _NUMBERS):
            if name in self._words:
                return str(content)
            if math.isfinite(content):
                return float(content)
            self._told.drop("no number")
            return None
        text = content.Text if isinstance(content, ua.LocalizedText) else content
        if isinstance(text, str) and len(text) <= MOST_TEXT:
            return text
        if text is not None:
            self._told.drop("text too long" if isinstance(text, str) else f"value of type {type(content).__name__}")
        return None
