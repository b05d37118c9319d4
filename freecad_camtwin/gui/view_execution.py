# SPDX-License-Identifier: LGPL-2.1-or-later
"""View provider of an execution. Saved files name this module and class: never move or rename them."""

from typing import Any

from freecad_camtwin.gui.view import View


class ViewExecution(View):
    """View provider of an execution: an icon; a double click draws the measured load."""

    icon = "CamTwin_Execution.svg"

    def doubleClicked(self, _view: Any) -> bool:
        """Draw the measured load along the toolpath."""
        from freecad_camtwin.gui import measured  # not above: proxies are imported at FreeCAD's start

        measured.show_measured(self._obj)
        return True
