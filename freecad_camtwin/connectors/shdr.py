# SPDX-License-Identifier: LGPL-2.1-or-later
"""SHDR, the lines that MTConnect adapters send to their agent: from a log file, or from an adapter itself.

``2022-08-08T13:51:34.716Z|X1load|12|Z1load|7``: a time, then items with their values. A condition, with its five
fields, is alone in its line. Assets are not observations; all their lines are skipped.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from freecad_camtwin.connectors.protocol import Options, Told
from freecad_camtwin.connectors.readings import Reading, observations, seconds_of, value_of
from freecad_camtwin.connectors.retry import LostError, sessions
from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import Observations

_LONGEST_LINE = 2**16
LINES_AT_ONCE = 2000
_LEVELS = {"NORMAL", "WARNING", "FAULT", "UNAVAILABLE"}
_MULTILINE = "--multiline--"
_PINGS = 3  #: pings sent to a silent adapter before it counts as lost


class LineReader:
    """Converts lines into readings. It stores only the end mark of a multi-line asset that has begun."""

    def __init__(self, told: Told, words: frozenset[str] = frozenset()) -> None:
        self._told, self._words = told, words
        self._until: str | None = None

    def readings(self, line: str, arrival: float | None = None) -> list[Reading]:
        """Return the readings of a line; ``arrival``: their time if the line has none [s since the epoch]."""
        line = line.strip("\r\n")
        if self._until is not None:
            if line.strip() == self._until:
                self._until = None
            return []
        if not line or line.startswith("*"):
            return []
        self._told.received += 1
        if len(line) > _LONGEST_LINE:
            self._told.drop("line too long")
            return []
        stamp, *fields = line.split("|")
        at = seconds_of(stamp.partition("@")[0]) if stamp else arrival
        if at is None or len(fields) < 2:
            self._told.drop("no SHDR line")
            return []
        return self._of(at, fields)

    def _of(self, at: float, fields: list[str]) -> list[Reading]:
        if fields[0].startswith("@"):
            if fields[-1].startswith(_MULTILINE):
                self._until = fields[-1]
            return []
        if len(fields) == 6 and fields[1].upper() in _LEVELS:
            return [(at, fields[0], _condition(fields))]
        if len(fields) % 2:
            self._told.drop("item without a value")
        return [
            (at, item, self._value(item, text)) for item, text in zip(fields[::2], fields[1::2], strict=False) if item
        ]

    def _value(self, item: str, text: str) -> float | str | None:
        value = value_of(text)
        return text.strip() if item in self._words and value is not None else value


def _condition(fields: list[str]) -> str | None:
    """Return the level of a condition with its code and text, if it has them."""
    level, code, text = fields[1].upper(), fields[2], fields[5]
    if level == "UNAVAILABLE":
        return None
    return " ".join(filter(None, (level, code, text)))


class ShdrLog:
    """A log of SHDR lines."""

    def __init__(self, path: Path, options: Options) -> None:
        self.told = Told()
        self._path, self._options = path, options

    async def observations(self) -> Observations:
        """Yield all observations of the log; see ``protocol.Connector``."""
        reader = LineReader(self.told, self._options.words)
        count = 0
        for lines in _blocks(self._path):
            readings = [reading for line in lines for reading in reader.readings(line)]
            count += len(readings)
            for observation in observations(readings):
                yield observation
            await asyncio.sleep(0)
        if not count:
            raise InputError(f"{self._path.name} has no SHDR line such as 2022-08-08T13:51:34.7Z|X1load|12")

    async def offered(self) -> tuple[Item, ...]:
        """Return the items of the log."""
        reader = LineReader(Told())
        names = {item for lines in _blocks(self._path) for line in lines for _, item, _ in reader.readings(line)}
        return tuple(Item(name) for name in sorted(names))


def _blocks(path: Path) -> Iterator[list[str]]:
    """Yield the lines of a file, ``LINES_AT_ONCE`` at a time."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            lines = iter(lambda: file.readline(2 * _LONGEST_LINE), "")
            while block := list(islice(lines, LINES_AT_ONCE)):
                yield block
    except OSError as error:
        raise InputError(f"the SHDR log {path} cannot be read: {error.strerror}") from error


class ShdrAdapter:
    """An adapter that sends SHDR over TCP, as to an agent."""

    def __init__(self, host: str, port: int, options: Options) -> None:
        self.told = Told()
        self._host, self._port, self._options = host, port, options

    def observations(self) -> Observations:
        """Yield the adapter's observations; see ``protocol.Connector``."""
        return sessions(self._session, self.told, patience=self._options.patience)

    async def offered(self) -> tuple[Item, ...]:
        """Return nothing: an adapter cannot list its items."""
        return ()

    async def _session(self) -> Observations:
        peer = f"the adapter {self._host}:{self._port}"
        try:
            async with asyncio.timeout(self._options.quiet):  # wait_for may lose a cancellation in Python 3.11
                incoming, outgoing = await asyncio.open_connection(self._host, self._port, limit=_LONGEST_LINE)
        except OSError as error:
            raise LostError(f"{peer} cannot be reached: {error.strerror or 'no answer'}") from error
        self.told.is_reached = True
        reader = LineReader(self.told, self._options.words)
        try:
            while line := await self._line(incoming, outgoing):
                for observation in observations(reader.readings(line.decode(errors="replace"), time.time())):
                    yield observation
        except TimeoutError as error:
            raise LostError(f"{peer} was silent for {self._options.quiet:g} s") from error
        except ValueError as error:
            self.told.drop("line too long")
            raise LostError(f"{peer} sent a line of more than {_LONGEST_LINE} bytes") from error
        except OSError as error:
            raise LostError(f"{peer} was lost: {error.strerror}") from error
        finally:
            outgoing.close()
            with suppress(OSError):
                await outgoing.wait_closed()
        raise LostError(f"{peer} closed the connection")

    async def _line(self, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> bytes:
        """Return the next line; ping the adapter while it is silent."""
        for _ in range(_PINGS):
            with suppress(TimeoutError):
                async with asyncio.timeout(self._options.quiet / _PINGS):
                    return await incoming.readline()
            outgoing.write(b"* PING\n")
        raise TimeoutError
