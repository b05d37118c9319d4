# SPDX-License-Identifier: LGPL-2.1-or-later
"""Restore the proxies of CAM Twin's objects after a FreeCAD without the addon has dropped them.

Such a FreeCAD keeps all properties and posts the stored path, but when it saves, the file loses the class of each
proxy. The property ``CamTwinKind`` still names the kind of object. FreeCAD notifies a Python observer of an opened
document only by activating it.
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
    """Restore proxies and view providers of CAM Twin's objects; return the number of proxies that were missing."""
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
    """A document observer that heals each document when it is activated."""

    def slotActivateDocument(self, document: Any) -> None:
        heal(document)


_installed: list[Healer] = []


def install() -> None:
    """Start to observe documents; further calls do nothing."""
    if not _installed:
        _installed.append(Healer())
        FreeCAD.addDocumentObserver(_installed[0])
