# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin bridge``: publish the data of a controller without a network interface by MQTT, OPC UA or MTConnect."""

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


@click.command("bridge", short_help="Publish a LinuxCNC by MQTT, OPC UA or MTConnect.")
@common
@click.argument("url", metavar="URL")
@identity_options
@click.option(
    "--to", "targets", required=True, multiple=True, metavar="ADDRESS", help="Where to publish; may be repeated."
)
@click.option("--machine", metavar="NAME", default="LinuxCNC", show_default=True, help="Name of the machine.")
@click.option("--simulated", is_flag=True, help="Mark every message as simulated: no real machine moves.")
@click.pass_obj
def bridge_command(
    settings: Settings, /, url: str, targets: tuple[str, ...], machine: str, simulated: bool, **params: Any
) -> None:
    """Publish the data of the controller at URL until Ctrl-C, and pass permitted commands to the controller.

    URL is linuxcnc: with options, such as linuxcnc:?rate=200&feed_override=50:120. ADDRESS is
    mqtts://BROKER/TOPIC, opc.tcp://HOST:PORT or mtconnect+http://HOST:PORT. All addresses get the same user and
    certificate; if they need different ones, run one bridge for each address. See docs/linuxcnc.md.
    """
    options = PublisherOptions(**identity_of(params))
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
    bridge = Bridge(source, tuple(open_publisher(target, spoken, options) for target in targets))
    running = asyncio.create_task(bridge.run())

    def stop() -> None:
        running.cancel()

    with until_interrupted(stop):
        await asyncio.wait([running])
    if bridge.told and not settings.quiet:
        _summary(bridge)
    if not running.cancelled():
        running.result()


def _summary(bridge: Bridge) -> None:
    say(f"{bridge.told:,} observations published; {bridge.followed} commands passed on, {bridge.refused} refused.")
    for publisher in bridge.publishers:
        for reason, number in sorted(publisher.dropped.items()):
            say(f"  {publisher.address}: {number:,} lost: {reason}")
    for sentence in bridge.source.told.warnings:
        say(f"  {sentence}")
