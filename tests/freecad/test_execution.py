# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a machine did, kept with the document: under the twin, beside the file, and never for another path."""

import zipfile
from xml.etree import ElementTree

import FreeCAD as App
import pytest

import freecad_camtwin as camtwin
from freecad_camtwin.document import child, execution, observer, structure
from freecad_camtwin.document.commands import stored_hash
from freecad_camtwin.document.execution import ExecutionObject
from freecad_camtwin.errors import DocumentError, InputError
from freecad_jobs import plan_for


def summary_of(job, **said):
    """What ``twin.execution_summary`` would say of a run along the job as it is."""
    known = {
        "Label": "Run 2026-11-24 02:13:00",
        "RunName": "5c1c",
        "Source": "monday.run",
        "Started": "2026-11-24T02:13:00Z",
        "Machine": "VMC 3, hall 2",
        "Operator": "Ö. Ünal",
        "Program": "part.ngc",
        "Simulated": True,
        "KPI": {"cycle time [s]": "266.8", "power over predicted [%]": "128"},
        "Operations": {"1 Profile": "4 min 27 s, 99.9 % seen"},
        "Notes": "",
        "ToolpathHash": "a" * 64,
        "PathHashes": {top.Name: stored_hash(top) for top in structure.operations(job)},
        "Sidecar": "part.camtwin/execution-0123456789abcdef.json",
        "SidecarHash": "b" * 64,
    }
    return known | said


@pytest.fixture
def twin(job):
    return camtwin.attach(job, material="6061")


def test_an_execution_lies_under_the_twin_and_comes_back(job, twin, reopened):
    told = summary_of(job)
    states = {obj.Name: obj.State for obj in job.Document.Objects}
    obj = execution.add(job, told)
    assert {each.Name: each.State for each in job.Document.Objects if each != obj} == states  # nothing was recomputed
    assert "Touched" not in obj.State
    again = structure.executions(structure.twin(reopened(job)))
    assert len(again) == 1
    assert isinstance(again[0].Proxy, ExecutionObject)
    for name, value in told.items():
        kept = getattr(again[0], name)
        assert (dict(kept) if isinstance(value, dict) else kept) == value


def test_runs_keep_their_order_and_one_that_is_deleted_is_gone(job, twin):
    made = [execution.add(job, summary_of(job, SidecarHash=str(number))) for number in range(3)]
    assert structure.executions(twin) == made
    job.Document.removeObject(made[1].Name)
    assert structure.executions(twin) == [made[0], made[2]]


def test_clear_leaves_no_trace(job, twin):
    before = {obj.Name for obj in job.Document.Objects} - {twin.Name}
    execution.add(job, summary_of(job))
    camtwin.clear(job)
    assert {obj.Name for obj in job.Document.Objects} == before


def test_proxies_that_were_lost_are_healed(job, twin):
    obj = execution.add(job, summary_of(job))
    obj.Proxy = None
    obj.removeProperty("Notes")
    assert observer.heal(job.Document) == 1
    assert isinstance(obj.Proxy, ExecutionObject)
    assert obj.Notes == ""


def test_a_job_without_a_twin_is_refused(job):
    with pytest.raises(DocumentError, match="has no twin to store the run in; attach one first"):
        execution.add(job, summary_of(job))


def test_a_run_along_another_path_is_refused(job, twin):
    told = summary_of(job)
    camtwin.apply(job, plan_for(job, 0.5))  # the feeds are others now, so another job ran
    with pytest.raises(DocumentError, match="which is missing or switched off in job 'Job'"):
        execution.add(job, told)
    camtwin.clear(job, keep_twin=True)
    execution.check_execution(job, told)
    name = structure.operations(job)[0].Name
    with pytest.raises(DocumentError, match=r"operation 'Profile' has changed since the run: monday\.run is a run of"):
        execution.add(job, summary_of(job, PathHashes={name: "0" * 64}))
    with pytest.raises(DocumentError, match="was compared with a program, not with this document"):
        execution.add(job, summary_of(job, PathHashes={}))
    assert structure.executions(twin) == []


def test_an_operation_that_did_not_run_is_named(whole_job):
    camtwin.attach(whole_job)
    ran = summary_of(whole_job)["PathHashes"]
    ran.pop(structure.operations(whole_job)[1].Name)
    with pytest.raises(DocumentError, match="operation 'Pocket' did not run"):
        execution.add(whole_job, summary_of(whole_job, PathHashes=ran))


