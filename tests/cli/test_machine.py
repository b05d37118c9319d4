# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin machine``, ``materials``, ``cycle-time`` and ``doctor``."""

import json

import msgspec
import numpy as np
import pytest

from calling import here, one_sentence
from freecad_camtwin.twin.cycle_time.motion import schedule
from freecad_camtwin.twin.job.program import read_program
from freecad_camtwin.twin.shop.machine import encode_machine, machine_names, read_machine


def test_every_shipped_profile_is_listed_and_reads_back_what_it_shows(tmp_path):
    listed = here("machine", "list").out
    for name in machine_names():
        assert name in listed
    shown = here("machine", "show", "vmc")
    (tmp_path / "again.toml").write_text(shown.out, encoding="utf-8")
    assert read_machine(tmp_path / "again.toml") == read_machine("vmc")


def test_a_profile_with_a_limit_missing_or_negative_is_named(tmp_path):
    whole = encode_machine(read_machine("grbl_router")).decode()
    line = next(each for each in whole.splitlines() if "velocity_mm_s" in each)
    (tmp_path / "less.toml").write_text(whole.replace(line + "\n", "", 1), encoding="utf-8")
    (tmp_path / "minus.toml").write_text(whole.replace(line, "velocity_mm_s = -5.0", 1), encoding="utf-8")
    for name in ("less", "minus"):
        assert "velocity_mm_s" in one_sentence(here("machine", "show", tmp_path / f"{name}.toml"))


def test_cycle_time_is_the_schedules_and_stands_beside_length_over_feed(program):
    said = json.loads(here("cycle-time", program, "--machine=grbl_router", "--json=-").out)
    timed = schedule(read_program(program).toolpath, read_machine("grbl_router"))
    assert said["total"] == pytest.approx(timed.total, abs=1e-6)
    assert said["total"] == pytest.approx(sum(said["breakdown"].values()), abs=1e-3)
    assert said["time_at_feed"] < said["total"]
    told = here("cycle-time", program, "--machine=grbl_router").out
    assert "length/feed" in told
    assert "acceleration" in told


def test_a_program_beyond_the_axes_is_refused_with_line_axis_and_span(program):
    program.write_text(program.read_text(encoding="ascii").replace("G1 X60 F900", "G1 X6000 F900"), encoding="ascii")
    sentence = one_sentence(here("cycle-time", program, "--machine=grbl_router"))
    assert "line " in sentence
    assert "axis X" in sentence
    assert "6010 mm" in sentence


def test_a_machine_is_identified_from_a_run_of_its_own(program, tmp_path):
    """A router with three quarters of the shipped acceleration in x and y is found by its time."""
    shipped = read_machine("grbl_router")
    slower = {
        name: msgspec.structs.replace(
            getattr(shipped.axes, name), acceleration=0.75 * getattr(shipped.axes, name).acceleration
        )
        for name in "xy"
    }
    real = msgspec.structs.replace(shipped, axes=msgspec.structs.replace(shipped.axes, **slower))
    lines = ["G21 G90", "G0 X0 Y0 Z5", "G0 Z-1"]
    random = np.random.default_rng(3)
    lines += [f"G1 X{x:.3f} Y{y:.3f} F3000" for x, y in random.random((120, 2)) * 40]
    program.write_text("\n".join([*lines, "M2", ""]), encoding="ascii")
    timed = schedule(read_program(program).toolpath, real)
    times = np.arange(timed.start[0], timed.total, 0.01)
    rows = [f"{t:.4f},{x:.5f},{y:.5f},{z:.5f}" for t, (x, y, z) in zip(times, timed.position(times), strict=True)]
    log = tmp_path / "log.csv"
    log.write_text("time_s,x_mm,y_mm,z_mm\n" + "\n".join(rows) + "\n", encoding="ascii")
    called = here("machine", "identify", log, program, "--guess=grbl_router", "-o", tmp_path / "mine.toml")
    assert called.code == 0, called.err
    assert "this run determines" in called.out
    found = schedule(read_program(program).toolpath, read_machine(tmp_path / "mine.toml")).total
    assert found == pytest.approx(timed.total, rel=0.01)


def test_a_log_of_another_program_is_refused(program, tmp_path):
    log = tmp_path / "log.csv"
    rows = [f"{0.1 * i},{500 + i},{300 - i},{0}" for i in range(50)]
    log.write_text("time_s,x_mm,y_mm,z_mm\n" + "\n".join(rows) + "\n", encoding="ascii")
    one_sentence(here("machine", "identify", log, program))


def test_materials_are_listed_with_law_doubt_and_source():
    listed = here("materials").out
    row = next(line for line in listed.splitlines() if line.startswith("6061 "))
    assert "±25 %" in row
    assert "doi" in row


def test_doctor_names_what_is_missing_and_how_to_get_it(tmp_path):
    whole = here("doctor")
    assert whole.code == 0
    assert "Everything is installed." in whole.out
    lacking = here("doctor", "--freecad=/nowhere/freecadcmd")
    assert lacking.code == 3
    row = next(line for line in lacking.out.splitlines() if line.startswith("MISSING"))
    assert "--freecad PATH" in row
    assert lacking.err == ""
