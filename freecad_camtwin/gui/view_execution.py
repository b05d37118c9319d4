# SPDX-License-Identifier: LGPL-2.1-or-later
"""How an execution looks in the tree. Saved files name this module and class: never move or rename them."""

from typing import Any

from freecad_camtwin.gui.view import View


class ViewExecution(View):
    """View provider of an execution: an icon; what it knows is in its properties."""

    icon = "CamTwin_Execution.svg"

    def doubleClicked(self, _view: Any) -> bool:
        """Draw the measured load along the toolpath."""
        from freecad_camtwin.gui import measured  # not above: proxies are imported at FreeCAD's start

        measured.show_measured(self._obj)
        return True
