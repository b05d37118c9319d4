# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the child process answers."""

import hashlib
import json
import re
import zipfile
from xml.etree import ElementTree

import FreeCAD as App
import pytest

from freecad_camtwin.document import child, requests, stored, structure
from freecad_camtwin.twin.job.job_file import load_job
from freecad_jobs import VERSION, alike, plan_for

PANEL = "lathe_els_panel.FCStd"


@pytest.fixture
def native(whole_job, tmp_path):
    """A document made by this FreeCAD, and a plan for it."""
    path, plan = tmp_path / "native.FCStd", tmp_path / "plan.json"
    whole_job.Document.saveCopy(str(path))
    plan.write_text(plan_for(whole_job, 0.5).to_json())
    App.closeDocument(whole_job.Document.Name)
    return path, plan


@pytest.fixture
def ask(tmp_path, capfd):
    """Asks as the command line does; what FreeCAD prints of lost proxies is expected."""

    def carry_out(action, **request):
        before = _state(request.get("document"))
        answer = child.answer({"action": action} | {name: str(value) for name, value in request.items()})
        assert _state(request.get("document")) == before
        assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".camtwin")]
        assert App.listDocuments() == {}
        capfd.readouterr()
        return answer

    return carry_out


def _state(path):
    """Bytes of a document, and what lies beside it under its name."""
    if path is None or not path.is_file():
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest(), sorted(
        other.name for other in path.parent.glob(path.name + "?*")
    )


def test_read_hands_over_every_job(ask, copied, tmp_path):
    pytest.importorskip("numba")
    answer = ask("read", document=copied(PANEL), output=tmp_path / "job.npz")
    assert [entry["label"] for entry in answer["jobs"]] == ["CAM_panel", "CAM_coverglass"]
    first, second = (load_job(entry["file"]) for entry in answer["jobs"])
    assert (len(first.operations), len(second.operations)) == (11, 3)
    assert first.source.endswith(PANEL)
    assert answer["wrote"] == "0.21"
    assert answer["can_be_saved"] == (VERSION >= (0, 21))


def test_apply_saves_and_posts(ask, native, tmp_path):
    document, plan = native
    output, gcode = tmp_path / "mended.FCStd", tmp_path / "mended.ngc"
    answer = ask("apply", document=document, plan=plan, output=output, post="linuxcnc", gcode=gcode)
    assert answer["saved"]
    assert "F600.000" in gcode.read_text()
    again = ask("post", document=output, post="linuxcnc", gcode=tmp_path / "again.ngc")
    assert again["can_be_saved"]
    assert alike((tmp_path / "again.ngc").read_text(), gcode.read_text())


def test_clear_gives_the_first_program_back(ask, native, tmp_path):
    document, plan = native
    ask("post", document=document, post="linuxcnc", gcode=tmp_path / "before.ngc")
    ask("attach", document=document, output=tmp_path / "twin.FCStd", material="6061")
    ask("apply", document=tmp_path / "twin.FCStd", plan=plan, output=tmp_path / "mended.FCStd")
    answer = ask(
        "clear", document=tmp_path / "mended.FCStd", output=tmp_path / "cleared.FCStd", post="linuxcnc",
        gcode=tmp_path / "after.ngc",
    )  # fmt: skip
    assert answer["removed"] == 4
    assert alike((tmp_path / "after.ngc").read_text(), (tmp_path / "before.ngc").read_text())
    with zipfile.ZipFile(tmp_path / "cleared.FCStd") as archive:
        assert b"CamTwin" not in archive.read("Document.xml")


def test_a_document_of_another_version_is_mended_as_a_program_only(ask, copied, tmp_path):
    # 0.21 wrote the panel: 0.20 cannot restore its proxies. 0.20 wrote the box: later versions cannot.
    name, label = (PANEL, "CAM_coverglass") if VERSION < (0, 21) else ("boxtest_020.fcstd", "Job001")
    path = copied(name)
    opened = App.openDocument(str(path))
    plan = tmp_path / "plan.json"
    plan.write_text(plan_for(structure.find_job(opened, label), 0.5).to_json())
    App.closeDocument(opened.Name)
    output, gcode = tmp_path / "mended.FCStd", tmp_path / "mended.ngc"
    words = {"document": path, "job": label, "plan": plan, "output": output, "post": "linuxcnc"}
    answer = ask("apply", **words, gcode=gcode)
    assert not answer["saved"]
    assert answer["mends_with"] == ("FreeCAD 0.21 or newer" if VERSION < (0, 21) else "FreeCAD 0.20")
    assert not output.exists()
    ask("post", document=path, job=label, post="linuxcnc", gcode=tmp_path / "before.ngc")
    assert not alike(gcode.read_text(), (tmp_path / "before.ngc").read_text())
    refused = ask("apply", **words)
    assert "would damage it" in refused["error"]


def _old_document(copied):
    """A document with looks, saved by an older version that this FreeCAD can mend, and one of its jobs."""
    return (copied("boxtest_020.fcstd"), "Job001") if VERSION < (0, 21) else (copied("front_panel.FCStd"), "FrontPanel")


def _plan_for_file(path, job, plan):
    opened = App.openDocument(str(path))
    plan.write_text(plan_for(structure.find_job(opened, job), 0.5).to_json())
    App.closeDocument(opened.Name)


