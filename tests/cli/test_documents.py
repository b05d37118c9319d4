# SPDX-License-Identifier: LGPL-2.1-or-later
"""Documents through the FreeCAD child, with the FreeCAD of this machine."""

import hashlib
import json
import os
import shutil
import stat

import pytest

from calling import ROOT, camtwin, here, one_sentence
from freecad_camtwin.cli.freecad import FreeCAD
from freecad_camtwin.twin.feeds.proof import compare
from freecad_camtwin.twin.job.program import read_program

CUT = ("--material=6061", "--machine=hobby_mill", "--tool=reach=20", "--cell=0.2")
LIMITS = "--limit=h-ex-max=0.03,deflection=0.05"


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def optimized(native):
    """That document with better feeds, posted before and after."""
    folder = native.parent
    before = here("post", native, "--post=linuxcnc", "-o", folder / "before.ngc")
    assert before.code == 0, before.err
    called = here(
        "optimize", native, *CUT, LIMITS, "-o", folder / "mended.FCStd", "--post=linuxcnc", "--gcode",
        folder / "after.ngc", "--plan", folder / "plan.json", "--html", folder / "report.html",
    )  # fmt: skip
    assert called.code == 0, called.err
    return folder, called


def test_a_real_document_is_analysed_as_it_lies(panel, tmp_path):
    """The panel's author milled 13.00 m in its large pocket; FreeCAD 0.21 stored 17,821 commands for it."""
    before = digest(panel), panel.stat().st_mtime_ns
    called = here("analyze", panel, "--cell=0.3", f"--json={tmp_path}/a.json")
    assert called.code == 0, called.err
    said = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert (digest(panel), panel.stat().st_mtime_ns) == before
    assert sorted(path.name for path in panel.parent.iterdir() if path.name.startswith("lathe")) == [
        "lathe_els_panel.FCStd",
        "lathe_els_panel.LICENSE",
    ]
    assert said["input"]["sha256"] == before[0]
    assert said["input"]["freecad_version"]
    assert said["job"] == "CAM_panel"
    assert len(said["operations"]) == 11
    pocket = next(each for each in said["operations"] if each["label"] == "adaptive_screen_large_pocket")
    assert pocket["cutting_length"] == pytest.approx(13000.3, abs=0.1)
    assert pocket["peak"]["power"] is None
    assert "material" in pocket["unknown"]
    assert said["stock_volume"] == pytest.approx(113 * 79 * 2, rel=0.01)
    assert any("CAM_coverglass" in sentence for sentence in said["warnings"])


def test_a_job_is_chosen_by_its_label(panel):
    called = here("analyze", panel, "--job=CAM_coverglass", "--cell=0.3", "--json=-")
    assert json.loads(called.out)["job"] == "CAM_coverglass"
    assert "nonsense" in one_sentence(here("analyze", panel, "--job=nonsense"))


def test_a_document_without_a_job(tmp_path):
    source = tmp_path / "holes.FCStd"
    shutil.copy(ROOT / "tests" / "data" / "fcstd" / "test_holes00.fcstd", source)
    assert "no CAM job" in one_sentence(here("analyze", source))


def test_mended_feeds_keep_the_geometry_and_the_limits(optimized):
    folder, called = optimized
    found = compare(read_program(folder / "before.ngc").toolpath, read_program(folder / "after.ngc").toolpath)
    assert found.same_geometry
    assert found.deviation == 0
    assert found.differences == ()
    assert found.feed_changes > 0
    again = here("analyze", folder / "mended.FCStd", *CUT, LIMITS, "--json=-")
    said = json.loads(again.out)
    bound = json.loads((folder / "plan.json").read_text(encoding="utf-8"))["operations"]
    for operation, planned in zip(said["operations"], bound, strict=True):
        assert planned["bindings"] or operation["worst_ratio"] <= 1.02
    assert "stretches" in called.out
    assert "before and after" in (folder / "report.html").read_text(encoding="utf-8")


def test_the_input_of_optimize_stays_as_it_is(native, optimized):
    assert digest(native) != digest(optimized[0] / "mended.FCStd")
    again = here("post", native, "--post=linuxcnc", "-o", "-")
    assert again.code == 0
    assert _without_clock(again.out) == _without_clock((native.parent / "before.ngc").read_text(encoding="utf-8"))


