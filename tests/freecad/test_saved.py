# SPDX-License-Identifier: LGPL-2.1-or-later
"""Documents that users saved with an earlier state of the addon, by each FreeCAD, in whichever FreeCAD this is.

FreeCAD opens documents of later versions, too. What it cannot restore of their CAM objects is lost, and such a
document is read and posted, and not changed. Our own objects come back whole in every case.
"""

import json
import re
import shutil

import FreeCAD as App
import pytest

import freecad_camtwin as camtwin
from freecad_camtwin.document import execution, observer, structure
from freecad_camtwin.document.commands import commands_of, same
from freecad_camtwin.document.dressup import APPLIED, FeedDressup
from freecad_camtwin.document.execution import ExecutionObject
from freecad_camtwin.document.job import read_job, read_stored
from freecad_camtwin.document.twin_object import TwinObject
from freecad_camtwin.errors import DocumentError
from freecad_camtwin.twin.feeds.plan import OBJECTIVES
from freecad_jobs import VERSION, alike
from saved_documents import DOCUMENTS, MAY_BE_DROPPED, commands, properties, version_of

pytest.importorskip("numba")  # a program is proven before it is posted

PROXIES = {structure.TWIN: TwinObject, structure.FEED_DRESSUP: FeedDressup, structure.EXECUTION: ExecutionObject}
NOT_NEWER = [name for name in DOCUMENTS if version_of(name) <= VERSION]
#: Whose CAM objects this FreeCAD has all the code of.
WHOLE = [name for name in NOT_NEWER if (version_of(name) < (0, 21)) == (VERSION < (0, 21))]


@pytest.fixture
def healed(monkeypatch):
    """How many proxies were healed because FreeCAD had not restored them, by document opened."""
    counts, heal = [], observer.heal
    monkeypatch.setattr(observer, "heal", lambda document: counts.append(heal(document)))
    return counts


@pytest.fixture
def opened(tmp_path, capfd):
    """Opens a copy of a saved document with the figures of its run, and returns its job.

    FreeCAD prints a traceback for every CAM object that it cannot restore: that is expected, and taken from the output.
    """

    def open_copy(name):
        folder = shutil.copytree(DOCUMENTS[name].parent, tmp_path / name)
        document = App.openDocument(str(folder / DOCUMENTS[name].name))
        if name not in WHOLE:
            capfd.readouterr()
        return structure.find_job(document)

    return open_copy


def ours(job, name):
    """Our objects, each with the kind that its file says."""
    saved = properties(DOCUMENTS[name])
    kinds = {internal: values["CamTwinKind"] for internal, values in saved.items() if "CamTwinKind" in values}
    assert set(kinds.values()) == set(PROXIES)
    return [(job.Document.getObject(internal), kind) for internal, kind in kinds.items()]


def dressups(job, name):
    return [obj for obj, kind in ours(job, name) if kind == structure.FEED_DRESSUP]


def assert_proxies(job, name):
    for obj, kind in ours(job, name):
        assert isinstance(obj.Proxy, PROXIES[kind])
        assert obj.isValid()


def assert_all_is_there(document, saved):
    """Every property of ours has the value that was saved, but for the objective, whose words are others now.

    What nothing reads any more has its value or is not there.
    """
    for name, values in saved.items():
        obj = document.getObject(name)
        is_twin = values.get("CamTwinKind") == structure.TWIN
        for key, value in values.items():
            if is_twin and (key == "Objective" or (key in MAY_BE_DROPPED and key not in obj.PropertiesList)):
                continue
            assert plain(getattr(obj, key)) == value, f"{name}.{key}"


