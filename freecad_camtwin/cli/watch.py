# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin watch``: show the state of a machine on one line, as JSON, or on a pipe to FreeCAD; store nothing."""

import asyncio
import os
import sys
import time
from contextlib import aclosing
from typing import Any, Protocol

import click
import msgspec

from freecad_camtwin.cli.connecting import Source, machine_options, until_interrupted
from freecad_camtwin.cli.options import Finite, Settings
from freecad_camtwin.cli.state_line import show_state_line, state_line
from freecad_camtwin.cli.text import say
from freecad_camtwin.live.flow import Block, Flow
from freecad_camtwin.live.pipe import Pipe
from freecad_camtwin.live.state import Keeper
from freecad_camtwin.twin.signals.state import State


@click.command("watch", short_help="Show the state of a machine; store nothing.")
@machine_options
@click.option("--json", "as_json", is_flag=True, help="Print the state as lines of JSON.")
@click.option("--pipe", is_flag=True, help="Write state and rows to standard output in the format for FreeCAD.")
@click.option("--every", type=Finite(0.01, 3600), default=1.0, metavar="S", help="Time between two lines [s].")
@click.option("--duration", type=Finite(min=0, min_open=True), metavar="S", help="Stop after this time [s].")
@click.pass_obj
def watch_command(
    settings: Settings, /, url: str, as_json: bool, pipe: bool, every: float, duration: float | None, **params: Any
) -> None:
    """Show the machine at URL: state, operation, tool, line, measured and predicted load, overrides.

    URL is an address of docs/connectors.md. A terminal shows one line that is updated; if the output is not a
    terminal, a line is printed every second (--every).
    """
    source = Source.of(url, params)
    asyncio.run(_watch(source, settings, Piped() if pipe else Lines(as_json, every), duration))


class Teller(Protocol):
    """Passes on the data of a machine."""

    is_line: bool  #: whether the terminal shows the updated line

    def tell(self, block: Block, state: State) -> bool:
        """Pass on new rows and the present state; return whether the receiver still listens."""

    def end(self, state: State) -> None:
        """Pass on the last state."""


class Lines:
    """Prints a line at an interval; nothing if the terminal shows the updated line."""

    def __init__(self, as_json: bool, every: float) -> None:
        self.is_line = not as_json and sys.stderr.isatty() and sys.stdout.isatty()
        self._as_json, self._every = as_json, every
        self._printed = -every

    def tell(self, block: Block, state: State) -> bool:
        """Print the state if the interval is over."""
        if time.monotonic() - self._printed >= self._every:
            self._printed = time.monotonic()
            self._print(state)
        return True

    def end(self, state: State) -> None:
        """Print the last state."""
        self._print(state)

    def _print(self, state: State) -> None:
        if not self.is_line:
            say(msgspec.json.encode(state).decode() if self._as_json else state_line(state))
            sys.stdout.flush()


class Piped:
    """Writes frames to standard output; other text for standard output is redirected to standard error."""

    is_line = False

    def __init__(self) -> None:
        descriptor = os.dup(sys.stdout.fileno())
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._pipe = Pipe(descriptor)

    def tell(self, block: Block, state: State) -> bool:
        """Put rows and state onto the pipe."""
        self._pipe.put(block, state)
        return not self._pipe.is_broken

    def end(self, state: State) -> None:
        """Write what is still in the pipe's buffer."""
        self._pipe.end()


async def _watch(source: Source, settings: Settings, teller: Teller, duration: float | None) -> None:
    flow = await source.flow(quiet=settings.quiet)
    keeper = Keeper(flow, source.package)
    line = asyncio.create_task(show_state_line(lambda: state_line(keeper.state), quiet=not teller.is_line))
    try:
        with until_interrupted(flow.stop):
            await _tell(flow, keeper, teller, duration)
    finally:
        line.cancel()
        teller.end(keeper.state)


async def _tell(flow: Flow, keeper: Keeper, teller: Teller, duration: float | None) -> None:
    begun = time.monotonic()
    async with aclosing(flow.blocks()) as blocks:
        async for block in blocks:
            is_heard = teller.tell(block, keeper.take(block))
            if not is_heard or (duration is not None and time.monotonic() - begun >= duration):
                flow.stop()
