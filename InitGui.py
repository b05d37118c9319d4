# SPDX-License-Identifier: LGPL-2.1-or-later
import FreeCADGui as Gui


class CamTwinWorkbench(Gui.Workbench):
    MenuText = "CAM Twin"
    ToolTip = "Predict how hard a CAM job cuts, and mend its feeds"

    def Initialize(self):
        # Imported here, not above: FreeCAD reads this file at every start, whether the workbench is used or not.
        import freecad_camtwin.gui  # noqa: F401

    def GetClassName(self):
        return "Gui::PythonWorkbench"


Gui.addWorkbench(CamTwinWorkbench())
