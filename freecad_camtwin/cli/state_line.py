# SPDX-License-Identifier: LGPL-2.1-or-later
"""The state of a machine as one line of text, and the display of that line at the bottom of a terminal."""

import asyncio
from collections.abc import Callable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from freecad_camtwin.twin.signals.state import State

#: The line is updated at this interval [s].
RENEWED = 0.2


def state_line(state: State) -> str:
    """Return the state of a machine and of its data in one line."""
    parts = [f"{state.rate:,.0f} rows/s", *_machine(state), *_load(state), *_overrides(state)]
    if state.gaps:
        parts.append(f"{state.gaps} gap{'s' if state.gaps > 1 else ''}")
    lost = sum(state.dropped.values())
    if lost:
        parts.append(f"{lost:,} dropped")
    if state.lost:
        parts.append(f"NO DATA: {state.lost}")
    return " · ".join(["SIMULATED", *parts] if state.simulated else parts)


def _machine(state: State) -> list[str]:
    parts = [state.execution] if state.execution else []
    if state.operation is not None:
        parts.append(f"{state.label or f'operation {state.operation}'}")
    if state.move is not None:
        parts.append(f"move {state.move}")
    elif state.line is not None:
        parts.append(f"line {state.line}")
    if state.tool is not None:
        parts.append(f"T{state.tool}")
    if state.progress is not None:
        parts.append(f"{state.progress:.0%}")
    return parts


def _load(state: State) -> list[str]:
    if state.power is not None and state.predicted_power is not None:
        return [f"{state.power:.0f} W (predicted {state.predicted_power:.0f} W)"]
    if state.power is not None:
        return [f"{state.power:.0f} W"]
    if state.spindle_load is not None:
        return [f"spindle {state.spindle_load:.0f} %"]
    return [] if state.current is None else [f"{state.current:.1f} A"]


def _overrides(state: State) -> list[str]:
    pairs = (("feed", state.feed_override), ("rapid", state.rapid_override), ("spindle", state.spindle_override))
    return [f"{name} {value:.0f} %" for name, value in pairs if value is not None and value != 100]


async def show_state_line(line: Callable[[], str], *, quiet: bool) -> None:
    """Show a line at the bottom of the terminal until cancelled; show nothing without a terminal."""
    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        return
    with Live(console=console, transient=True, auto_refresh=False) as live:
        while True:
            live.update(Text(line(), no_wrap=True, overflow="ellipsis"), refresh=True)
            await asyncio.sleep(RENEWED)
