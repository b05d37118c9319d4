# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draw the toolpath over the model, colored by load. It is in the view's scene graph, never in the document."""

from typing import Any

import FreeCADGui as Gui
import numpy as np
from numpy.typing import NDArray
from pivy import coin

from freecad_camtwin.twin.base.arrays import Floats, Ints

_WIDTH_PIXELS = 2


def packed(rgba: Floats) -> NDArray[np.uint32]:
    """Convert colors of shape (steps, 4), 0 to 1, to Coin's packed colors: one integer each, shape (steps,)."""
    channels = np.rint(rgba * 255).astype(np.uint32)
    shifts = np.array([24, 16, 8, 0], np.uint32)
    return np.asarray((channels << shifts).sum(axis=1, dtype=np.uint32))


class Overlay:
    """One job's toolpath in one 3D view."""

    def __init__(self, view: Any) -> None:
        self._graph = view.getSceneGraph()
        self._coordinates = coin.SoCoordinate3()
        self._colors = coin.SoPackedColor()
        self._lines = coin.SoLineSet()
        self._root = coin.SoSeparator()
        for node in (*_appearance(), self._colors, _per_vertex(), self._coordinates, self._lines):
            self._root.addChild(node)
        self._graph.addChild(self._root)

    def draw(self, points: NDArray[np.float32], rgba: NDArray[np.uint32], counts: Ints) -> None:
        """Replace the drawn lines: polylines of ``counts`` points each, ``points`` (n, 3) [mm], ``rgba`` (n,)."""
        self._coordinates.point.setValues(0, len(points), points)
        self._coordinates.point.setNum(len(points))
        self._colors.orderedRGBA.setValues(0, len(rgba), rgba.tolist())
        self._colors.orderedRGBA.setNum(len(rgba))
        self._lines.numVertices.setValues(0, len(counts), counts.tolist())
        self._lines.numVertices.setNum(len(counts))

    def remove(self) -> None:
        """Remove the overlay from the view; a closed view is no error."""
        self._graph.removeChild(self._root)


def _appearance() -> tuple[Any, ...]:
    pick, light, style = coin.SoPickStyle(), coin.SoLightModel(), coin.SoDrawStyle()
    pick.style = coin.SoPickStyle.UNPICKABLE
    light.model = coin.SoLightModel.BASE_COLOR
    style.lineWidth = _WIDTH_PIXELS
    return pick, light, style


def _per_vertex() -> Any:
    binding = coin.SoMaterialBinding()
    binding.value = coin.SoMaterialBinding.PER_VERTEX
    return binding


def view_of(document: Any) -> Any:
    """Return the 3D view in which a document's overlay is drawn; None if no 3D view is open."""
    gui_document = Gui.getDocument(document.Name)
    views = gui_document.mdiViewsOfType("Gui::View3DInventor") if gui_document else []
    return views[0] if views else None
