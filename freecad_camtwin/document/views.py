# SPDX-License-Identifier: LGPL-2.1-or-later
"""How our document objects get their looks without this layer knowing windows.

The window's code provides an attacher per kind of object; without a window nothing happens.
"""

from collections.abc import Callable
from typing import Any

import FreeCAD

from freecad_camtwin.document.properties import MARK

_attachers: dict[str, Callable[[Any], object]] = {}


def register_view_provider(kind: str, attach: Callable[[Any], object]) -> None:
    """Let ``attach`` give a view object its provider, for objects of this kind."""
    _attachers[kind] = attach


def add_view_provider(obj: Any) -> None:
    """Give an object of ours its view provider, where there are windows and it has none."""
    attach = _attachers.get(getattr(obj, MARK, ""))
    if not FreeCAD.GuiUp or attach is None or obj.ViewObject is None:
        return
    if getattr(obj.ViewObject, "Proxy", None) in (None, 0, 1):  # a document saved without windows restores a number
        attach(obj.ViewObject)


def hide(obj: Any) -> None:
    """Hide an object in the window, where there is one."""
    _show(obj, False)


def show_object(obj: Any) -> None:
    """Show an object in the window, where there is one."""
    _show(obj, True)


def _show(obj: Any, visible: bool) -> None:
    if FreeCAD.GuiUp and obj.ViewObject is not None:
        obj.ViewObject.Visibility = visible
