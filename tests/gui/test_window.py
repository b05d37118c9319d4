# SPDX-License-Identifier: LGPL-2.1-or-later
"""The workbench as the user meets it first."""

import FreeCADGui as Gui


def test_the_workbench_can_be_chosen_and_activates():
    assert "CamTwinWorkbench" in Gui.listWorkbenches()
    Gui.activateWorkbench("CamTwinWorkbench")
    assert Gui.activeWorkbench().name() == "CamTwinWorkbench"
