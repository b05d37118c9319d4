# SPDX-License-Identifier: LGPL-2.1-or-later
"""Publishes a virtual machine in machine time: real seconds times a speed.

The machine's clock is set so that the predicted end of the program falls on the end of the show: no time stamp lies in
the future, and differences of time stamps are machine time, not the duration of the show.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from freecad_camtwin.publishers.protocol import Publisher
from freecad_camtwin.twin.package.package import Package
from freecad_camtwin.twin.signals.observation import Observation, Samples
from freecad_camtwin.virtual_machine.machine import VirtualMachine, check_rate
from freecad_camtwin.virtual_machine.truth import Truth

#: Interval at which the machine's clock is checked [s].
_TICK = 0.01


@dataclass(frozen=True, slots=True)
class Pace:
    """The speed of the show."""

    speed: float = 1.0  #: machine seconds per second
    lead: float = 2.0  #: how long the machine waits before the program starts [s]
    tail: float = 2.0  #: how long the machine stays on after the program's end [s]
    rate: float = 100.0  #: rows per machine second


@dataclass(slots=True)
class Shown:
    """The result of a show."""

    rows: int = 0
    machine_seconds: float = 0.0
    commands: int = 0
    behind: float = 0.0  #: greatest delay of the show [s]


class Show:
    """One run of one program on a virtual machine."""

    def __init__(self, package: Package, truth: Truth, pace: Pace) -> None:
        check_rate(pace.rate)
        self.pace = pace
        self.shown = Shown()
        self.machine = VirtualMachine(package, truth, rate=pace.rate, begin=0.0)
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Switch the machine off."""
        self._stop.set()

    async def run(self, publishers: list[Publisher], ready: Callable[[], Awaitable[None]] | None = None) -> Shown:
        """Show the program until its end or ``stop``.

        ``ready`` is called once all publishers are connected; the program begins when it returns.
        """
        async with AsyncExitStack() as stack:
            for publisher in publishers:
                await stack.enter_async_context(publisher)
            if ready is not None:
                await ready()
            tasks = [asyncio.create_task(self._obey(publisher, publishers)) for publisher in publishers]
            try:
                await self._play(publishers)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        return self.shown

    async def _play(self, publishers: list[Publisher]) -> None:
        pace, machine = self.pace, self.machine
        begun = time.time()
        duration = machine.progress.predicted / pace.speed + pace.lead + pace.tail
        machine.begin = zero = begun + duration * (1 - max(pace.speed, 1.0))
        for word in machine.greeting():
            await self._publish(publishers, word)
        clock = asyncio.get_running_loop().time
        start, over = clock(), 0.0
        while not self._stop.is_set() and (not over or clock() - over < pace.tail):
            spent = clock() - start
            if spent >= pace.lead:
                machine.start()
            while machine.time + machine.block <= zero + pace.speed * spent and not self._stop.is_set():
                for observation in machine.advance():
                    await self._publish(publishers, observation)
                await asyncio.sleep(0)  # commands must be received even if the show is late
            self.shown.machine_seconds = machine.time - zero
            self.shown.behind = max(self.shown.behind, clock() - start - spent)
            over = over or (clock() if machine.is_over else 0.0)
            with suppress(TimeoutError):
                async with asyncio.timeout(_TICK):
                    await self._stop.wait()

    async def _publish(self, publishers: list[Publisher], observation: Observation) -> None:
        for publisher in publishers:
            await publisher.tell(observation)
        if isinstance(observation, Samples):
            self.shown.rows += len(observation.time)

    async def _obey(self, publisher: Publisher, publishers: list[Publisher]) -> None:
        async for command in publisher.commands():
            if command.expires is None or command.expires > time.time():
                await self._publish(publishers, self.machine.obey(command))
                self.shown.commands += 1
