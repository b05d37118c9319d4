# SPDX-License-Identifier: LGPL-2.1-or-later
"""The address space: names of nodes that stay valid after a restart, machine tools, and the variables below them.

A server may number its namespaces differently after a restart; their URIs stay. So nodes are named ``nsu=URI;s=NAME``;
a name ``ns=2;s=NAME`` from the user means the namespace that has number 2 now.
"""

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass

from asyncua import ua
from asyncua.client.ua_session import UaSession

from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.signals.discovery import Item

#: OPC 40501-1, UA for machine tools, and its MachineToolType.
MACHINE_TOOL = "http://opcfoundation.org/UA/MachineTool/"
MACHINE_TOOL_TYPE = 13
#: In this namespace CAM Twin's publishers state, in the variable "Simulated", whether their data are simulated.
OURS = "urn:freecad-camtwin:machine"
SIMULATED = "Simulated"

#: Most nodes browsed, most references from machine to variable, most variables read if none are named.
MOST_NODES, MOST_LEVELS, MOST_VARIABLES = 20_000, 10, 1000
#: Nodes in one request; servers accept at least this many.
_AT_ONCE = 100
#: Folders that describe the machine and have no signals.
_STATIC = {"Identification", "MachineryBuildingBlocks", "GroupIdentifier", SIMULATED}
_NAMESPACE = re.compile(r"nsu=([^;]*);(.+)", re.S)
#: Kinds of values that are neither numbers nor words.
_USELESS = {
    ua.VariantType.ExtensionObject, ua.VariantType.ByteString, ua.VariantType.XmlElement, ua.VariantType.NodeId,
    ua.VariantType.ExpandedNodeId, ua.VariantType.QualifiedName, ua.VariantType.Guid, ua.VariantType.DiagnosticInfo,
    ua.VariantType.DataValue, ua.VariantType.Variant, ua.VariantType.StatusCode, ua.VariantType.DateTime,
}  # fmt: skip