def test_a_run_is_kept_once(job, twin):
    execution.add(job, summary_of(job))
    with pytest.raises(DocumentError, match=r"monday\.run is in the document already"):
        execution.add(job, summary_of(job))


@pytest.fixture
def kept(job, twin, tmp_path):
    """The file of a document with a twin, and what a run along it says."""
    path = tmp_path / "part.FCStd"
    told = summary_of(job)
    job.Document.saveCopy(str(path))
    App.closeDocument(job.Document.Name)
    return path, told


def _parts(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def _data(parts):
    root = ElementTree.fromstring(parts["Document.xml"])
    return {item.get("name"): ElementTree.canonicalize(ElementTree.tostring(item)) for item in root.find("ObjectData")}


def test_the_child_puts_it_into_the_file_and_nothing_else_changes(kept, tmp_path, capfd):
    path, told = kept
    out = tmp_path / "out.FCStd"
    answer = child.answer({"action": "import", "document": str(path), "output": str(out), "executions": [told]})
    assert answer.get("saved"), answer
    capfd.readouterr()
    old, new = _parts(path), _parts(out)
    assert {name for name in old if name != "Document.xml" and new[name] != old[name]} == set()
    before, after = _data(old), _data(new)
    assert set(after) - set(before) == {"CamTwinExecution"}
    assert {name for name in before if before[name] != after[name]} == {"CamTwin"}
    again = child.answer(
        {"action": "import", "document": str(out), "output": str(tmp_path / "2"), "executions": [told]}
    )
    assert "is in the document already" in again["error"]
    assert not (tmp_path / "2").exists()
    other = told | {"SidecarHash": "c" * 64}
    answer = child.answer(
        {"action": "import", "document": str(out), "output": str(tmp_path / "3.FCStd"), "executions": [other]}
    )
    assert answer["sidecars"] == [told["Sidecar"]]
    capfd.readouterr()


def test_figures_lie_beside_the_document(job, twin, tmp_path):
    obj = execution.add(job, summary_of(job))
    with pytest.raises(DocumentError, match=r"was never saved; the values of .* are stored beside its file"):
        execution.sidecar(_Never(obj))
    assert execution.sidecar(obj).parts[-2:] == ("part.camtwin", "execution-0123456789abcdef.json")
    for name in ("../secret.json", "a/../../b.json", "/etc/x.json", "plain.json"):
        obj.Sidecar = name
        with pytest.raises(DocumentError, match="is not in a folder beside the document"):
            execution.sidecar(obj)


class _Never:
    """An object of a document that was never saved."""

    def __init__(self, obj):
        self._obj = obj
        self.Document = type("Document", (), {"FileName": "", "Label": "new"})

    def __getattr__(self, name):
        return getattr(self._obj, name)


def test_a_recording_is_imported_with_the_figures_of_every_move(job, twin, tmp_path):
    pytest.importorskip("numba")
    pytest.importorskip("msgspec")
    import numpy as np

    from follow import follow
    from freecad_camtwin.document.job import read_job
    from freecad_camtwin.twin.package.package import make_package

    job.Document.saveAs(str(tmp_path / "part.FCStd"))
    package = make_package(camtwin.analyze(job, material="6061", cell=1.0))
    run = follow(tmp_path / "monday.run", package)
    (obj,) = camtwin.import_run(job, run, package)
    assert obj.Simulated
    assert obj.Label == "Run 2023-11-14 22:13:20 (simulated)"
    assert float(obj.KPI["seen [%]"]) > 95
    found = camtwin.load_run(obj)
    assert len(found.moves["time"]) == read_job(job).toolpath.moves
    assert np.nansum(found.moves["time"]) == pytest.approx(package.time.sum(), rel=0.02)
    with pytest.raises(DocumentError, match="is in the document already"):
        camtwin.import_run(job, run, package)
    for file in (tmp_path / "part.camtwin").iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"is missing: an execution lies beside its document"):
        execution.load_kept_execution(obj)


def test_a_document_that_was_never_saved_is_told_so():
    job = type("Job", (), {"Document": App.newDocument("unsaved")})
    with pytest.raises(DocumentError, match=r"save document 'unsaved.*' first"):
        camtwin.import_run(job, "monday.run")
