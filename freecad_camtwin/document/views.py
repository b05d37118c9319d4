# SPDX-License-Identifier: LGPL-2.1-or-later
"""Attach view providers to CAM Twin's document objects; this package does not import the window's code.

The window's code registers a function for each kind of object; without a window nothing happens.
"""

from collections.abc import Callable
from typing import Any

import FreeCAD

from freecad_camtwin.document.properties import MARK

_attachers: dict[str, Callable[[Any], object]] = {}


def register_view_provider(kind: str, attach: Callable[[Any], object]) -> None:
    """Register ``attach``, which gives a view object its provider, for objects of this kind."""
    _attachers[kind] = attach


def add_view_provider(obj: Any) -> None:
    """Attach the view provider to an object of CAM Twin, if there is a window and the object has none."""
    attach = _attachers.get(getattr(obj, MARK, ""))
    if not FreeCAD.GuiUp or attach is None or obj.ViewObject is None:
        return
    if getattr(obj.ViewObject, "Proxy", None) in (None, 0, 1):  # a document saved without windows restores a number
        attach(obj.ViewObject)


def hide(obj: Any) -> None:
    """Hide an object in the window, if there is one."""
    _show(obj, False)


def show_object(obj: Any) -> None:
    """Show an object in the window, if there is one."""
    _show(obj, True)


def _show(obj: Any, visible: bool) -> None:
    if FreeCAD.GuiUp and obj.ViewObject is not None:
        obj.ViewObject.Visibility = visible
