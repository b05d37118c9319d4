# SPDX-License-Identifier: LGPL-2.1-or-later
"""How our document objects look, told at FreeCAD's start: a document can be opened before the workbench is chosen."""

from freecad_camtwin.document import structure, views
from freecad_camtwin.gui.view_execution import ViewExecution
from freecad_camtwin.gui.view_feed_dressup import ViewFeedDressup
from freecad_camtwin.gui.view_twin import ViewTwin


def provide() -> None:
    """Name the view provider of each kind of object."""
    views.provide(structure.FEED_DRESSUP, ViewFeedDressup)
    views.provide(structure.TWIN, ViewTwin)
    views.provide(structure.EXECUTION, ViewExecution)
