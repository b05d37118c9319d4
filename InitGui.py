# SPDX-License-Identifier: LGPL-2.1-or-later
from pathlib import Path

import FreeCADGui as Gui

import freecad_camtwin
from freecad_camtwin.gui import looks


class CamTwinWorkbench(Gui.Workbench):
    MenuText = "CAM Twin"
    ToolTip = "Predict the load of a CAM job, and plan its feeds"

    def Initialize(self):
        # Imported here, not above: FreeCAD reads this file at every start, whether the workbench is used or not.
        from freecad_camtwin.gui import commands

        names = commands.register()
        self.appendToolbar("CAM Twin", names)
        self.appendMenu("CAM Twin", names)

    def GetClassName(self):
        return "Gui::PythonWorkbench"


# FreeCAD runs this file inside a function and without __file__: a class body cannot use the names above.
CamTwinWorkbench.Icon = str(Path(freecad_camtwin.__file__).parent / "gui" / "icons" / "CamTwin.svg")
Gui.addWorkbench(CamTwinWorkbench())
looks.register_looks()