def test_clear_leaves_no_trace_in_what_is_posted(optimized):
    folder, _ = optimized
    called = here("clear", folder / "mended.FCStd", "-o", folder / "cleared.FCStd")
    assert called.code == 0, called.err
    posted = here("post", folder / "cleared.FCStd", "--post=linuxcnc", "-o", "-")
    assert _without_clock(posted.out) == _without_clock((folder / "before.ngc").read_text(encoding="utf-8"))


def _without_clock(program):
    return [line for line in program.splitlines() if "Output Time" not in line and "Document:" not in line]


def test_attached_settings_need_not_be_said_again(native):
    twin = native.with_name("twin.FCStd")
    called = here("attach", native, "-o", twin, "--material=6061", "--machine=hobby_mill")
    assert called.code == 0, called.err
    said = json.loads(here("analyze", twin, "--cell=0.3", "--json=-").out)
    assert (said["material"], said["machine"]) == ("6061", "Hobby mill")
    assert said["time"] > 0


def test_a_document_that_saving_would_ruin_gets_its_program_mended_alone(tmp_path):
    """0.20 and 1.x cannot restore each other's operations, so one of these two is foreign to every FreeCAD."""
    foreign = "front_panel.FCStd" if FreeCAD.find().version() < "0.21" else "boxtest_020.fcstd"
    source = tmp_path / foreign
    shutil.copy(ROOT / "tests" / "data" / "fcstd" / foreign, source)
    before = digest(source)
    called = here("optimize", source, *CUT, "--spindle-rpm=4000", "-o", tmp_path / "mended.FCStd")
    assert called.code == 0, called.err
    assert digest(source) == before
    assert "To write the feeds into the document, use" in called.out
    assert not (tmp_path / "mended.FCStd").exists()
    assert read_program(tmp_path / "mended.ngc").toolpath.moves > 0


def test_cycle_time_of_a_document(native):
    called = here("cycle-time", native, "--machine=hobby_mill", "--json=-")
    said = json.loads(called.out)
    assert said["total"] == pytest.approx(sum(said["breakdown"].values()), rel=1e-3)
    assert said["total"] > said["time_at_feed"] > 0


def test_freecads_own_estimate_stands_beside_it_as_the_document_stores_it(panel):
    """FreeCAD 0.21 put 3 h 39 min on the large pocket, of which 2 h 25 min are length over feed."""
    said = json.loads(here("cycle-time", panel, "--machine=hobby_mill", "--json=-").out)
    times = {each["label"]: each for each in said["operations"]}
    pocket = times["adaptive_screen_large_pocket"]
    assert 3 * 3600 + 39 * 60 <= pocket["freecad_time"] < 3 * 3600 + 40 * 60
    assert pocket["time_at_feed"] == pytest.approx(2 * 3600 + 25.5 * 60, rel=0.01)
    assert times["spot_drill"]["freecad_time"] is None  # the document says "Cycletime Error"


def child(folder, name, script):
    """A program that stands for a FreeCAD in trouble."""
    path = folder / name
    path.write_text("#!/bin/sh\n" + script, encoding="ascii")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_failing_child_is_reported_with_its_last_line(tmp_path, panel):
    failing = child(tmp_path, "failing", "echo starting\necho 'the ceiling fell down'\nexit 7\n")
    sentence = one_sentence(here("analyze", panel, "--freecad", failing))
    assert "code 7" in sentence
    assert "the ceiling fell down" in sentence


def test_a_crashing_child_is_reported_with_its_signal(tmp_path, panel):
    crashing = child(tmp_path, "crashing", "echo 'before the end'\nkill -SEGV $$\n")
    sentence = one_sentence(here("analyze", panel, CAMTWIN_FREECAD=str(crashing)))
    assert "SIGSEGV" in sentence
    assert "before the end" in sentence


def test_a_hanging_child_is_ended(tmp_path, panel):
    hanging = child(tmp_path, "hanging", f"echo $$ > {tmp_path}/id\nexec sleep 60\n")
    sentence = one_sentence(here("analyze", panel, "--freecad", hanging, CAMTWIN_TIMEOUT="2"))
    assert "did not answer within 2 s" in sentence
    assert not os.path.exists(f"/proc/{(tmp_path / 'id').read_text(encoding='ascii').strip()}")


def test_a_freecad_that_is_not_there(panel):
    assert "--freecad" in one_sentence(here("analyze", panel, "--freecad=/nowhere/freecadcmd"))


def test_the_users_own_freecad_settings_are_untouched(native, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    called = camtwin("cycle-time", native, "--machine=hobby_mill", HOME=str(home))
    assert called.code == 0, called.err
    assert [path.name for path in home.rglob("*") if "freecad" in path.name.lower()] == []
