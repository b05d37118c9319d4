# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin record``: record a machine during one run into a file."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from freecad_camtwin.cli.connecting import Source, machine_options, say_warnings, until_interrupted
from freecad_camtwin.cli.options import FILE, Finite, Settings
from freecad_camtwin.cli.state_line import show_state_line, state_line
from freecad_camtwin.cli.text import say
from freecad_camtwin.live.recorder import Recorder, RecordingResult, Until, check_recording_target
from freecad_camtwin.store.schema import RecordingHeader

#: If no message had an item of the signal map within this time, a hint is printed [s].
STRANGE_S = 3.0


@click.command("record", short_help="Record a machine during one run.")
@machine_options
@click.option("-o", "--output", type=FILE, required=True, metavar="RUN", help="The recording, a new file.")
@click.option("--operator", metavar="NAME", help="Name of the operator.")
@click.option("--machine", metavar="NAME", help="Name of the machine (default: that of the package or the map).")
@click.option(
    "--until",
    type=click.Choice(["end", "stopped"]),
    default="end",
    show_default=True,
    help="end: stop when the program ends. stopped: stop only at Ctrl-C, --duration or --parts.",
)
@click.option("--duration", type=Finite(min=0, min_open=True), metavar="S", help="Stop after this time [s].")
@click.option("--parts", type=click.IntRange(1), metavar="N", help="Stop after this number of parts.")
@click.pass_obj
def record_command(
    settings: Settings,
    /,
    url: str,
    output: Path,
    operator: str | None,
    machine: str | None,
    until: str,
    duration: float | None,
    parts: int | None,
    **params: Any,
) -> None:
    """Record the machine at URL, until its program ends, its source ends, or Ctrl-C.

    URL is an address of docs/connectors.md, such as mqtt://broker/shop/mill1/# or mtconnect+http://mill:5000. With
    --job every row also gets its operation, move and predicted power.
    """
    check_recording_target(output)
    source = Source.of(url, params)
    ended = asyncio.run(
        _record(source, settings, output, _header(source, operator, machine), Until(until == "end", duration, parts))
    )
    if not settings.quiet:
        _summary(ended)


def _header(source: Source, operator: str | None, machine: str | None) -> RecordingHeader:
    package = source.package
    profile = package.machine if package is not None else None
    return RecordingHeader(
        started=0.0,  # the recorder sets it
        toolpath_hash=package.toolpath_hash if package else None,
        program_hash=package.program_sha256 if package else None,
        program=(package.program or None) if package else None,
        machine=machine or (profile.name if profile else None),
        operator=operator,
    )


async def _record(
    source: Source, settings: Settings, output: Path, header: RecordingHeader, until: Until
) -> RecordingResult:
    flow = await source.flow(quiet=settings.quiet)
    if header.machine is None and flow.translator.signals.name:
        header = replace(header, machine=flow.translator.signals.name)
    recorder = Recorder(flow, output, header, package=source.package, until=until)
    hint = asyncio.create_task(_hint(recorder, source.url, quiet=settings.quiet))
    line = asyncio.create_task(
        show_state_line(
            lambda: f"{recorder.acknowledged:,} rows stored · {state_line(recorder.state)}", quiet=settings.quiet
        )
    )
    try:
        with until_interrupted(lambda: recorder.stop("it was stopped by Ctrl-C or a signal")):
            return await recorder.run()
    finally:
        line.cancel()
        hint.cancel()
        say_warnings(flow, quiet=settings.quiet)


async def _hint(recorder: Recorder, url: str, *, quiet: bool) -> None:
    """Print once why nothing is recorded yet: some brokers accept a subscription and then never send a message."""
    begun = time.monotonic()
    while not quiet and not recorder.has_begun:
        state = recorder.state
        if state.lost:
            sentence = f"Still waiting for {url}: {state.lost}. Check the address and the permission to read there."
            return click.echo(sentence, err=True)
        if state.received and time.monotonic() - begun > STRANGE_S:
            sentence = f"{state.received:,} messages came from {url}, but none has an item of the signal map."
            return click.echo(sentence, err=True)
        await asyncio.sleep(0.2)
    return None


def _summary(ended: RecordingResult) -> None:
    state = ended.state
    gaps = f", {state.gaps} gap{'s' if state.gaps != 1 else ''}" if state.gaps else ""
    simulated = "; all of it simulated" if state.simulated else ""
    say(f"{ended.path}: {ended.rows:,} rows{gaps}; {ended.reason}{simulated}.")
    if state.unplaced:
        say(f"  {state.unplaced:,} of them could not be placed on the path")
    for reason, number in sorted(state.dropped.items()):
        say(f"  {number:,} dropped: {reason}")
