# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine without an interface of its own, made to speak: one source's observations to any number of publishers.

What is asked of the machine comes back the same way: through a gate, which looks at the name, the time and how often
somebody asks, to the source, which alone knows what may be set and within which bounds. How it went is told to all,
as the word ``command``, so that it is recorded beside what the machine then did.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from freecad_camtwin.connectors.protocol import Connector
from freecad_camtwin.publishers import Command, Publisher
from freecad_camtwin.publishers.protocol import COMMAND, FEED_OVERRIDE
from freecad_camtwin.twin.signals.observation import Event, Observation

#: Commands that follow each other faster are refused [s].
SOONEST = 0.1


@runtime_checkable
class Settable(Protocol):
    """A source that can also be asked."""

    async def ask_feed_override(self, percent: float) -> str | None:
        """Set the feed override [%]; return in a sentence why that was not done, None when it was."""


@dataclass
class Bridge:
    """One source and those who speak for it."""

    source: Connector
    publishers: tuple[Publisher, ...]
    clock: Callable[[], float] = time.time
    told: int = field(default=0, init=False)  #: observations
    followed: int = field(default=0, init=False)  #: commands that were done
    refused: int = field(default=0, init=False)  #: … that were not
    _last: float = field(default=float("-inf"), init=False)

    async def run(self) -> None:
        """Tell until the source ends, or this task is cancelled. ConnectorError where somebody refuses us."""
        async with AsyncExitStack() as stack:
            for publisher in self.publishers:
                await stack.enter_async_context(publisher)
            asking = [asyncio.create_task(self._follow(publisher)) for publisher in self.publishers]
            try:
                await self._tell_all()
            finally:
                for task in asking:
                    task.cancel()
                await asyncio.gather(*asking, return_exceptions=True)

    async def _tell_all(self) -> None:
        async with aclosing(self.source.observations()) as found:
            async for observation in found:
                self.told += 1
                await self._tell(observation)

    async def _tell(self, observation: Observation) -> None:
        for publisher in self.publishers:
            await publisher.tell(observation)

    async def _follow(self, publisher: Publisher) -> None:
        async for command in publisher.commands():
            why = await self.ask(command)
            self.followed += why is None
            self.refused += why is not None
            by = f" by {command.sender}" if command.sender else ""
            await self._tell(Event(self.clock(), COMMAND, f"{command.name} {command.value:g}{by}: {why or 'done'}"))

    async def ask(self, command: Command) -> str | None:
        """Pass a command on; return in a sentence why it was not followed, None when it was."""
        now = self.clock()
        if command.name != FEED_OVERRIDE or not isinstance(self.source, Settable):
            return "nothing of that name can be set here"
        if command.expires is not None and now > command.expires:
            return "it has expired"
        if now - self._last < SOONEST:
            return f"another command came less than {SOONEST:g} s before"
        self._last = now
        return await self.source.ask_feed_override(command.value)
