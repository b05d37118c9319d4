# SPDX-License-Identifier: LGPL-2.1-or-later
"""The twin of a job, and how it and the feeds get through files, versions and absences of the addon."""

import zipfile

import FreeCAD as App
import pytest

import freecad_camtwin as camtwin
from freecad_camtwin.document import observer, structure, twin_object
from freecad_camtwin.document.commands import commands_of
from freecad_camtwin.document.dressup import APPLIED, FeedDressup
from freecad_camtwin.document.job import read_stored
from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.job.job import Limits
from freecad_jobs import build_job, plan_for


def test_a_twin_keeps_what_is_noted_on_it(job, reopened):
    twin = camtwin.attach(job, material="6061", machine="vmc", objective="programmed")
    uuid = twin.TwinUUID
    again = structure.twin(reopened(job))
    assert (again.Material, again.Machine, again.Objective) == ("6061", "vmc", "programmed")
    assert read_stored(structure.find_job(again.Document)).objective == "programmed"
    assert again.TwinUUID == uuid
    assert isinstance(again.Proxy, twin_object.TwinObject)


def test_a_job_has_one_twin(job):
    first = camtwin.attach(job, material="6061")
    second = camtwin.attach(job, machine="vmc")
    assert first == second
    assert (second.Material, second.Machine) == ("6061", "vmc")


def test_each_job_has_its_own_twin(document):
    jobs = [build_job(document), build_job(document)]
    camtwin.attach(jobs[0], material="6061")
    camtwin.attach(jobs[1], material="C45")
    assert [structure.twin(job).Material for job in jobs] == ["6061", "C45"]
    camtwin.clear(jobs[0])
    assert structure.twin(jobs[0]) is None
    assert structure.twin(jobs[1]).Material == "C45"


def test_operations_have_an_identity_that_survives_renaming_and_dressing(job, reopened):
    camtwin.attach(job)
    uuid = read_stored(job).operations[0].operation.uuid
    assert uuid
    camtwin.apply(job, plan_for(job, 0.5))
    structure.root(structure.operations(job)[0]).Label = "renamed"
    operation = read_stored(reopened(job)).operations[0].operation
    assert operation.uuid == uuid


def test_limits_of_an_operation_are_read_and_0_is_none(job, reopened):
    camtwin.attach(job)
    root = structure.operations(job)[0]
    assert read_stored(job).operations[0].operation.limits == Limits()
    root.CamTwinForce, root.CamTwinFeedMax = 250.0, 20.0
    assert read_stored(reopened(job)).operations[0].operation.limits == Limits(force=250.0, feed_max=20.0)


def test_notes_on_an_operation_do_not_recompute_it(job):
    camtwin.attach(job)
    root = structure.operations(job)[0]
    root.CamTwinForce = 250.0
    assert "Touched" not in root.State


def test_a_word_that_is_no_objective_is_refused(job):
    with pytest.raises(InputError, match="'speed' is not an objective; choose one of auto, limits, programmed"):
        camtwin.attach(job, objective="speed")
    assert structure.twin(job) is None


def test_clear_can_keep_the_twin(job):
    camtwin.attach(job, material="6061")
    camtwin.apply(job, plan_for(job, 0.5))
    camtwin.clear(job, keep_twin=True)
    assert structure.twin(job).Material == "6061"
    assert structure.feed_dressup(structure.operations(job)[0]) is None


def test_deleting_the_job_leaves_a_twin_that_does_no_harm(job):
    twin = camtwin.attach(job)
    document = job.Document
    document.removeObject(job.Name)
    document.recompute()
    assert twin.Job is None
    assert twin.isValid()


@pytest.fixture
def saved_without_the_addon(job, tmp_path):
    """A document with twin and feeds, as a FreeCAD without the addon would have saved it: without our proxies."""
    camtwin.attach(job, material="6061")
    camtwin.apply(job, plan_for(job, 0.5))
    whole, path = tmp_path / "whole.FCStd", tmp_path / "without.FCStd"
    job.Document.saveCopy(str(whole))
    App.closeDocument(job.Document.Name)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "Document.xml":
                lines = content.decode().splitlines(keepends=True)
                content = "".join(
                    "<Python/>\n" if 'module="freecad_camtwin' in line else line for line in lines
                ).encode()
            new.writestr(name, content)
    return path


def test_proxies_that_were_lost_are_healed_when_the_document_becomes_active(saved_without_the_addon):
    observer.install()
    document = App.openDocument(str(saved_without_the_addon))
    job = structure.find_job(document)
    dressup = structure.operations(job)[0]
    assert isinstance(dressup.Proxy, FeedDressup)
    assert isinstance(structure.twin(job).Proxy, twin_object.TwinObject)
    document.recompute()
    assert dressup.Status == APPLIED


def test_feeds_of_a_base_that_was_edited_without_the_addon_are_not_posted(saved_without_the_addon):
    observer.install()
    document = App.openDocument(str(saved_without_the_addon))
    job = structure.find_job(document)
    dressup = structure.operations(job)[0]
    dressup.Proxy = None  # no addon: FreeCAD makes the base's path anew, and leaves ours as it was
    structure.controller(dressup).HorizFeed = "120 mm/min"
    document.recompute()
    stale = commands_of(dressup)
    assert stale != commands_of(structure.planned(dressup))
    observer.heal(document)
    camtwin.post(job, "linuxcnc")
    assert commands_of(dressup) == commands_of(structure.planned(dressup))


def test_properties_that_an_older_addon_did_not_have_are_added(job, tmp_path):
    twin = camtwin.attach(job)
    twin.removeProperty("Objective")
    path = tmp_path / "old.FCStd"
    job.Document.saveCopy(str(path))
    again = structure.twin(structure.find_job(App.openDocument(str(path))))
    assert again.Objective == "auto"


def test_an_objective_of_version_0_1_which_no_plan_obeyed_becomes_auto(job, tmp_path):
    twin = camtwin.attach(job, material="6061")
    twin.Objective = ["Shortest time", "Even load", "Least tool wear"]
    twin.Objective = "Even load"
    path = tmp_path / "old.FCStd"
    job.Document.saveCopy(str(path))
    again = structure.find_job(App.openDocument(str(path)))
    twin = structure.twin(again)
    assert (twin.Objective, twin.Material) == ("auto", "6061")
    twin.Objective = "limits"
    assert read_stored(again).objective == "limits"
