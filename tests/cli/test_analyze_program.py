# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin analyze`` of a posted program, end to end."""

import hashlib
import json
import math
import re

import numpy as np
import pytest

from calling import PROGRAM, STOCK, TOOL, here

ARRAYS = {
    "move", "operation", "time", "x", "y", "z", "feed", "q", "ap", "ae", "phi_st", "phi_ex", "h_ex", "power", "torque",
    "force", "deflection",
}  # fmt: skip
OPERATION = {
    "label", "type", "tool", "moves", "cutting_length", "removed_volume", "time", "time_at_feed", "peak", "limits",
    "worst_ratio", "verdicts", "unknown",
}  # fmt: skip


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """One analysis with everything said and everything written."""
    folder = tmp_path_factory.mktemp("results")
    (folder / "slot.ngc").write_text(PROGRAM, encoding="ascii")
    called = here(
        "analyze", "slot.ngc", TOOL, STOCK, "--material=6061", "--machine=vmc", "--cell=0.1", "--json=a.json",
        "--steps=a.npz", "--html=a.html", "--png=a.png", cwd=folder,
    )  # fmt: skip
    assert called.code == 0, called.err
    return folder, called


def test_json_has_the_whole_schema(results):
    folder, _ = results
    said = json.loads((folder / "a.json").read_text(encoding="utf-8"))
    assert said["schema"] == "camtwin.analysis/1"
    assert said["input"]["path"] == "slot.ngc"
    assert said["input"]["sha256"] == hashlib.sha256((folder / "slot.ngc").read_bytes()).hexdigest()
    assert said["input"]["freecad_version"] is None
    assert set(said["toolpath"]) == {"hash", "moves", "cutting_length", "rapid_length"}
    (operation,) = said["operations"]
    assert set(operation) >= OPERATION
    assert set(operation["peak"]) == {"power", "torque", "force", "deflection", "h_ex"}
    assert operation["unknown"] == []
    assert all(value is not None for value in operation["peak"].values())


def test_volume_is_that_of_the_slots_cut(results):
    """A slot of 6 mm widened by 3, 2 deep over 50 mm; a ring of radii 5 and 11 and a straight, both 3 deep."""
    folder, _ = results
    said = json.loads((folder / "a.json").read_text(encoding="utf-8"))
    slot = 50 * 9 * 2
    # The straight from (30, 20) to (40, 20) leaves the ring, whose centre is 8 mm to the left: beyond radius 11
    # it adds a strip of 6 mm that ends in a half disc.
    beyond = 10 + 8 - 0.5 * (math.sqrt(11**2 - 3**2) + 11**2 / 3 * math.asin(3 / 11))
    ring = math.pi * (11**2 - 5**2) * 3 + (6 * beyond + math.pi * 9 / 2) * 3
    assert said["removed_volume"] == pytest.approx(slot + ring, rel=0.01)
    assert said["removed_volume"] == pytest.approx(sum(o["removed_volume"] for o in said["operations"]), rel=1e-9)
    assert said["stock_volume"] == pytest.approx(50 * 60 * 10, rel=1e-3)


def test_lengths_and_length_over_feed(results):
    folder, _ = results
    said = json.loads((folder / "a.json").read_text(encoding="utf-8"))
    fast, slow = 70 + 3 + 70 + math.tau * 8 + 10, 8
    assert said["toolpath"]["cutting_length"] == pytest.approx(fast + slow, abs=1e-6)
    (operation,) = said["operations"]
    assert operation["time_at_feed"] == pytest.approx(fast / 15 + slow / (200 / 60), abs=1e-6)
    assert operation["time"] > operation["time_at_feed"]


def test_steps_have_all_arrays_of_one_length_in_path_order(results):
    folder, _ = results
    with np.load(folder / "a.npz") as steps:
        assert set(steps.files) == ARRAYS
        assert {len(steps[name]) for name in ARRAYS} == {len(steps["move"])}
        assert (np.diff(steps["move"]) >= 0).all()
        assert (np.diff(steps["time"]) >= -1e-9).all()
        slot = (steps["y"] == 0) & (steps["x"] > 10) & (steps["x"] < 40) & (steps["z"] == -2)
        # Full slot, 2 deep, 15 mm/s: q = ap·ae·vf, the whole half turn is engaged, chips as thick as fz.
        assert steps["q"][slot].mean() == pytest.approx(2 * 6 * 15, rel=0.002)
        assert steps["q"][slot] == pytest.approx(2 * 6 * 15, rel=0.03)  # a cell is a sixtieth of the cutter
        assert steps["ap"][slot] == pytest.approx(2, rel=0.01)
        assert (steps["phi_ex"] - steps["phi_st"])[slot] == pytest.approx(math.pi, rel=0.03)
        assert steps["h_ex"][slot] == pytest.approx(900 / 8000 / 2, rel=0.01)


