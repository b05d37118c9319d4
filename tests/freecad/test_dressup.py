# SPDX-License-Identifier: LGPL-2.1-or-later
"""The feed dressup: planned feeds on top of an operation, and never more than was planned for."""

import re

import pytest

import freecad_camtwin as camtwin
from freecad_camtwin.document import structure
from freecad_camtwin.document.commands import commands_of
from freecad_camtwin.document.dressup import APPLIED
from freecad_camtwin.document.job import read_stored
from freecad_camtwin.errors import PlanError
from freecad_jobs import alike, cam, operation, plan_for


def feeds(program):
    """All F words of a program [mm/min]."""
    return [float(word) for word in re.findall(r"F(\d+(?:\.\d+)?)", program)]


def shape_of(document):
    """What there is in a document, and how it hangs together."""
    return {
        obj.Name: (obj.TypeId, sorted(obj.PropertiesList), [other.Name for other in obj.OutList])
        for obj in document.Objects
    }


def test_the_posted_program_has_the_planned_feeds_and_the_operation_keeps_its_own(job):
    own = commands_of(structure.operations(job)[0])
    before = feeds(camtwin.post(job, "linuxcnc"))
    (dressup,) = camtwin.apply(job, plan_for(job, 0.5))
    after = feeds(camtwin.post(job, "linuxcnc"))
    assert dressup.Status == APPLIED
    assert commands_of(structure.root(dressup)) == own
    assert max(before) == 1200
    assert {150, 600} <= set(after)


def test_the_base_is_posted_once_and_in_its_place(whole_job):
    labels = [top.Label for top in structure.operations(whole_job)]
    camtwin.apply(whole_job, plan_for(whole_job, 0.5))
    assert [structure.root(top).Label for top in structure.operations(whole_job)] == labels
    program = camtwin.post(whole_job, "linuxcnc")
    assert program.count("G83") == 4


def test_coolant_stays_on_under_a_feed_dressup(whole_job):
    def coolant(program):
        return re.findall(r"^M[789]\b", program, re.MULTILINE)

    before = coolant(camtwin.post(whole_job, "linuxcnc"))
    camtwin.apply(whole_job, plan_for(whole_job, 0.5))
    assert "M8" in before
    assert coolant(camtwin.post(whole_job, "linuxcnc")) == before


def test_an_operation_switched_off_after_planning_is_not_posted(job):
    camtwin.apply(job, plan_for(job, 0.5))
    dressup = structure.operations(job)[0]
    structure.root(dressup).Active = False
    job.Document.recompute()
    assert not dressup.Active
    assert not any(name in ("G1", "G2", "G3") for name, _ in commands_of(dressup))


def test_nothing_is_recomputed_but_the_dressup(whole_job):
    touched = []

    class Watch:
        def slotRecomputedObject(self, obj):  # noqa: N802
            touched.append(obj.Name)

    import FreeCAD

    watch = Watch()
    FreeCAD.addDocumentObserver(watch)
    try:
        camtwin.attach(whole_job)
        made = camtwin.apply(whole_job, plan_for(whole_job, 0.5))
        camtwin.post(whole_job, "linuxcnc")
    finally:
        FreeCAD.removeDocumentObserver(watch)
    assert set(touched) <= {obj.Name for obj in made}
    assert not [top.Name for top in structure.operations(whole_job) if "Touched" in structure.root(top).State]


@pytest.mark.parametrize("edit", ["feed of the controller", "step down", "spindle speed", "flutes", "path by hand"])
def test_a_base_edited_after_planning_never_posts_a_feed_above_its_own(job, edit, capfd):
    (dressup,) = camtwin.apply(job, plan_for(job, 3.0))
    base = structure.planned(dressup)
    controller = structure.controller(base)
    assert max(feeds(camtwin.post(job, "linuxcnc"))) > 1200
    if edit == "feed of the controller":
        controller.HorizFeed = "500 mm/min"
    elif edit == "step down":
        base.StepDown = 3.0
    elif edit == "spindle speed":
        controller.SpindleSpeed = 6000.0
    elif edit == "flutes":
        controller.Tool.Flutes = 1
    else:
        path = base.Path
        command = path.Commands[-1]
        path.addCommands(command)
        base.Path = path
    if edit == "path by hand":
        dressup.recompute()  # a recompute of all would make the operation's path anew
    else:
        job.Document.recompute()
    assert commands_of(dressup) == commands_of(base)
    own = max(parameters.get("F", 0.0) for name, parameters in commands_of(base) if name in ("G1", "G2", "G3")) * 60
    assert max(feeds(camtwin.post(job, "linuxcnc"))) <= own + 1e-6
    assert dressup.Status != APPLIED
    assert "NOT APPLIED" in dressup.Label
    assert "CAM Twin" in "".join(capfd.readouterr())


