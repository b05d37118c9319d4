# SPDX-License-Identifier: LGPL-2.1-or-later
"""Documents that users saved from a window with an earlier state of the addon: in the window they look as before."""

import shutil

import FreeCAD as App
import pytest

from freecad_camtwin.document import structure, views
from freecad_camtwin.gui.view_execution import ViewExecution
from freecad_camtwin.gui.view_feed_dressup import ViewFeedDressup
from freecad_camtwin.gui.view_twin import ViewTwin
from saved_documents import DOCUMENTS, properties

VIEWS = {structure.TWIN: ViewTwin, structure.FEED_DRESSUP: ViewFeedDressup, structure.EXECUTION: ViewExecution}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_freecad_restores_our_view_providers(tmp_path, idle, monkeypatch, capfd, name):
    monkeypatch.setattr(views, "_attachers", {})  # else those that FreeCAD did not restore would be made anew
    folder = shutil.copytree(DOCUMENTS[name].parent, tmp_path / name)
    document = App.openDocument(str(folder / DOCUMENTS[name].name))
    idle()
    capfd.readouterr()  # a traceback for every CAM object that this FreeCAD cannot restore
    try:
        saved = properties(DOCUMENTS[name])
        kinds = {internal: values["CamTwinKind"] for internal, values in saved.items() if "CamTwinKind" in values}
        assert set(kinds.values()) == set(VIEWS)
        children = {
            structure.TWIN: structure.executions,
            structure.FEED_DRESSUP: lambda obj: [structure.below(obj)],
        }
        for internal, kind in kinds.items():
            obj = document.getObject(internal)
            assert isinstance(obj.ViewObject.Proxy, VIEWS[kind])
            if kind in children:
                assert obj.ViewObject.Proxy.claimChildren() == children[kind](obj) != []
    finally:
        App.closeDocument(document.Name)
