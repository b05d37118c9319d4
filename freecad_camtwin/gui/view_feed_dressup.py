# SPDX-License-Identifier: LGPL-2.1-or-later
"""View provider of a feed dressup. Saved files name this module and class: never move or rename them."""

from typing import Any

from freecad_camtwin.document import dressup, structure
from freecad_camtwin.gui.view import View


class ViewFeedDressup(View):
    """View provider of a feed dressup: the operation is its child, and takes its place when it is deleted."""

    icon = "CamTwin_PlanFeeds.svg"

    def claimChildren(self) -> list[Any]:
        base = structure.below(self._obj)
        return [base] if base is not None else []

    def onDelete(self, view: Any, _names: Any = None) -> bool:
        """Put the operation back in its place before FreeCAD deletes the dressup."""
        job = structure.job_of_operation(view.Object)
        if job is not None:
            dressup.release(job, view.Object)
        return True