def test_peaks_in_the_json_are_those_of_the_steps(results):
    folder, _ = results
    (operation,) = json.loads((folder / "a.json").read_text(encoding="utf-8"))["operations"]
    with np.load(folder / "a.npz") as steps:
        for name, value in operation["peak"].items():
            assert value == pytest.approx(np.nanmax(steps[name]), rel=1e-6)


def test_the_report_needs_no_other_file(results):
    folder, _ = results
    page = (folder / "a.html").read_text(encoding="utf-8")
    # What an SVG says of its own vocabulary is a name, not a place to fetch from.
    page = re.sub(r'(xmlns[:\w]*|rdf:resource|rdf:about|xlink:href)="(http[^"]*|#[^"]*)"', "", page)
    page = re.sub(r"<metadata>.*?</metadata>", "", page, flags=re.DOTALL)
    for reference in ("http:", "https:", "<link", "<script src", "@import", "src='/", 'src="/', "file:"):
        assert reference not in page, reference
    assert (folder / "a.png").read_bytes().startswith(b"\x89PNG")


def test_sentences_come_first(results):
    _, called = results
    first = called.out.splitlines()[:4]
    assert [line.split(":")[0] for line in first] == ["Time", "Load", "Tool", "Safety"]


def test_the_same_input_gives_the_same_bytes(program):
    words = ("analyze", program, TOOL, STOCK, "--material=6061", "--cell=0.3", "--quiet")
    folder = program.parent
    for name in ("one", "two"):
        files = [f"--{kind}={folder}/{name}.{kind}" for kind in ("json", "html", "png")]
        threads = "--threads=1" if name == "one" else "--threads=2"
        called = here(*words, *files, f"--steps={folder}/{name}.npz", threads)
        assert (called.code, called.out, called.err) == (0, "", "")
    for suffix in ("json", "npz", "html", "png"):
        assert (folder / f"one.{suffix}").read_bytes() == (folder / f"two.{suffix}").read_bytes(), suffix


def test_what_is_not_said_is_unknown_and_named(program):
    called = here("analyze", program, "--tool=D=6,shape=flat", STOCK, "--cell=0.3", "--json=-")
    assert called.code == 0, called.err
    (operation,) = json.loads(called.out)["operations"]
    assert operation["peak"]["power"] is None
    assert {"material", "number of flutes"} <= set(operation["unknown"])
    assert operation["time"] is None
    assert operation["worst_ratio"] is None


def test_a_supplied_spindle_speed_is_told_and_never_overrides(program):
    silent = program.with_name("silent.ngc")
    silent.write_text(program.read_text(encoding="ascii").replace("S8000 M3\n", ""), encoding="ascii")
    words = (TOOL, STOCK, "--material=6061", "--cell=0.3", "--json=-")
    mute = json.loads(here("analyze", silent, *words).out)
    assert "spindle speed" in mute["operations"][0]["unknown"]
    told = json.loads(here("analyze", silent, *words, "--spindle-rpm=8000").out)
    said = json.loads(here("analyze", program, *words, "--spindle-rpm=5000").out)
    assert told["operations"][0]["peak"] == said["operations"][0]["peak"]
    assert any("8000" in sentence for sentence in told["supplied"])
    assert said["supplied"] == []
    assert told["toolpath"]["hash"] == mute["toolpath"]["hash"]


def test_a_limit_of_the_user_is_held_against_and_named_in_a_sentence(program):
    called = here("analyze", program, TOOL, STOCK, "--material=6061", "--cell=0.3", "--limit=power=20", "--json=-")
    (operation,) = json.loads(called.out)["operations"]
    assert operation["limits"]["power"] == 20
    assert operation["worst_ratio"] > 1
    assert any("of spindle power; limit 100 %" in sentence and "line" in sentence for sentence in operation["verdicts"])
