# SPDX-License-Identifier: LGPL-2.1-or-later
"""The address space of a machine: an instance of OPC 40501's MachineToolType, and a variable for each of its items.

Overrides, the active program and the channel's state have the nodes that the specification defines. It defines none
for loads, positions, line numbers and speeds: these are in the folder ``Signals`` of the machine's monitoring, each
under the name of its item, with its unit.
"""

from dataclasses import dataclass, field
from pathlib import Path

from asyncua import Node, Server, ua
from asyncua.common.instantiate_util import instantiate

from freecad_camtwin.connectors.opcua.nodes import MACHINE_TOOL, MACHINE_TOOL_TYPE, OURS, SIMULATED
from freecad_camtwin.publishers.protocol import Spoken
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.signal_map import QUANTITIES

DI, MACHINERY = "http://opcfoundation.org/UA/DI/", "http://opcfoundation.org/UA/Machinery/"
#: Files of the types, each after the files that it requires.
_NODESETS = (
    "Opc.Ua.Di.NodeSet2.xml",
    "Opc.Ua.IA.NodeSet2.xml",
    "Opc.Ua.Machinery.NodeSet2.xml",
    "opc.ua.isa95-jobcontrol.nodeset2.xml",
    "Opc.Ua.Machinery.Jobs.Nodeset2.xml",
    "Opc.Ua.MachineTool.NodeSet2.xml",
)
_MACHINES = 1001  # the folder of all machines, in the Machinery namespace
_CHANNEL, _SPINDLE = 16, 22  # ChannelMonitoringType and SpindleMonitoringType, in the MachineTool namespace
#: Codes of UNECE Recommendation 20, which OPC UA uses for units; other units have only their symbol.
_UNECE = {"mm": "MMT", "mm/s": "C16", "%": "P1", "W": "WTT", "kW": "KWT", "A": "AMP", "N": "NEW", "1/min": "C94",
          "°C": "CEL", "s": "SEC", "m": "MTR"}  # fmt: skip
_READABLE = 1  # AccessLevel
#: MTConnect's types whose values are words.
_WORDS = {quantity.standard for quantity in QUANTITIES.values() if quantity.unit is None}
#: ChannelState of OPC 40501-1: active, interrupted, reset.
_ACTIVE, _INTERRUPTED, _RESET = 0, 1, 2
_CHANNEL_STATES = {"ACTIVE": _ACTIVE, "READY": _RESET, "STOPPED": _RESET, "PROGRAM_COMPLETED": _RESET}


@dataclass
class Space:
    """The nodes of a machine's items."""

    nodes: dict[str, ua.NodeId] = field(default_factory=dict)  #: item → variable
    words: set[str] = field(default_factory=set)  #: items whose values are words
    feed_override: ua.NodeId | None = None  #: the one variable that an operator may write
    execution: str | None = None  #: the item that gives the channel's state
    channel_state: ua.NodeId | None = None

    def channel(self, execution: str | None) -> int:
        """Return the channel's state for a word of MTConnect's EXECUTION."""
        return _CHANNEL_STATES.get(execution or "READY", _INTERRUPTED)


async def load_types(server: Server) -> None:
    """Load the types of the companion specifications into a server."""
    folder = Path(__file__).parent / "data"
    for name in _NODESETS:
        await server.import_xml(folder / name, auto_load_definitions=False)


async def fill(server: Server, spoken: Spoken) -> Space:
    """Create the machine's nodes in a server that has the types."""
    builder = _Builder(server, await server.get_namespace_array(), await server.register_namespace(OURS))
    return await builder.machine(spoken)


