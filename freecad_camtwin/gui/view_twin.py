# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a twin looks in the tree. Saved files name this module and class: never move or rename them."""

from pathlib import Path
from typing import Any

from freecad_camtwin.document import structure
from freecad_camtwin.document.properties import Proxy

_ICON = str(Path(__file__).parent / "icons" / "CamTwin_Attach.svg")


class ViewTwin(Proxy):
    """View provider of a twin: an icon, and its executions hang below it."""

    def __init__(self, view: Any) -> None:
        view.Proxy = self

    def attach(self, view: Any) -> None:
        self._obj = view.Object

    def getIcon(self) -> str:
        return _ICON

    def claimChildren(self) -> list[Any]:
        return structure.executions(self._obj)
