# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin signals``: propose a signal map for a source, or check a signal map."""

import asyncio
from pathlib import Path
from typing import Any

import click

from freecad_camtwin.cli.connecting import options_of, source_options
from freecad_camtwin.cli.options import FILE, Finite, Settings, common
from freecad_camtwin.cli.outputs import Outputs, check_target
from freecad_camtwin.cli.text import say, table
from freecad_camtwin.live.choose import LISTEN, proposed
from freecad_camtwin.twin.signals.signal_map import SignalMap, encode_signals, read_signals


class _Signals(click.Group):
    """A group that takes a first word other than a command as the address of a source."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Run ``camtwin signals URL`` as ``camtwin signals propose URL``."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["propose", *args]
        return super().parse_args(ctx, args)


@click.group("signals", cls=_Signals, short_help="Propose or check a signal map: the meaning of a machine's items.")
def signals_group() -> None:
    """Propose a signal map for the items of a source (camtwin signals URL -o MAP.toml), or check one."""


@signals_group.command("propose", short_help="Propose a signal map for a source.")
@source_options
@click.option("-o", "--output", type=FILE, required=True, metavar="MAP.toml", help="The map ('-': standard output).")
@click.option(
    "--listen",
    type=Finite(0.1, 3600),
    default=LISTEN,
    show_default=True,
    metavar="S",
    help="How long to listen if the source cannot list its items [s].",
)
@click.pass_obj
def propose_command(settings: Settings, /, url: str, output: Path, listen: float, **params: Any) -> None:
    """Ask the source at URL for its items, or listen to it, and write their probable meaning as a signal map.

    Check the map before use: if the source declares no units and meanings, they are guessed from the names.
    """
    check_target(output)
    choice = asyncio.run(proposed(url, options_of(params), listen))
    notes = "".join(f"# {note}\n" for note in choice.notes).encode()
    with Outputs() as outputs:
        outputs.write(output, notes + encode_signals(choice.signals))
    if not settings.quiet and str(output) != "-":
        _show(choice.signals)
        for note in choice.notes:
            say(note)


@signals_group.command("check", short_help="Check a signal map.")
@click.argument("file", metavar="MAP.toml", type=FILE)
@common
@click.pass_obj
def check_command(settings: Settings, /, file: Path) -> None:
    """Check a signal map and print it as a table."""
    signals = read_signals(file)
    if not settings.quiet:
        _show(signals)


def _show(signals: SignalMap) -> None:
    rows = [
        [signal.item, str(signal.meaning), signal.unit or signal.quantity.unit or "", signal.quantity.column]
        for signal in signals.signals
    ]
    table(["item", "meaning", "its unit", "column"], rows, left=4)
    say(f"Positions are in {signals.coordinates} coordinates.")