def plain(value):
    """A property's value as the file has it."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if hasattr(value, "isDerivedFrom"):
        return value.Name
    return dict(value) if isinstance(value, dict) else value


@pytest.mark.parametrize("name", DOCUMENTS)
def test_freecad_restores_our_proxies(opened, healed, name):
    assert_proxies(opened(name), name)
    assert healed
    assert set(healed) == {0}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_property_is_as_it_was_saved(opened, name):
    saved = properties(DOCUMENTS[name])
    assert set(saved["CamTwin"]) >= MAY_BE_DROPPED
    assert_all_is_there(opened(name).Document, saved)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_objective_that_no_plan_obeyed_becomes_the_usual_one(opened, name):
    assert properties(DOCUMENTS[name])["CamTwin"]["Objective"] == "Even load"
    twin = structure.twin(opened(name))
    assert twin.Objective == OBJECTIVES[0]
    assert twin.getEnumerationsOfProperty("Objective") == list(OBJECTIVES)
    assert "Touched" not in twin.State


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_planned_feeds_are_in_the_path_and_in_the_program(opened, name):
    job = opened(name)
    path, own = commands(DOCUMENTS[name], "CamTwinFeedDressup"), commands(DOCUMENTS[name], "Profile")
    changed = [pair for pair in zip(path, own, strict=True) if pair[0] != pair[1]]
    assert changed
    assert {command for (command, _), _ in changed} == {"G2"}
    for obj in dressups(job, name):
        assert obj in structure.operations(job)
        assert same(commands_of(obj), commands(DOCUMENTS[name], obj.Name))
    program = camtwin.post(job, "linuxcnc")
    arcs = [line for line in program.splitlines() if re.search(r"\bG0?2\b", line)]
    for (_, words), _ in changed:
        assert any(f"F{60 * words['F']:.3f}" in arc and f"Z{words['Z']:.3f}" in arc for arc in arcs), words


@pytest.mark.parametrize("name", NOT_NEWER)
def test_a_recompute_keeps_the_feeds(opened, name):
    job = opened(name)
    for obj in job.Document.Objects:
        obj.touch()
    job.Document.recompute()
    assert_proxies(job, name)
    for obj in dressups(job, name):
        assert obj.Status == APPLIED
        assert same(commands_of(obj), commands(DOCUMENTS[name], obj.Name))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_run_is_read_and_is_one_along_this_path(opened, name):
    job = opened(name)
    obj = structure.executions(structure.twin(job))[0]
    run = camtwin.load_run(obj)
    path = read_job(job).toolpath
    assert len(run.moves["time"]) == path.moves
    assert run.about.toolpath_hash == obj.ToolpathHash
    stored = json.loads((DOCUMENTS[name].parent / obj.Sidecar).read_text(encoding="utf-8"))
    assert run.figures.cycle_time == stored["figures"]["cycle_time"]
    assert execution.job_of_execution(obj) == job
    execution.check_path(job, dict(obj.PathHashes), obj.Source)


@pytest.mark.parametrize("name", WHOLE)
def test_clear_takes_everything_of_ours_off(opened, name):
    job = opened(name)
    before = ours(job, name)
    assert camtwin.clear(job) == sum(kind == structure.FEED_DRESSUP for _, kind in before)
    assert [top.Name for top in structure.operations(job)] == ["Profile", "Pocket"]
    left = [obj.Name for obj in job.Document.Objects if any("CamTwin" in each for each in obj.PropertiesList)]
    assert left == []


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name not in WHOLE])
def test_a_document_whose_cam_objects_are_lost_is_not_changed(opened, name):
    job = opened(name)
    stored = read_stored(job)
    assert not stored.can_be_saved
    assert stored.mends_with
    if job.Proxy is None:
        with pytest.raises(DocumentError, match="was made by another FreeCAD version; only that version can change it"):
            camtwin.clear(job)


@pytest.mark.parametrize("name", WHOLE)
def test_saving_and_opening_again_keeps_all(opened, reopened, healed, name):
    job = opened(name)
    assert read_stored(job).can_be_saved
    before = camtwin.post(job, "linuxcnc")
    again = reopened(job)
    assert set(healed) == {0}
    assert_proxies(again, name)
    assert_all_is_there(again.Document, properties(DOCUMENTS[name]))
    assert alike(before, camtwin.post(again, "linuxcnc"))


def test_a_twin_without_what_nothing_reads_loses_nothing_else(opened, reopened):
    name = NOT_NEWER[-1]
    job = opened(name)
    for key in MAY_BE_DROPPED & set(structure.twin(job).PropertiesList):
        structure.twin(job).removeProperty(key)
    again = reopened(job)
    assert not MAY_BE_DROPPED & set(structure.twin(again).PropertiesList)
    assert_proxies(again, name)
    assert_all_is_there(again.Document, properties(DOCUMENTS[name]))
