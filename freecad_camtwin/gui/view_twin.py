# SPDX-License-Identifier: LGPL-2.1-or-later
"""View provider of a twin. Saved files name this module and class: never move or rename them."""

from typing import Any

from freecad_camtwin.document import structure
from freecad_camtwin.gui.view import View


class ViewTwin(View):
    """View provider of a twin: an icon, with the executions as children."""

    icon = "CamTwin_Attach.svg"

    def claimChildren(self) -> list[Any]:
        return structure.executions(self._obj)
