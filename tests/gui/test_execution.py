# SPDX-License-Identifier: LGPL-2.1-or-later
"""A run in a real window: in the tree below the twin, and drawn over the toolpath."""

import FreeCAD as App
import FreeCADGui as Gui
import numpy as np
import pytest

import freecad_camtwin as camtwin
from follow import follow
from freecad_camtwin.document import child, structure
from freecad_camtwin.document.commands import stored_hash
from freecad_camtwin.gui.state import state_of
from freecad_camtwin.gui.view_execution import ViewExecution
from freecad_camtwin.gui.view_twin import ViewTwin


@pytest.fixture
def saved(job, tmp_path):
    """A document with a twin, saved with its looks, and closed."""
    camtwin.attach(job, material="6061")
    path = tmp_path / "part.FCStd"
    job.Document.saveAs(str(path))
    return path


def test_a_document_that_got_its_run_without_a_window_shows_it_below_the_twin(job, saved, tmp_path, idle, capfd):
    told = {
        "Label": "Run 2026-11-24", "Source": "monday.run", "KPI": {"cycle time [s]": "12"}, "SidecarHash": "b" * 64,
        "Sidecar": "part.camtwin/execution-0123456789abcdef.json",
        "PathHashes": {top.Name: stored_hash(top) for top in structure.operations(job)},
    }  # fmt: skip
    App.closeDocument(job.Document.Name)
    out = tmp_path / "out.FCStd"
    answer = child.answer({"action": "import", "document": str(saved), "output": str(out), "executions": [told]})
    assert answer.get("saved"), answer
    document = App.openDocument(str(out))
    idle()
    twin = structure.twin(structure.find_job(document))
    (obj,) = structure.executions(twin)
    assert isinstance(obj.ViewObject.Proxy, ViewExecution)
    assert isinstance(twin.ViewObject.Proxy, ViewTwin)
    assert twin.ViewObject.Proxy.claimChildren() == [obj]
    assert "Touched" not in obj.State
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_double_click_draws_what_was_measured_and_nothing_recomputes(job, saved, tmp_path, idle):
    pytest.importorskip("numba")
    from freecad_camtwin.twin.package.package import make_package

    package = make_package(camtwin.analyze(job, material="6061", cell=1.0))
    (obj,) = camtwin.import_run(job, follow(tmp_path / "monday.run", package), package)
    states = {each.Name: each.State for each in job.Document.Objects}
    assert obj.ViewObject.Proxy.doubleClicked(obj.ViewObject)
    idle()
    assert state_of(job).overlay is not None
    assert {each.Name: each.State for each in job.Document.Objects} == states

    state_of(job).hide()
    top = structure.operations(job)[0]
    structure.controller(top).HorizFeed = "600 mm/min"
    job.Document.recompute()
    obj.ViewObject.Proxy.doubleClicked(obj.ViewObject)
    assert state_of(job).overlay is None
    assert "has changed since the run" in Gui.getMainWindow().statusBar().currentMessage()


def test_every_move_has_its_own_color():
    from freecad_camtwin.gui.measured import lines
    from plan_jobs import passes

    path = passes(rows=2)
    power = np.arange(path.moves, dtype=float)
    found = type("Execution", (), {"load": "power", "moves": {"power.mean": power}})
    points, rgba, counts = lines(path, found)
    assert points.reshape(-1, 2, 3)[:, 0] == pytest.approx(path.start)
    assert points.reshape(-1, 2, 3)[:, 1] == pytest.approx(path.end)
    assert len(set(rgba[::2].tolist())) == path.moves
    assert counts.tolist() == [2] * path.moves
