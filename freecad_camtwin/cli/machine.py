# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin machine``: list the included profiles, print one, and fit one to a recorded run."""

from pathlib import Path

import click

from freecad_camtwin.cli.inputs import InputRequest, read_input
from freecad_camtwin.cli.options import FILE, Settings, common
from freecad_camtwin.cli.outputs import Outputs, check_target
from freecad_camtwin.cli.progress import working
from freecad_camtwin.cli.text import say, table


@click.group("machine", short_help="List, show and identify machine profiles.")
def machine_group() -> None:
    """Machine profiles: travel, speed, acceleration and power of a machine, and the rule of its controller."""


@machine_group.command("list")
@common
def list_command() -> None:
    """List the profiles that come with CAM Twin."""
    from freecad_camtwin.twin.shop.machine import machine_names, read_machine

    rows = []
    for name in machine_names():
        each = read_machine(name)
        velocity, acceleration = each.axes.row("velocity"), each.axes.row("acceleration")
        rows.append(
            [
                name,
                each.name,
                f"{60 * velocity.min():.0f}",
                f"{acceleration.min():.0f}",
                f"{each.spindle.n_max_rpm:.0f}",
                f"{each.rated_power:.0f}",
            ]
        )
    table(["name", "machine", "mm/min", "mm/s²", "1/min", "W"], rows, left=2)
    say()
    say("Speed and acceleration are those of the slowest axis. 'camtwin machine show NAME' prints a profile to edit.")


@machine_group.command("show")
@click.argument("profile")
@common
def show_command(profile: str) -> None:
    """Check PROFILE, a TOML file or a name of 'camtwin machine list', and print it as TOML."""
    from freecad_camtwin.twin.shop.machine import encode_machine, read_machine

    say(encode_machine(read_machine(profile)).decode().rstrip())


@machine_group.command("identify")
@click.argument("log", type=FILE)
@click.argument("program", type=FILE)
@click.option("--guess", default="hobby_mill", show_default=True, metavar="FILE", help="The profile to start from.")
@click.option("-o", "--output", type=FILE, metavar="FILE.toml", help="Write the fitted profile.")
@click.option("--job", metavar="LABEL", help="Which job, if PROGRAM is a document.")
@common
@click.pass_obj
def identify_command(
    settings: Settings, /, log: Path, program: Path, guess: str, output: Path | None, job: str | None
) -> None:
    """Fit a profile to one recorded run: LOG (CSV: time_s, x_mm, y_mm, z_mm) of PROGRAM, with intervals.

    The controller's rule is that of --guess; accelerations, speeds and the number for corners are fitted. A number
    that the run does not determine keeps the value of --guess and is marked.
    """
    from freecad_camtwin.twin.cycle_time.identify import identify as fit
    from freecad_camtwin.twin.cycle_time.identify import read_log
    from freecad_camtwin.twin.shop.machine import encode_machine, read_machine

    start = read_machine(guess)
    if output is not None:
        check_target(output, log, program)
    recorded = read_log(log)
    loaded = read_input(InputRequest(program, job=job), settings)
    with working("Fitting the machine", quiet=settings.quiet):
        fitted = fit(recorded, loaded.job, start)
    if output is not None:
        with Outputs() as outputs:
            outputs.write(output, encode_machine(fitted.machine))
    if settings.quiet:
        return
    for parameter in fitted.parameters:
        say(f"  {parameter}")
    say(f"{fitted.statement}.")
    if output is not None:
        say(f"{output}: the profile.")
