# SPDX-License-Identifier: LGPL-2.1-or-later
"""The commands as a user presses them: what each does to the document, the view and the disk, and when it is gray."""

import os
from pathlib import Path

import FreeCAD as App
import FreeCADGui as Gui

from freecad_camtwin.document import structure
from freecad_camtwin.gui import commands
from freecad_camtwin.gui.state import state_of
from freecad_jobs import cam

NAMES = [command.name for command in commands.COMMANDS]


def is_grey(name):
    return not Gui.Command.get(name).isActive()


def tool_tip(name):
    return Gui.Command.get(name).getAction()[0].toolTip()


def line_sets():
    from pivy import coin

    search = coin.SoSearchAction()
    search.setType(coin.SoPackedColor.getClassTypeId())
    search.setInterest(coin.SoSearchAction.ALL)
    search.apply(Gui.ActiveDocument.ActiveView.getSceneGraph())
    return search.getPaths().getLength()


def test_every_command_is_offered(job):
    assert set(NAMES) <= set(Gui.listCommands())
    for name in NAMES:
        assert Path(Gui.Command.get(name).getInfo()["pixmap"]).is_file()


def test_without_a_document_every_command_is_grey_and_says_why():
    Gui.activateWorkbench("CamTwinWorkbench")
    for name in NAMES:
        assert is_grey(name)
        assert "Open a document" in tool_tip(name)


def test_a_document_without_a_job_is_named_as_the_reason():
    Gui.activateWorkbench("CamTwinWorkbench")
    App.newDocument("Empty")
    try:
        assert is_grey("CamTwin_Analyse")
        assert "no CAM job" in tool_tip("CamTwin_Analyse")
    finally:
        App.closeDocument("Empty")


def test_a_twin_is_attached_in_one_undo_step(job):
    undos = job.Document.UndoCount
    Gui.runCommand("CamTwin_Attach")
    assert structure.twin(job) is not None
    assert job.Document.UndoCount == undos + 1
    assert is_grey("CamTwin_Attach")
    assert "already has a twin" in tool_tip("CamTwin_Attach")
    job.Document.undo()
    assert structure.twin(job) is None


def test_an_analysis_colors_the_toolpath_and_leaves_the_document_alone(job, settle):
    before = [(obj.Name, obj.State) for obj in job.Document.Objects]
    undos = job.Document.UndoCount
    Gui.runCommand("CamTwin_Analyse")
    assert is_grey("CamTwin_PlanFeeds")
    assert "running" in tool_tip("CamTwin_PlanFeeds")
    settle()
    assert state_of(job).analysis.engagement.removed_volume > 0
    assert line_sets() == 1
    assert [(obj.Name, obj.State) for obj in job.Document.Objects] == before
    assert job.Document.UndoCount == undos


def test_a_second_analysis_replaces_the_first_overlay(job, settle):
    for _ in range(2):
        Gui.runCommand("CamTwin_Analyse")
        settle()
    assert line_sets() == 1


def test_planned_feeds_lie_over_the_operation_and_one_undo_takes_them_back(job, settle):
    undos = job.Document.UndoCount
    Gui.runCommand("CamTwin_PlanFeeds")
    settle()
    tops = structure.operations(job)
    assert all(structure.feed_dressup(top) for top in tops)
    assert [child.Name for child in tops[0].ViewObject.Proxy.claimChildren()] == ["Profile"]
    assert job.Document.UndoCount == undos + 1
    job.Document.undo()
    assert [obj.Name for obj in structure.operations(job)] == ["Profile"]


def test_deleting_the_dressup_in_the_tree_puts_the_operation_back(job, settle):
    Gui.runCommand("CamTwin_PlanFeeds")
    settle()
    top = structure.operations(job)[0]
    Gui.Selection.clearSelection()
    Gui.Selection.addSelection(top)
    Gui.runCommand("Std_Delete")
    assert [obj.Name for obj in structure.operations(job)] == ["Profile"]


def test_a_mended_document_keeps_its_looks(job, settle, tmp_path):
    Gui.runCommand("CamTwin_Attach")
    Gui.runCommand("CamTwin_PlanFeeds")
    settle()
    path = str(tmp_path / "mended.FCStd")
    job.Document.saveAs(path)
    App.closeDocument(job.Document.Name)
    again = structure.find_job(App.openDocument(path))
    looks = [type(obj.ViewObject.Proxy).__name__ for obj in (structure.twin(again), structure.operations(again)[0])]
    assert looks == ["ViewTwin", "ViewFeedDressup"]


def test_clear_takes_everything_back(job, settle):
    names = [obj.Name for obj in job.Document.Objects]
    assert is_grey("CamTwin_Clear")
    Gui.runCommand("CamTwin_Attach")
    Gui.runCommand("CamTwin_PlanFeeds")
    settle()
    assert line_sets() == 1
    Gui.runCommand("CamTwin_Clear")
    assert [obj.Name for obj in job.Document.Objects] == names
    assert line_sets() == 0


def test_post_writes_the_program(job, settle, tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "ask_path", lambda *_: str(tmp_path / "part.ngc"))
    Gui.runCommand("CamTwin_Post")
    assert "G1" in (tmp_path / "part.ngc").read_text()


def test_a_report_needs_an_analysis_and_holds_its_picture(job, settle, tmp_path, monkeypatch):
    assert is_grey("CamTwin_Report")
    assert "Analyze the job first" in tool_tip("CamTwin_Report")
    Gui.runCommand("CamTwin_Analyse")
    settle()
    opened = []
    monkeypatch.setattr(commands, "ask_path", lambda *_: str(tmp_path / "part.html"))
    monkeypatch.setattr(commands, "show_page", opened.append)
    Gui.runCommand("CamTwin_Report")
    assert "<svg" in (tmp_path / "part.html").read_text()
    assert opened == [str(tmp_path / "part.html")]


def test_what_goes_wrong_is_told_in_the_status_bar(job, tmp_path, monkeypatch):
    monkeypatch.setattr(commands, "ask_path", lambda *_: str(tmp_path / "missing" / "part.ngc"))
    Gui.runCommand("CamTwin_Post")
    assert "part.ngc cannot be written" in Gui.getMainWindow().statusBar().currentMessage()


def test_the_overlay_is_seen(job, settle, tmp_path):
    """Greys alone are a view without an overlay: the picture has pixels of the load's colors."""
    import numpy as np

    for obj in job.Document.Objects:
        if obj.ViewObject is not None and hasattr(obj.ViewObject, "Visibility"):
            obj.ViewObject.Visibility = False
    Gui.runCommand("CamTwin_Analyse")
    settle()
    view = Gui.ActiveDocument.ActiveView
    view.fitAll()
    picture = Path(os.environ.get("CAMTWIN_PICTURES", tmp_path)) / "overlay-{}{}.png".format(*App.Version()[:2])
    view.saveImage(str(picture), 900, 600, "White")
    from matplotlib.image import imread

    pixels = np.asarray(imread(picture))[..., :3]
    assert (np.ptp(pixels, axis=2) > 0.15).sum() > 300


def test_two_jobs_need_a_choice(job, idle):
    second = cam("Job").Create("Job", [job.Document.Part])
    idle()
    Gui.Selection.clearSelection()
    for name in NAMES:
        assert is_grey(name)
        assert "select one of them" in tool_tip(name)
    Gui.Selection.addSelection(second)
    for name in NAMES:
        is_grey(name)  # asks again
        assert "select one of them" not in tool_tip(name)
