# SPDX-License-Identifier: LGPL-2.1-or-later
"""Healing: our objects get back the proxies that a FreeCAD without the addon has dropped.

Such a FreeCAD keeps all properties, posts the path that was stored, and forgets for good which code an
object belongs to as soon as it saves. The mark among the properties still tells. FreeCAD tells a Python
observer of an opened document only by activating it.
"""

from typing import Any

import FreeCAD

from freecad_camtwin.document import structure, views
from freecad_camtwin.document.dressup import FeedDressup
from freecad_camtwin.document.execution import ExecutionObject
from freecad_camtwin.document.properties import MARK, Proxy
from freecad_camtwin.document.twin_object import TwinObject

_PROXIES: dict[str, type[Proxy]] = {
    structure.FEED_DRESSUP: FeedDressup,
    structure.TWIN: TwinObject,
    structure.EXECUTION: ExecutionObject,
}


def heal(document: Any) -> int:
    """Give our objects of a document their proxies and looks back; the number of proxies that were missing."""
    healed = 0
    for obj in document.Objects:
        kind = _PROXIES.get(getattr(obj, MARK, ""))
        if kind is None:
            continue
        if obj.Proxy is None:
            proxy = kind.__new__(kind)
            obj.Proxy = proxy
            proxy.onDocumentRestored(obj)  # type: ignore[attr-defined]
            healed += 1
        views.add_view_provider(obj)
    return healed


class Healer:
    """A document observer."""

    def slotActivateDocument(self, document: Any) -> None:
        heal(document)


_installed: list[Healer] = []


def install() -> None:
    """Watch for documents from now on; once is enough."""
    if not _installed:
        _installed.append(Healer())
        FreeCAD.addDocumentObserver(_installed[0])
