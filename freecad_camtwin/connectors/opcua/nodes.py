# SPDX-License-Identifier: LGPL-2.1-or-later
"""The address space: names of nodes that outlive a restart, the machine tools in it, and the variables below them.

A server numbers its namespaces anew when it starts; their URIs stay. So nodes are named ``nsu=URI;s=NAME``, and only
somebody who writes ``ns=2;s=NAME`` himself gets what is number 2 today.
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
#: Our own publishers say in this namespace, in the variable "Simulated", whether their data are a machine's.
OURS = "urn:freecad-camtwin:machine"
SIMULATED = "Simulated"

#: Nodes that are looked at, references from machine to variable, variables that are taken without being named.
MOST_NODES, MOST_LEVELS, MOST_VARIABLES = 20_000, 10, 1000
#: Nodes asked for in one request; servers take at least so many.
_AT_ONCE = 100
#: Folders that say what the machine is, not what it does.
_STATIC = {"Identification", "MachineryBuildingBlocks", "GroupIdentifier", SIMULATED}
_NAMESPACE = re.compile(r"nsu=([^;]*);(.+)", re.S)
#: Kinds of values that are neither numbers nor words.
_USELESS = {
    ua.VariantType.ExtensionObject, ua.VariantType.ByteString, ua.VariantType.XmlElement, ua.VariantType.NodeId,
    ua.VariantType.ExpandedNodeId, ua.VariantType.QualifiedName, ua.VariantType.Guid, ua.VariantType.DiagnosticInfo,
    ua.VariantType.DataValue, ua.VariantType.Variant, ua.VariantType.StatusCode, ua.VariantType.DateTime,
}  # fmt: skip

#: What stands where OPC 40501-1 says: (browse name, words of its path) → MTConnect's (type, subType).
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
    name: str  #: by which observations name it
    path: tuple[str, ...] = ()  #: browse names from the machine to it; empty where somebody named the node himself


def node_of(name: str, namespaces: Sequence[str]) -> ua.NodeId | None:
    """Return the node that a name means on a server with these namespaces; None where it has not that namespace.

    InputError where it is no node's name.
    """
    found = _NAMESPACE.fullmatch(name.strip())
    text = name.strip()
    if found:
        uri, rest = found[1].replace("%3B", ";").replace("%25", "%"), found[2]
        if uri not in namespaces:
            return None
        text = f"ns={namespaces.index(uri)};{rest}"
    try:
        return ua.NodeId.from_string(text)
    except (ua.UaError, ValueError) as error:
        raise InputError(f"{name!r} is no node; give one such as nsu=urn:mill;s=Spindle.Load or ns=2;i=1001") from error


def name_of(node: ua.NodeId, namespaces: Sequence[str]) -> str:
    """Return the name of a node that outlives a restart."""
    index = int(node.NamespaceIndex)
    if index == 0 or index >= len(namespaces):
        return str(node.to_string())
    plain = ua.NodeId(node.Identifier, 0).to_string()
    return f"nsu={namespaces[index].replace('%', '%25').replace(';', '%3B')};{plain}"


def item_of(variable: Variable, unit: str) -> Item:
    """Return what a variable says of itself, in the words of discovery."""
    if not variable.path:
        return Item(variable.name, unit=unit)
    above = "/".join(variable.path[:-1])
    for (last, word), (kind, sub_type) in _STANDARD.items():
        if variable.path[-1] == last and word in above.lower():
            return Item(variable.name, kind, unit, sub_type, above, "/".join(variable.path))
    return Item(variable.name, "", unit, "", above, "/".join(variable.path))


def unit_of(value: ua.DataValue) -> str:
    """Return the symbol of an EngineeringUnits property; empty where it says none."""
    said = value.Value.Value if value.Value is not None else None
    text = said.DisplayName.Text if isinstance(said, ua.EUInformation) else None
    return (text or "")[:32]


class Browser:
    """Looks around in a server's address space."""

    def __init__(self, session: UaSession, namespaces: Sequence[str]) -> None:
        self._session, self._namespaces = session, namespaces
        self.is_cut_short = False  #: whether there was more than was looked at

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
        found: dict[str, ua.NodeId] = {}
        async for _, reference in self._walk(ua.NodeId(ua.ObjectIds.ObjectsFolder), stop_at=types):
            if reference.TypeDefinition in types:
                found.setdefault(str(reference.BrowseName.Name), reference.NodeId)
        return found

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
        """Return the engineering units of variables, empty where they have none."""
        below = await self.references([each.node for each in variables], ua.ObjectIds.HasProperty)
        properties = {
            at: reference.NodeId
            for at, references in enumerate(below)
            for reference in references
            if reference.BrowseName.Name == "EngineeringUnits"
        }
        values = await self.read(list(properties.values()), ua.AttributeIds.Value)
        told = dict(zip(properties, map(unit_of, values), strict=True))
        return [told.get(at, "") for at in range(len(variables))]

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
        """Return the references of a result, with those that the server kept back."""
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
        """Yield (path, reference) of what lies below a node, nearest first; no standard objects."""
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
    """Whether a variable may tell numbers or words, by what it tells now; one that tells nothing yet may."""
    if value.StatusCode is not None and value.StatusCode.name in ("BadNotReadable", "BadUserAccessDenied"):
        return False
    return value.Value is None or value.Value.VariantType not in _USELESS


def _chunks(nodes: Sequence[ua.NodeId]) -> Iterator[list[ua.NodeId]]:
    for at in range(0, len(nodes), _AT_ONCE):
        yield list(nodes[at : at + _AT_ONCE])


def _flat(lists: Iterable[Iterable[ua.ReferenceDescription]]) -> Iterator[ua.ReferenceDescription]:
    for each in lists:
        yield from each
