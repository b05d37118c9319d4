# SPDX-License-Identifier: LGPL-2.1-or-later
"""Register the view providers at FreeCAD's start: a document can be opened before the workbench is chosen."""

from freecad_camtwin.document import structure, views
from freecad_camtwin.gui.view_execution import ViewExecution
from freecad_camtwin.gui.view_feed_dressup import ViewFeedDressup
from freecad_camtwin.gui.view_twin import ViewTwin


def register_looks() -> None:
    """Register the view provider of each kind of object."""
    views.register_view_provider(structure.FEED_DRESSUP, ViewFeedDressup)
    views.register_view_provider(structure.TWIN, ViewTwin)
    views.register_view_provider(structure.EXECUTION, ViewExecution)
