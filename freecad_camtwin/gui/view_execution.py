# SPDX-License-Identifier: LGPL-2.1-or-later
"""How an execution looks in the tree. Saved files name this module and class: never move or rename them."""

from pathlib import Path
from typing import Any

from freecad_camtwin.document.properties import Proxy

_ICON = str(Path(__file__).parent / "icons" / "CamTwin_Execution.svg")


class ViewExecution(Proxy):
    """View provider of an execution: an icon; what it knows is in its properties."""

    def __init__(self, view: Any) -> None:
        view.Proxy = self

    def attach(self, view: Any) -> None:
        self._obj = view.Object

    def getIcon(self) -> str:
        return _ICON

    def doubleClicked(self, _view: Any) -> bool:
        """Draw the measured load along the toolpath."""
        from freecad_camtwin.gui import measured  # not above: proxies are imported at FreeCAD's start

        measured.show(self._obj)
        return True