def _parts(path):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def _data(parts):
    """The data of every object in a Document.xml, as canonical text."""
    root = ElementTree.fromstring(parts["Document.xml"])
    return {
        item.get("name"): ElementTree.canonicalize(ElementTree.tostring(item), strip_text=True)
        for item in root.find("ObjectData")
    }


def test_a_mended_document_is_the_authors_but_for_what_is_ours(ask, copied, tmp_path):
    # Looks, other objects and the version that the file names stay; FreeCAD without windows would change all three.
    (source, job), output, plan = _old_document(copied), tmp_path / "mended.FCStd", tmp_path / "plan.json"
    _plan_for_file(source, job, plan)
    ask("apply", document=source, job=job, plan=plan, output=output)
    old, new = _parts(source), _parts(output)
    changed = {name for name in old if name != "Document.xml" and new.get(name) != old[name]}
    assert changed == set()
    assert list(new)[: list(old).index("GuiDocument.xml")] == list(old)[: list(old).index("GuiDocument.xml")]
    before, after = _data(old), _data(new)
    added = set(after) - set(before)
    assert {name.rstrip("0123456789") for name in added} == {"CamTwinFeedDressup"}
    groups = {name for name in before if before[name] != after[name]}
    assert {name.rstrip("0123456789") for name in groups} == {"Operations"}
    assert stored.inspect(output).wrote == stored.inspect(source).wrote


def test_a_cleared_document_is_the_authors_again(ask, copied, tmp_path):
    (source, job), plan = _old_document(copied), tmp_path / "plan.json"
    _plan_for_file(source, job, plan)
    ask("attach", document=source, job=job, output=tmp_path / "twin.FCStd", material="6061")
    ask("apply", document=tmp_path / "twin.FCStd", job=job, plan=plan, output=tmp_path / "mended.FCStd")
    ask("clear", document=tmp_path / "mended.FCStd", job=job, output=tmp_path / "cleared.FCStd")
    old, new = _parts(source), _parts(tmp_path / "cleared.FCStd")
    assert list(new) == list(old)
    for name in old:
        if name.endswith(".xml"):
            one, other = (ElementTree.canonicalize(parts[name].decode(), strip_text=True) for parts in (old, new))
            assert one == other, name
        else:
            assert new[name] == old[name]


REFUSED = [
    ({"action": "post", "gcode": "x.ngc", "post": "no_such"}, "has no post processor 'no_such'"),
    ({"action": "read", "job": "no such"}, "has no job 'no such'"),
    ({"action": "apply", "plan": "{}", "output": "x.FCStd"}, "schema is None"),
    ({"action": "apply", "plan": "oops", "output": "x.FCStd"}, "is not JSON"),
    ({"action": "clear", "output": "no/such/folder/x.FCStd"}, "cannot be written: No such file or directory"),
    ({"action": "fly"}, "has no action 'fly'"),
]


@pytest.mark.parametrize(("request_", "sentence"), REFUSED)
def test_what_cannot_be_done_is_one_sentence(ask, native, tmp_path, request_, sentence):
    words = {"document": native[0], "output": "job.npz"} | request_
    if "plan" in words:
        (tmp_path / "odd.json").write_text(words["plan"])
        words["plan"] = tmp_path / "odd.json"
    for name in ("output", "gcode"):
        if name in words:
            words[name] = tmp_path / words[name]
    answer = ask(words.pop("action"), **words)
    assert sentence in answer["error"]
    assert "detail" not in answer
    assert answer["kind"].endswith("Error")
    assert not words["output"].exists()


def test_a_plan_for_another_state_of_the_document_is_refused(ask, native, tmp_path):
    document, plan = native
    data = json.loads(plan.read_text())
    data["operations"][0]["base_hash"] = "0" * 64
    plan.write_text(json.dumps(data))
    answer = ask("apply", document=document, plan=plan, output=tmp_path / "x.FCStd")
    assert "'Profile' has changed since its feeds were planned" in answer["error"]
    assert not (tmp_path / "x.FCStd").exists()


def test_the_input_is_never_the_output(ask, native):
    answer = ask("clear", document=native[0], output=native[0])
    assert "is the input itself" in answer["error"]


def test_a_read_only_target_is_kept(ask, native, tmp_path):
    target = tmp_path / "kept.FCStd"
    target.write_bytes(b"mine")
    target.chmod(0o444)
    assert "is read-only" in ask("clear", document=native[0], output=target)["error"]
    assert target.read_bytes() == b"mine"


def test_a_missing_document_is_one_sentence(ask, tmp_path):
    answer = ask("read", document=tmp_path / "nowhere.FCStd", output=tmp_path / "job.npz")
    assert re.fullmatch(r"there is no file .*nowhere.FCStd", answer["error"])


def test_what_nobody_foresaw_is_an_error_with_its_detail(ask, monkeypatch):
    def fail(_request):
        raise ZeroDivisionError("planted")

    monkeypatch.setitem(requests._ACTIONS, "doctor", fail)
    answer = ask("doctor")
    assert answer["error"] == "ZeroDivisionError: planted"
    assert "Traceback" in answer["detail"]


def test_the_doctor_tells_versions_packages_and_posts(ask):
    answer = ask("doctor")
    assert answer["freecad_version"].startswith(".".join(App.Version()[:2]))
    assert answer["packages"]["numpy"]
    assert {"linuxcnc", "grbl"} <= set(answer["posts"])
