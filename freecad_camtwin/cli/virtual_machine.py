# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin virtual-machine``: a machine tool for whoever has none at hand; all that it says is simulated."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freecad_camtwin.cli.connecting import identity_of, identity_options, until_interrupted
from freecad_camtwin.cli.options import FILE, Finite, Settings, common
from freecad_camtwin.cli.progress import working
from freecad_camtwin.cli.text import say
from freecad_camtwin.publishers import Publisher, PublisherOptions, open_publisher
from freecad_camtwin.twin.base.words import clock
from freecad_camtwin.twin.package.package import load_package
from freecad_camtwin.virtual_machine.machine import spoken
from freecad_camtwin.virtual_machine.show import Pace, Show, Shown
from freecad_camtwin.virtual_machine.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Callable

_POSITIVE = Finite(min=0, min_open=True)


@click.command("virtual-machine", short_help="Run a job on a virtual machine tool that speaks like a real one.")
@click.argument("job", type=FILE, metavar="JOB.camtwin")
@click.option("--publish", "urls", multiple=True, required=True, metavar="URL", help="Where to speak; may be repeated.")
@click.option("--speed", type=_POSITIVE, default=1.0, show_default=True, metavar="N", help="Machine seconds a second.")
@click.option(
    "--material-factor", type=_POSITIVE, metavar="K", help="Forces over predicted ones (default: hidden, by --seed)."
)
@click.option("--wear", type=Finite(min=0), metavar="W", help="Share by which forces rise a minute of cut.")
@click.option("--noise", type=Finite(min=0), metavar="S", help="Of the power, as a share of the rated one.")
@click.option("--lag", type=Finite(min=0), metavar="S", help="Time constant of the power sensor [s].")
@click.option("--dropouts", type=Finite(min=0), metavar="N", help="Silences of the sensor a minute.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all that is drawn.")
@click.option("--rate", type=Finite(1, 10_000), default=100.0, show_default=True, help="Rows a second of it.")
@click.option("--lead", type=Finite(min=0), default=2.0, show_default=True, help="Wait before it starts [s].")
@identity_options
@common
@click.pass_obj
def virtual_machine_command(
    settings: Settings,
    /,
    job: Path,
    urls: tuple[str, ...],
    speed: float,
    material_factor: float | None,
    seed: int,
    rate: float,
    lead: float,
    **said: Any,
) -> None:
    """Run the program of JOB.camtwin on a virtual machine, and tell it at each URL, until its end or Ctrl-C.

    URL is mqtt://broker/topic, mtconnect+http://127.0.0.1:5000 or opc.tcp://127.0.0.1:4840; see docs/connectors.md. The
    machine moves as the package's profile says; material, wear and sensor are not what was planned. Every message says
    that it is simulated.
    """
    options = PublisherOptions(**identity_of(said))
    package = load_package(job)
    factor = Truth.drawn_material(seed) if material_factor is None else material_factor
    given = {name: value for name, value in said.items() if value is not None}
    truth = replace(Truth(material=factor, seed=seed), **given)
    publishers = [open_publisher(url, spoken(package), options) for url in urls]
    with working("Timing the program", quiet=settings.quiet):
        show = Show(package, truth, Pace(speed=speed, lead=lead, rate=rate))
    with working(f"Running {package.program} at {speed:g} times its pace", quiet=settings.quiet) as tick:
        shown = asyncio.run(_run(show, publishers, tick, quiet=settings.quiet))
    if not settings.quiet:
        _summary(show, shown, publishers)


async def _run(show: Show, publishers: list[Publisher], tick: "Callable[[float], None]", *, quiet: bool) -> Shown:
    async def ready() -> None:
        for publisher in publishers if not quiet else ():
            say(f"{publisher.address}: a simulated {show.machine.package.job.label!r} can be heard here.")

    async def follow() -> None:
        while True:
            tick(show.machine.progress.share)
            await asyncio.sleep(0.2)

    following = asyncio.create_task(follow())
    try:
        with until_interrupted(show.stop):
            return await show.run(publishers, ready)
    finally:
        following.cancel()


def _summary(show: Show, shown: Shown, publishers: list[Publisher]) -> None:
    end = "to its end" if show.machine.is_over else f"to {show.machine.progress.share:.0%} of it, when it was stopped"
    say(f"{shown.rows:,} rows of {clock(shown.machine_seconds)} of its time told; the program ran {end}.")
    for sentence in dict.fromkeys(show.machine.refused):
        say(f"  a command was not followed: {sentence}")
    for publisher in publishers:
        for reason, number in sorted(publisher.dropped.items()):
            say(f"  {publisher.address}: {number:,} not heard: {reason}")
