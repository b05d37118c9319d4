# SPDX-License-Identifier: LGPL-2.1-or-later
from pathlib import Path

import FreeCADGui as Gui

import freecad_camtwin


class CamTwinWorkbench(Gui.Workbench):
    MenuText = "CAM Twin"
    # FreeCAD runs this file without a __file__: the package knows where the addon lies.
    Icon = str(Path(freecad_camtwin.__file__).parent.parent / "resources" / "camtwin.svg")
    ToolTip = "Predict how hard a CAM job cuts, and mend its feeds"

    def Initialize(self):
        # Imported here, not above: FreeCAD reads this file at every start, whether the workbench is used or not.
        import freecad_camtwin.gui  # noqa: F401

    def GetClassName(self):
        return "Gui::PythonWorkbench"


Gui.addWorkbench(CamTwinWorkbench())