#: Variables that OPC 40501-1 defines: (browse name, word of its path) → MTConnect's (type, subType).
_STANDARD = {
    ("FeedOverride", ""): ("PATH_FEEDRATE_OVERRIDE", "PROGRAMMED"),
    ("RapidOverride", ""): ("PATH_FEEDRATE_OVERRIDE", "RAPID"),
    ("Override", "spindle"): ("ROTARY_VELOCITY_OVERRIDE", ""),
    ("Name", "activeprogram"): ("PROGRAM", ""),
}


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of the address space."""

    node: ua.NodeId
    name: str  #: its name in observations
    path: tuple[str, ...] = ()  #: browse names from the machine to it; empty if the user has named the node


def node_of(name: str, namespaces: Sequence[str]) -> ua.NodeId | None:
    """Return the node of a name on a server with these namespaces; None if the server lacks the name's namespace.

    InputError if the name is not the name of a node.
    """
    match = _NAMESPACE.fullmatch(name.strip())
    text = name.strip()
    if match:
        uri, identifier = match[1].replace("%3B", ";").replace("%25", "%"), match[2]
        if uri not in namespaces:
            return None
        text = f"ns={namespaces.index(uri)};{identifier}"
    try:
        return ua.NodeId.from_string(text)
    except (ua.UaError, ValueError) as error:
        raise InputError(
            f"{name!r} is not a node; give one such as nsu=urn:mill;s=Spindle.Load or ns=2;i=1001"
        ) from error


def name_of(node: ua.NodeId, namespaces: Sequence[str]) -> str:
    """Return a name of a node that stays valid after a restart of the server."""
    index = int(node.NamespaceIndex)
    if index == 0 or index >= len(namespaces):
        return str(node.to_string())
    plain = ua.NodeId(node.Identifier, 0).to_string()
    return f"nsu={namespaces[index].replace('%', '%25').replace(';', '%3B')};{plain}"


def item_of(variable: Variable, unit: str) -> Item:
    """Return the item that describes a variable."""
    if not variable.path:
        return Item(variable.name, unit=unit)
    above = "/".join(variable.path[:-1])
    for (last, word), (kind, sub_type) in _STANDARD.items():
        if variable.path[-1] == last and word in above.lower():
            return Item(variable.name, kind, unit, sub_type, above, "/".join(variable.path))
    return Item(variable.name, "", unit, "", above, "/".join(variable.path))


def unit_of(value: ua.DataValue) -> str:
    """Return the symbol of an EngineeringUnits property; empty if it has none."""
    unit = value.Value.Value if value.Value is not None else None
    text = unit.DisplayName.Text if isinstance(unit, ua.EUInformation) else None
    return (text or "")[:32]


class Browser:
    """Browses a server's address space."""

    def __init__(self, session: UaSession, namespaces: Sequence[str]) -> None:
        self._session, self._namespaces = session, namespaces
        self.is_cut_short = False  #: whether there were more nodes than were browsed

    async def machine_tools(self) -> dict[str, ua.NodeId]:
        """Return the machine tools of OPC 40501 by their names."""
        if MACHINE_TOOL not in self._namespaces:
            return {}
        types = {ua.NodeId(MACHINE_TOOL_TYPE, self._namespaces.index(MACHINE_TOOL))}
        fresh = list(types)
        while fresh and len(types) < MOST_NODES:
            below = await self.references(fresh, ua.ObjectIds.HasSubtype)
            fresh = [each.NodeId for each in _flat(below) if each.NodeId not in types]
            types.update(fresh)
        tools: dict[str, ua.NodeId] = {}
        async for _, reference in self._walk(ua.NodeId(ua.ObjectIds.ObjectsFolder), stop_at=types):
            if reference.TypeDefinition in types:
                tools.setdefault(str(reference.BrowseName.Name), reference.NodeId)
        return tools

    async def variables(self, root: ua.NodeId) -> list[Variable]:
        """Return the variables below a node that may be numbers or words."""
        found: dict[ua.NodeId, Variable] = {}
        async for path, reference in self._walk(root):
            if reference.NodeClass == ua.NodeClass.Variable and reference.NodeId not in found:
                if len(found) == MOST_VARIABLES:
                    self.is_cut_short = True
                    break
                found[reference.NodeId] = Variable(reference.NodeId, name_of(reference.NodeId, self._namespaces), path)
        values = await self.read(list(found), ua.AttributeIds.Value)
        return [each for each, value in zip(found.values(), values, strict=True) if _is_useful(value)]

    async def units(self, variables: Sequence[Variable]) -> list[str]:
        """Return the engineering units of variables, empty for a variable without one."""
        below = await self.references([each.node for each in variables], ua.ObjectIds.HasProperty)
        properties = {
            at: reference.NodeId
            for at, references in enumerate(below)
            for reference in references
            if reference.BrowseName.Name == "EngineeringUnits"
        }
        values = await self.read(list(properties.values()), ua.AttributeIds.Value)
        units = dict(zip(properties, map(unit_of, values), strict=True))
        return [units.get(at, "") for at in range(len(variables))]

    async def read(self, nodes: Sequence[ua.NodeId], attribute: ua.AttributeIds) -> list[ua.DataValue]:
        """Return one attribute of many nodes."""
        found: list[ua.DataValue] = []
        for some in _chunks(nodes):
            found += await self._session.read_attributes(some, attribute)
        return found

    async def references(
        self, nodes: Sequence[ua.NodeId], kind: int = ua.ObjectIds.HierarchicalReferences
    ) -> list[list[ua.ReferenceDescription]]:
        """Return the forward references of many nodes, those of a kind and of its subtypes."""
        found: list[list[ua.ReferenceDescription]] = []
        for some in _chunks(nodes):
            wanted = [
                ua.BrowseDescription(
                    NodeId=node,
                    BrowseDirection=ua.BrowseDirection.Forward,
                    ReferenceTypeId=ua.NodeId(kind),
                    IncludeSubtypes=True,
                    ResultMask=ua.BrowseResultMask.All,
                )
                for node in some
            ]
            results = await self._session.browse(ua.BrowseParameters(NodesToBrowse=wanted))
            found += [await self._rest(result) for result in results]
        return found

    async def _rest(self, result: ua.BrowseResult) -> list[ua.ReferenceDescription]:
        """Return the references of a result, with those that the server sends in continuations."""
        references = list(result.References or [])
        while result.ContinuationPoint and len(references) < MOST_NODES:
            (result,) = await self._session.browse_next(
                ua.BrowseNextParameters(ContinuationPoints=[result.ContinuationPoint])
            )
            references += result.References or []
        return references

    async def _walk(
        self, root: ua.NodeId, stop_at: Iterable[ua.NodeId] = ()
    ) -> AsyncIterator[tuple[tuple[str, ...], ua.ReferenceDescription]]:
        """Yield (path, reference) of the nodes below a node, nearest first, without standard objects."""
        seen = {root}
        level: list[tuple[tuple[str, ...], ua.NodeId]] = [((), root)]
        for _ in range(MOST_LEVELS):
            below = await self.references([node for _, node in level])
            deeper = []
            for (above, _), references in zip(level, below, strict=True):
                for reference in references:
                    name = str(reference.BrowseName.Name)
                    if reference.NodeId in seen or name in _STATIC or reference.NodeId.NamespaceIndex == 0:
                        continue
                    seen.add(reference.NodeId)
                    yield (*above, name), reference
                    if reference.NodeClass == ua.NodeClass.Object and reference.TypeDefinition not in stop_at:
                        deeper.append(((*above, name), reference.NodeId))
            level = deeper
            if len(seen) > MOST_NODES:
                break
        self.is_cut_short |= bool(level)


def _is_useful(value: ua.DataValue) -> bool:
    """Whether a variable may have numbers or words, judged by its present value; without a value it may."""
    if value.StatusCode is not None and value.StatusCode.name in ("BadNotReadable", "BadUserAccessDenied"):
        return False
    return value.Value is None or value.Value.VariantType not in _USELESS


def _chunks(nodes: Sequence[ua.NodeId]) -> Iterator[list[ua.NodeId]]:
    for at in range(0, len(nodes), _AT_ONCE):
        yield list(nodes[at : at + _AT_ONCE])


def _flat(lists: Iterable[Iterable[ua.ReferenceDescription]]) -> Iterator[ua.ReferenceDescription]:
    for each in lists:
        yield from each