def test_a_path_changed_without_a_recompute_is_not_posted_at_planned_feeds(job):
    (dressup,) = camtwin.apply(job, plan_for(job, 3.0))
    base = structure.planned(dressup)
    commands = base.Path.Commands
    for command in commands:
        if command.F is not None:
            command.F = command.F / 2
    import Path

    base.Path = Path.Path(commands)
    assert max(feeds(camtwin.post(job, "linuxcnc"))) <= 600 + 1e-6


def test_a_dressup_of_freecads_own_laid_on_top_gets_the_operations_own_feeds(job):
    (dressup,) = camtwin.apply(job, plan_for(job, 0.5))
    ramp = job.Document.addObject("Path::FeaturePython", "RampEntryDressup")
    proxy = cam("RampEntry").ObjectDressup(ramp)
    ramp.Base = dressup
    job.Proxy.addOperation(ramp, dressup, True)
    proxy.setup(ramp)
    job.Document.recompute()
    assert commands_of(dressup) == commands_of(structure.planned(dressup))
    assert "on top" in dressup.Status
    assert camtwin.clear(job) == 1
    assert structure.below(ramp) == structure.root(ramp)


def test_a_plan_for_another_path_changes_nothing(job):
    plan = plan_for(job, 0.5)
    structure.operations(job)[0].StepDown = 3.0
    job.Document.recompute()
    before = shape_of(job.Document)
    with pytest.raises(PlanError, match="has changed since its feeds were planned"):
        camtwin.apply(job, plan)
    assert shape_of(job.Document) == before


def test_planning_again_renews_the_feeds_in_place(job):
    (first,) = camtwin.apply(job, plan_for(job, 0.5))
    (second,) = camtwin.apply(job, plan_for(job, 0.25))
    assert second == first
    assert structure.operations(job) == [first]
    assert 300 in feeds(camtwin.post(job, "linuxcnc"))


def test_clear_leaves_the_document_as_it_was(whole_job):
    document = whole_job.Document
    before, program = shape_of(document), camtwin.post(whole_job, "linuxcnc")
    order = [top.Name for top in structure.operations(whole_job)]
    camtwin.attach(whole_job, material="6061")
    camtwin.apply(whole_job, plan_for(whole_job, 0.5))
    assert camtwin.clear(whole_job) == 4
    assert shape_of(document) == before
    assert [top.Name for top in structure.operations(whole_job)] == order
    assert alike(camtwin.post(whole_job, "linuxcnc"), program)


def test_feeds_are_one_undo_step(job):
    document = job.Document
    document.UndoMode = 1
    before = shape_of(document)
    own = [top.Name for top in structure.operations(job)]
    camtwin.apply(job, plan_for(job, 0.5))
    steps = document.UndoCount
    document.undo()
    assert steps == 1
    assert shape_of(document) == before
    assert [top.Name for top in structure.operations(job)] == own
    document.redo()
    dressup = structure.operations(job)[0]
    document.recompute()
    assert dressup.Status == APPLIED


def test_clearing_can_be_undone(job):
    job.Document.UndoMode = 1
    camtwin.apply(job, plan_for(job, 0.5))
    job.Document.recompute()
    camtwin.clear(job)
    job.Document.undo()
    job.Document.recompute()
    assert structure.operations(job)[0].Status == APPLIED
    assert 600 in feeds(camtwin.post(job, "linuxcnc"))


def test_save_reopen_recompute_post_clear(whole_job, reopened):
    plan = plan_for(whole_job, 0.5)
    camtwin.apply(whole_job, plan)
    program = camtwin.post(whole_job, "linuxcnc")
    job = reopened(whole_job)
    assert not read_stored(job).warnings
    assert alike(camtwin.post(job, "linuxcnc"), program)
    job.Document.recompute()
    assert [top.Status for top in structure.operations(job)] == [APPLIED] * 4
    assert not read_stored(job).warnings
    assert feeds(camtwin.post(job, "linuxcnc")) == feeds(program)
    assert camtwin.clear(job) == 4
    assert not [obj.Name for obj in job.Document.Objects if "CamTwin" in obj.Name]


def test_an_adaptive_recomputed_from_scratch_is_planned_for_or_passed_through(whole_job):
    camtwin.apply(whole_job, plan_for(whole_job, 2.0))
    adaptive = whole_job.Document.getObject("Adaptive")
    adaptive.touch()
    whole_job.Document.recompute()
    dressup = next(top for top in structure.operations(whole_job) if structure.root(top) == adaptive)
    fastest = max(parameters.get("F", 0.0) for name, parameters in commands_of(dressup) if name == "G1")
    assert (fastest == pytest.approx(40.0)) == (dressup.Status == APPLIED)


def test_an_operation_added_later_stays_unplanned(job):
    camtwin.apply(job, plan_for(job, 0.5))
    operation("Profile", job, structure.controller(structure.operations(job)[0]), StepDown=10.0)
    job.Document.recompute()
    assert len(structure.operations(job)) == 2
    assert 1200 in feeds(camtwin.post(job, "linuxcnc"))
