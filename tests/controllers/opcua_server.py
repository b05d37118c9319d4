# SPDX-License-Identifier: LGPL-2.1-or-later
"""A server for tests: opcua_server.py KIND SETTINGS. Says {"address": …}, and does what lines on its input ask for.

``plain`` and ``mill`` are asyncua's server with variables of its own, ``mill`` with a machine tool of OPC 40501 whose
type is somebody's subtype; ``publisher`` is ours.
"""

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from asyncua import Server, ua

from freecad_camtwin.publishers import PublisherOptions, Spoken, open_publisher
from freecad_camtwin.publishers.opcua.space import load_types
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import Event, Samples

ITEMS = (
    Item("x", "POSITION", "mm"),
    Item("y", "POSITION", "mm"),
    Item("z", "POSITION", "mm"),
    Item("power", "WATTAGE", "W"),
    Item("line", "LINE_NUMBER"),
    Item("feed_override", "PATH_FEEDRATE_OVERRIDE", "%"),
    Item("rapid_override", "PATH_FEEDRATE_OVERRIDE", "%", "RAPID"),
    Item("program", "PROGRAM"),
    Item("execution", "EXECUTION"),
    *(Item(f"sensor {number}") for number in range(13)),
)
NUMBERS = tuple(item.name for item in ITEMS if item.type not in ("PROGRAM", "EXECUTION"))


def row(number):
    """Return the numbers of a row: they are known to whoever knows which row it is. Half of them stay the same."""
    return [number // 2 + column / 64 for column in range(len(NUMBERS))]


async def lines():
    """Yield what is asked for."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield json.loads(line)


def say(**said):
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


async def publisher(settings):
    options = {name: settings[name] for name in ("user", "password") if name in settings}
    options |= {name: Path(settings[name]) for name in ("certificate", "key", "authority") if name in settings}
    spoken = Spoken("Test mill", "0001", ITEMS, simulated=True)
    async with open_publisher(f"opc.tcp://127.0.0.1:{settings['port']}", spoken, PublisherOptions(**options)) as shown:
        asked = asyncio.create_task(wishes(shown))
        say(address=shown.address)
        async for line in lines():
            if "rows" in line:
                await stream(shown, line["rows"], line.get("rate", 1000))
            for item, word in line.get("words", {}).items():
                await shown.tell(Event(line.get("time", time.time()), item, word))
            if "wish" in line:
                command = await asked
                say(name=command.name, value=command.value, sender=command.sender)
            else:
                say(dropped=shown.dropped, rows=line.get("rows", 0))


async def wishes(shown):
    return await anext(shown.commands())


async def stream(shown, rows, rate):
    """Tell rows at a rate, those that are due together in one block, as a controller's buffer gives them."""
    began, told = time.time(), 0
    while told < rows:
        due = min(rows, int((time.time() - began) * rate) + 1)
        if due > told:
            numbers = range(told, due)
            times = began + np.array(numbers) / rate
            await shown.tell(Samples(times, NUMBERS, np.array([row(number) for number in numbers])))
            told = due
        await asyncio.sleep(0.002)


async def foreign(settings, has_types):
    server = Server()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{settings['port']}/plain")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    for uri in settings.get("namespaces", ()):
        await server.register_namespace(uri)
    if has_types:
        await load_types(server)
    index = await server.register_namespace("urn:test:mill")
    root = await mill(server, index) if has_types else await server.nodes.objects.add_object(index, "Mill")
    made = {}
    for name, value in settings["variables"].items():
        made[name] = await root.add_variable(ua.NodeId(name, index), f"{index}:{name}", value)
    async with server:
        say(address=f"opc.tcp://127.0.0.1:{server.bserver.port}/plain")
        async for line in lines():
            for name, (kind, value, code, at) in line["values"]:
                said = ua.DataValue(
                    ua.Variant(value, ua.VariantType[kind] if value is not None else None),
                    ua.StatusCode(code),
                    datetime.fromtimestamp(at, UTC),
                )
                await server.iserver.aspace.write_attribute_value(made[name].nodeid, ua.AttributeIds.Value, said)
            say(done=True)


async def mill(server, index):
    """Add a machine tool of a type that somebody derived; return where its maker's variables go."""
    namespaces = await server.get_namespace_array()
    standard = namespaces.index("http://opcfoundation.org/UA/MachineTool/")
    base = server.get_node(ua.NodeId(13, standard))
    derived = await base.add_object_type(ua.NodeId("MillType", index), f"{index}:MillType")
    folder = server.get_node(ua.NodeId(1001, namespaces.index("http://opcfoundation.org/UA/Machinery/")))
    machine = await folder.add_object(
        ua.NodeId("Mill", index), f"{index}:Big Mill", objecttype=derived.nodeid, instantiate_optional=False
    )
    spindle = await machine.add_object(ua.NodeId("Spindle", index), f"{index}:Spindle")
    load = await spindle.add_variable(ua.NodeId(4711, index), f"{index}:Load", 12.5)
    await load.add_property(
        ua.NodeId(4712, index),
        ua.QualifiedName("EngineeringUnits", 0),
        ua.EUInformation(DisplayName=ua.LocalizedText("%")),
    )
    return machine


async def main(kind, settings):
    if kind == "publisher":
        await publisher(settings)
    else:
        await foreign(settings, kind == "mill")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
