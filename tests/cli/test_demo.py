# SPDX-License-Identifier: LGPL-2.1-or-later
"""The demo that the README promises: every file it names, the same geometry, less time, within the limits."""

import json
import subprocess
import sys

from calling import ROOT, here, one_sentence
from freecad_camtwin.store.reader import RecordingReader
from freecad_camtwin.twin.feeds.proof import compare
from freecad_camtwin.twin.job.program import read_program

LEFT = {
    "panel.FCStd", "panel-mended.FCStd", "before.ngc", "after.ngc", "plan.json", "report.html", "toolpath.png",
}  # fmt: skip


def test_the_demo_goes_the_whole_way(tmp_path):
    ended = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py"), str(tmp_path / "demo")],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert {path.name for path in (tmp_path / "demo").iterdir()} >= LEFT
    found = compare(*(read_program(tmp_path / "demo" / name).toolpath for name in ("before.ngc", "after.ngc")))
    assert found.same_geometry
    assert found.deviation == 0
    assert found.differences == ()
    before, after = (json.loads((tmp_path / "demo" / name).read_text()) for name in ("before.json", "after.json"))
    assert after["time"] < 0.8 * before["time"]
    planned = json.loads((tmp_path / "demo" / "plan.json").read_text())["operations"]
    for operation, plan in zip(after["operations"], planned, strict=True):
        assert plan["bindings"] or operation["worst_ratio"] <= 1.02
    assert "worst load" in ended.stdout


def test_the_live_demo_ends_with_the_hidden_material_found(tmp_path):
    folder = tmp_path / "live"
    called = here("demo", "--live", "--on", "virtual", "-o", folder, "--seconds", "4")
    assert called.code == 0, called.out + called.err
    assert {path.name for path in folder.iterdir()} == {
        "panel.camtwin", "panel.ngc", "signals.toml", "run", "compare.html", "toolpath.png", "overlay.png",
    }  # fmt: skip
    assert "All measured values are simulated" in called.out
    with RecordingReader(folder / "run") as reader:
        assert reader.header.simulated
    again = here("compare", folder / "run", "--job", folder / "panel.camtwin", "--json", "-")
    (found,) = json.loads(again.out)["executions"]
    assert found["quality"]["seen"] > 0.98
    assert found["quality"]["method"] == "position and line"
    assert 1.12 < found["figures"]["loads"]["power"]["ratio"] < 1.22  # 1.15 hidden, and the tool's wear


def test_the_live_demo_leaves_a_folder_alone_that_holds_something(tmp_path):
    (tmp_path / "thesis.txt").write_text("irreplaceable")
    assert "is not empty" in one_sentence(here("demo", "--live", "-o", tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_linuxcnc_can_be_had_for_the_live_demo():
    asked = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "on_linuxcnc.py")], capture_output=True, text=True, check=False
    )
    assert (asked.returncode, asked.stdout) == (0, "")
