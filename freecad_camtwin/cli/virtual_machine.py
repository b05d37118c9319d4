# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin virtual-machine``: run a job on a simulated machine tool that publishes its data."""

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


@click.command(
    "virtual-machine", short_help="Run a job on a virtual machine tool that publishes data as a real one does."
)
@click.argument("job", type=FILE, metavar="JOB.camtwin")
@click.option(
    "--publish", "urls", multiple=True, required=True, metavar="URL", help="Where to publish; may be repeated."
)
@click.option("--speed", type=_POSITIVE, default=1.0, show_default=True, metavar="N", help="Machine time / real time.")
@click.option(
    "--material-factor", type=_POSITIVE, metavar="K", help="True / predicted forces (default: drawn from --seed)."
)
@click.option("--wear", type=Finite(min=0), metavar="W", help="Share by which forces rise per minute of cut.")
@click.option("--noise", type=Finite(min=0), metavar="S", help="Noise of the power, as a share of the rated power.")
@click.option("--lag", type=Finite(min=0), metavar="S", help="Time constant of the power sensor [s].")
@click.option("--dropouts", type=Finite(min=0), metavar="N", help="Dropouts of the power sensor per minute.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of all random values.")
@click.option(
    "--rate", type=Finite(1, 10_000), default=100.0, show_default=True, help="Rows per second of machine time."
)
@click.option("--lead", type=Finite(min=0), default=2.0, show_default=True, help="Wait before the program starts [s].")
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
    **params: Any,
) -> None:
    """Run the program of JOB.camtwin on a virtual machine and publish its data at each URL, until its end or Ctrl-C.

    URL is mqtt://broker/topic, mtconnect+http://127.0.0.1:5000 or opc.tcp://127.0.0.1:4840; see docs/connectors.md. The
    machine moves by the package's profile; material, wear and sensor differ from the prediction. Every message is
    marked as simulated.
    """
    options = PublisherOptions(**identity_of(params))
    package = load_package(job)
    factor = Truth.drawn_material(seed) if material_factor is None else material_factor
    given = {name: value for name, value in params.items() if value is not None}
    truth = replace(Truth(material=factor, seed=seed), **given)
    publishers = [open_publisher(url, spoken(package), options) for url in urls]
    with working("Timing the program", quiet=settings.quiet):
        show = Show(package, truth, Pace(speed=speed, lead=lead, rate=rate))
    with working(f"Running {package.program} at {speed:g} times real time", quiet=settings.quiet) as tick:
        shown = asyncio.run(_run(show, publishers, tick, quiet=settings.quiet))
    if not settings.quiet:
        _summary(show, shown, publishers)


async def _run(show: Show, publishers: list[Publisher], tick: "Callable[[float], None]", *, quiet: bool) -> Shown:
    async def ready() -> None:
        for publisher in publishers if not quiet else ():
            say(f"{publisher.address}: publishes a simulated run of {show.machine.package.job.label!r}.")

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
    end = "to its end" if show.machine.is_over else f"until it was stopped at {show.machine.progress.share:.0%}"
    say(f"{shown.rows:,} rows of {clock(shown.machine_seconds)} of machine time published; the program ran {end}.")
    for sentence in dict.fromkeys(show.machine.refused):
        say(f"  a command was refused: {sentence}")
    for publisher in publishers:
        for reason, number in sorted(publisher.dropped.items()):
            say(f"  {publisher.address}: {number:,} not published: {reason}")
