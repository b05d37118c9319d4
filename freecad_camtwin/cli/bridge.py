# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin bridge``: a controller without an interface of its own, made to speak MQTT, OPC UA or MTConnect."""

import asyncio
import socket
import uuid
from typing import Any

import click

from freecad_camtwin.cli.connecting import identity_of, identity_options, until_interrupted
from freecad_camtwin.cli.options import Settings, common
from freecad_camtwin.cli.text import say
from freecad_camtwin.connectors import Connector, open_connector
from freecad_camtwin.live.bridge import Bridge
from freecad_camtwin.publishers import PublisherOptions, Spoken, open_publisher
from freecad_camtwin.publishers.protocol import COMMAND
from freecad_camtwin.twin.signals.discovery import Item


@click.command("bridge", short_help="Let a LinuxCNC speak MQTT, OPC UA or MTConnect.")
@common
@click.argument("url", metavar="URL")
@identity_options
@click.option(
    "--to", "targets", required=True, multiple=True, metavar="ADDRESS", help="Where it is told; may be repeated."
)
@click.option("--machine", metavar="NAME", default="LinuxCNC", show_default=True, help="What the machine is called.")
@click.option("--simulated", is_flag=True, help="Say in every message that no machine stands behind it.")
@click.pass_obj
def bridge_command(
    settings: Settings, /, url: str, targets: tuple[str, ...], machine: str, simulated: bool, **said: Any
) -> None:
    """Tell what the controller at URL does, until Ctrl-C, and pass on to it what may be asked of it.

    URL is linuxcnc: with what is wanted of it, such as linuxcnc:?rate=200&feed_override=50:120. ADDRESS is
    mqtts://BROKER/TOPIC, opc.tcp://HOST:PORT or mtconnect+http://HOST:PORT. Who we are is said to all of them alike:
    where they need different certificates, run a bridge for each. See docs/linuxcnc.md.
    """
    options = PublisherOptions(**identity_of(said))
    asyncio.run(_bridge(open_connector(url), targets, machine, simulated, options, settings))


async def _bridge(
    source: Connector,
    targets: tuple[str, ...],
    machine: str,
    simulated: bool,
    options: PublisherOptions,
    settings: Settings,
) -> None:
    name = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{machine}.{socket.gethostname()}"))
    items = (*await source.offered(), Item(COMMAND))
    spoken = Spoken(machine, name, items, simulated or source.told.simulated)
    crossing = Bridge(source, tuple(open_publisher(target, spoken, options) for target in targets))
    running = asyncio.create_task(crossing.run())

    def stop() -> None:
        running.cancel()

    with until_interrupted(stop):
        await asyncio.wait([running])
    if crossing.told and not settings.quiet:
        _summary(crossing)
    if not running.cancelled():
        running.result()


def _summary(crossing: Bridge) -> None:
    say(f"{crossing.told:,} observations told; {crossing.followed} commands followed, {crossing.refused} refused.")
    for publisher in crossing.publishers:
        for reason, number in sorted(publisher.dropped.items()):
            say(f"  {publisher.address}: {number:,} lost: {reason}")
    for sentence in crossing.source.told.warnings:
        say(f"  {sentence}")
