# SPDX-License-Identifier: LGPL-2.1-or-later
"""Base class of the view providers of CAM Twin's objects."""

from pathlib import Path
from typing import Any, ClassVar

from freecad_camtwin.document.properties import Proxy

_ICONS = Path(__file__).parent / "icons"


class View(Proxy):
    """View provider with an icon of CAM Twin."""

    icon: ClassVar[str]

    def __init__(self, view: Any) -> None:
        view.Proxy = self

    def attach(self, view: Any) -> None:
        self._obj = view.Object

    def getIcon(self) -> str:
        return str(_ICONS / self.icon)