class _Builder:
    def __init__(self, server: Server, namespaces: list[str], ours: int) -> None:
        self._server, self._namespaces, self._ours = server, namespaces, ours
        self._space = Space()

    def _type(self, number: int, namespace: str = MACHINE_TOOL) -> ua.NodeId:
        return ua.NodeId(number, self._namespaces.index(namespace))

    def _name(self, name: str) -> ua.QualifiedName:
        return ua.QualifiedName(name, self._ours)

    async def machine(self, spoken: Spoken) -> Space:
        machines = self._server.get_node(self._type(_MACHINES, MACHINERY))
        machine = await machines.add_object(
            ua.NodeId("Machine", self._ours),
            self._name(spoken.name),
            objecttype=self._type(MACHINE_TOOL_TYPE),
            instantiate_optional=False,
        )
        await machine.add_property(ua.NodeId(SIMULATED, self._ours), self._name(SIMULATED), spoken.simulated)
        await self._identify(machine, spoken)
        monitoring = await self._child(machine, "Monitoring")
        channel = await self._part(monitoring, "Channel", _CHANNEL)
        signals = await monitoring.add_folder(
            ua.NodeId("Machine.Monitoring.Signals", self._ours), self._name("Signals")
        )
        places = {
            "PATH_FEEDRATE_OVERRIDE PROGRAMMED": lambda: self._child(channel, "FeedOverride"),
            "PATH_FEEDRATE_OVERRIDE RAPID": lambda: self._option(channel, "RapidOverride", _CHANNEL),
            "ROTARY_VELOCITY_OVERRIDE": lambda: self._spindle_override(monitoring),
            "PROGRAM": lambda: self._active_program(machine),
        }
        for item in spoken.items:
            sub_type = "PROGRAMMED" if item.type == "PATH_FEEDRATE_OVERRIDE" and not item.sub_type else item.sub_type
            place = places.pop(f"{item.type} {sub_type}".strip(), None)
            await self._show(item, await place() if place else None, signals)
        state = await self._child(channel, "ChannelState")
        await state.write_value(ua.Variant(_RESET, ua.VariantType.Int32))
        self._space.channel_state = state.nodeid
        return self._space

    async def _part(self, parent: Node, name: str, kind: int) -> Node:
        """Make an object of a type of the specification, with the type's mandatory nodes."""
        part = await parent.add_object(
            ua.NodeId(f"{parent.nodeid.Identifier}.{name}", self._ours),
            self._name(name),
            objecttype=self._type(kind),
            instantiate_optional=False,
        )
        await (await self._child(part, "Name")).write_value(name)
        return part

    async def _option(self, part: Node, name: str, kind: int) -> Node:
        """Add an optional node of its type to an object."""
        pattern = await self._child(self._server.get_node(self._type(kind)), name)
        identifier = ua.NodeId(f"{part.nodeid.Identifier}.{name}", self._ours)
        (node, *_) = await instantiate(part, pattern, identifier, await pattern.read_browse_name())
        return node

    async def _spindle_override(self, monitoring: Node) -> Node:
        return await self._option(await self._part(monitoring, "Spindle", _SPINDLE), "Override", _SPINDLE)

    async def _active_program(self, machine: Node) -> Node:
        return await self._child(await self._child(await self._child(machine, "Production"), "ActiveProgram"), "Name")

    async def _identify(self, machine: Node, spoken: Spoken) -> None:
        identification = await self._child(machine, "Identification", DI)
        maker = "CAM Twin, a simulation" if spoken.simulated else "CAM Twin"
        values = {
            "Manufacturer": ua.LocalizedText(maker),
            "SerialNumber": spoken.uuid,
            "ProductInstanceUri": f"urn:freecad-camtwin:{spoken.uuid}",
        }
        for name, value in values.items():
            node = await self._child(identification, name, DI)
            await node.write_value(value)

    async def _show(self, item: Item, place: Node | None, signals: Node) -> None:
        is_word = item.type in _WORDS
        if place is None:
            place = await (self._text if is_word else self._number)(signals, item.name)
        if not is_word:
            await self._measure(place, item.unit)
        for attribute in (ua.AttributeIds.AccessLevel, ua.AttributeIds.UserAccessLevel):
            await place.write_attribute(attribute, ua.DataValue(ua.Variant(_READABLE, ua.VariantType.Byte)))
        self._space.nodes[item.name] = place.nodeid
        if is_word:
            self._space.words.add(item.name)
        if item.type == "EXECUTION":
            self._space.execution = item.name
        if item.type == "PATH_FEEDRATE_OVERRIDE" and self._space.feed_override is None and item.sub_type != "RAPID":
            self._space.feed_override = place.nodeid

    async def _text(self, signals: Node, name: str) -> Node:
        return await signals.add_variable(ua.NodeId(name, self._ours), self._name(name), "", ua.VariantType.String)

    async def _number(self, signals: Node, name: str) -> Node:
        kind = self._server.get_node(ua.NodeId(ua.ObjectIds.AnalogUnitType))
        (node, *_) = await instantiate(signals, kind, ua.NodeId(name, self._ours), self._name(name))
        double = ua.Variant(ua.NodeId(ua.ObjectIds.Double), ua.VariantType.NodeId)
        await node.write_attribute(ua.AttributeIds.DataType, ua.DataValue(double))
        return node

    async def _measure(self, place: Node, unit: str) -> None:
        """Set the unit of a variable."""
        code = _UNECE.get(unit)
        engineering_unit = ua.EUInformation(
            NamespaceUri="http://www.opcfoundation.org/UA/units/un/cefact",
            UnitId=int.from_bytes(code.encode(), "big") if code else -1,
            DisplayName=ua.LocalizedText(unit),
        )
        for child in await place.get_properties():
            if (await child.read_browse_name()).Name == "EngineeringUnits":
                await child.write_value(engineering_unit)

    async def _child(self, parent: Node, name: str, namespace: str = MACHINE_TOOL) -> Node:
        return await parent.get_child(ua.QualifiedName(name, self._namespaces.index(namespace)))
