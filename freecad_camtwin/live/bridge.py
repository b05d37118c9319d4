# SPDX-License-Identifier: LGPL-2.1-or-later
"""Publishes the observations of one source through any number of publishers, and passes commands back to the source.

The bridge checks a command's name, its expiry and the time since the last command. The source decides what may be set
and within which bounds. The result is published to all as the word ``command``, so that it is recorded beside the
machine's data.
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

#: Least time between two commands; an earlier one is refused [s].
SOONEST = 0.1


@runtime_checkable
class Settable(Protocol):
    """A source that accepts commands."""

    async def ask_feed_override(self, percent: float) -> str | None:
        """Set the feed override [%]; return None when it is set, else the reason as one sentence."""


@dataclass
class Bridge:
    """One source and its publishers."""

    source: Connector
    publishers: tuple[Publisher, ...]
    clock: Callable[[], float] = time.time
    told: int = field(default=0, init=False)  #: observations published
    followed: int = field(default=0, init=False)  #: commands executed
    refused: int = field(default=0, init=False)  #: commands refused
    _last: float = field(default=float("-inf"), init=False)

    async def run(self) -> None:
        """Publish until the source ends or this task is cancelled. ConnectorError if a peer refuses us."""
        async with AsyncExitStack() as stack:
            for publisher in self.publishers:
                await stack.enter_async_context(publisher)
            tasks = [asyncio.create_task(self._follow(publisher)) for publisher in self.publishers]
            try:
                await self._publish_all()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _publish_all(self) -> None:
        async with aclosing(self.source.observations()) as observations:
            async for observation in observations:
                self.told += 1
                await self._publish(observation)

    async def _publish(self, observation: Observation) -> None:
        for publisher in self.publishers:
            await publisher.tell(observation)

    async def _follow(self, publisher: Publisher) -> None:
        async for command in publisher.commands():
            refusal = await self.ask(command)
            self.followed += refusal is None
            self.refused += refusal is not None
            by = f" by {command.sender}" if command.sender else ""
            result = f"{command.name} {command.value:g}{by}: {refusal or 'done'}"
            await self._publish(Event(self.clock(), COMMAND, result))

    async def ask(self, command: Command) -> str | None:
        """Pass a command on; return None when it is executed, else the reason as one sentence."""
        now = self.clock()
        if command.name != FEED_OVERRIDE or not isinstance(self.source, Settable):
            return "this source has no command of that name"
        if command.expires is not None and now > command.expires:
            return "it has expired"
        if now - self._last < SOONEST:
            return f"another command came less than {SOONEST:g} s before"
        self._last = now
        return await self.source.ask_feed_override(command.value)
