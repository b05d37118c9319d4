# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin machine``: the profiles at hand, one in full, and one fitted to a recorded run."""

import click

from freecad_camtwin.cli.options import common
from freecad_camtwin.cli.text import say, table


@click.group(short_help="List, show and identify machine profiles.")
def machine() -> None:
    """Machine profiles: how far, how fast and how hard a machine can go, and how its controller thinks."""


@machine.command("list")
@common
def list_profiles() -> None:
    """List the profiles that come with CAM Twin."""
    from freecad_camtwin.twin.machine import machine_names, read_machine

    rows = []
    for name in machine_names():
        each = read_machine(name)
        speed, gain = each.axes.row("velocity"), each.axes.row("acceleration")
        rows.append(
            [
                name,
                each.name,
                f"{60 * speed.min():.0f}",
                f"{gain.min():.0f}",
                f"{each.spindle.n_max_rpm:.0f}",
                f"{each.rated_power:.0f}",
            ]
        )
    table(["name", "machine", "mm/min", "mm/s²", "1/min", "W"], rows, left=2)
    say()
    say("Speed and acceleration: of the slowest axis. 'camtwin machine show NAME' prints a profile to start from.")


@machine.command("show")
@click.argument("profile")
@common
def show(profile: str) -> None:
    """Print PROFILE, a TOML file or a name of 'camtwin machine list', as TOML after checking it."""
    from freecad_camtwin.twin.machine import encode_machine, read_machine

    say(encode_machine(read_machine(profile)).decode().rstrip())
