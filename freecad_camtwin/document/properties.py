# SPDX-License-Identifier: LGPL-2.1-or-later
"""The properties of a document object as a table, and proxies that every FreeCAD version can save.

Saved files name the module and class of a proxy, so never move or rename these. All state is in properties: a
document that is opened without the addon keeps it.
"""

from typing import Any, ClassVar, NamedTuple

#: Setting such a property does not touch its object: a property of CAM Twin must not cause a recompute.
NOTE = 8  # App::Prop_Output

#: The property that marks an object as CAM Twin's, even if its proxy was lost.
MARK = "CamTwinKind"


class Property(NamedTuple):
    """One row: the arguments of ``addProperty``, the value in a new object, and how the editor shows it."""

    type: str
    name: str
    group: str
    doc: str
    default: Any
    note: bool = False  #: setting it does not cause a recompute
    read_only: bool = False
    hidden: bool = False
    choices: tuple[str, ...] = ()  #: of an enumeration


def declare(obj: Any, table: tuple[Property, ...]) -> None:
    """Add the properties that ``obj`` lacks; existing ones are not changed."""
    for row in table:
        if row.name in obj.PropertiesList:
            continue
        obj.addProperty(row.type, row.name, row.group, row.doc, NOTE if row.note else 0, row.read_only, row.hidden)
        if row.choices:
            setattr(obj, row.name, list(row.choices))
        setattr(obj, row.name, row.default)


def withdraw(obj: Any, table: tuple[Property, ...]) -> None:
    """Remove the properties that ``declare`` added."""
    for row in table:
        if row.name in obj.PropertiesList:
            obj.removeProperty(row.name)


class Proxy:
    """A proxy without state; FreeCAD 0.20 saves with ``__getstate__``, later versions with ``dumps``."""

    def dumps(self) -> None:
        return None

    def loads(self, _state: Any) -> None:
        return None

    def __getstate__(self) -> None:
        return None

    def __setstate__(self, _state: Any) -> None:
        return None


class ObjectProxy(Proxy):
    """Proxy of a document object; all its state is in properties."""

    properties: ClassVar[tuple[Property, ...]]

    def __init__(self, obj: Any) -> None:
        obj.Proxy = self
        declare(obj, self.properties)

    def onDocumentRestored(self, obj: Any) -> None:
        declare(obj, self.properties)
