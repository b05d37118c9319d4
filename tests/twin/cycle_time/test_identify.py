# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine fitted to one real run predicts others, knows what it does not know, and refuses another program's log."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from controllers.timing import START, ZERO, motion_time, with_mode
from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.cycle_time.identify import Log, identify, read_log
from freecad_camtwin.twin.cycle_time.motion import schedule
from freecad_camtwin.twin.job.program import read_program
from freecad_camtwin.twin.shop.machine import read_machine

DATA = Path(__file__).parent.parent.parent / "data" / "cycle_times"
RECORDED = json.loads((DATA / "recorded.json").read_text())["seconds"]


def program(name, folder):
    return read_program(with_mode(DATA / f"{name}.ngc", "P0.01", folder), start=START, machine=ZERO)


def slow_guess(machine):
    slower = {
        name: replace(axis, velocity=axis.velocity * 0.8, acceleration=axis.acceleration * 0.4)
        for name, axis in (("x", machine.axes.x), ("y", machine.axes.y), ("z", machine.axes.z))
    }
    return replace(machine, axes=replace(machine.axes, **slower))


@pytest.mark.slow
def test_one_run_of_linuxcnc_predicts_three_others(tmp_path):
    log = read_log(DATA / "zigzag_P0.01.csv")
    found = identify(log, program("zigzag", tmp_path), slow_guess(read_machine("linuxcnc_sim")))
    truth = read_machine("linuxcnc_sim").axes
    for parameter in found.parameters[:2]:
        assert parameter.is_known
        assert parameter.lower <= truth.x.acceleration <= parameter.upper
    for name in ("straight", "arcs", "trochoid"):
        predicted = motion_time(schedule(program(name, tmp_path).toolpath, found.machine))
        assert predicted == pytest.approx(RECORDED[name]["P0.01"], rel=0.02)


@pytest.mark.slow
def test_what_a_run_does_not_tell_is_said(tmp_path):
    log = read_log(DATA / "zigzag_P0.01.csv")
    found = identify(log, program("zigzag", tmp_path), read_machine("linuxcnc_sim"))
    speeds = [parameter for parameter in found.parameters if "velocity" in parameter.name]
    assert not any(parameter.is_known for parameter in speeds[:2])  # its feed moves never reach the axes' speed
    assert "this run does not determine it" in str(speeds[0])
    assert "3 of 6 numbers" in found.statement


@pytest.mark.parametrize(("name", "within"), [("grbl_router", 0.02), ("vmc", 0.06)])
def test_a_made_up_run_predicts_another_program(name, within, tmp_path):
    """Bounded jerk is the harder case: jerk, acceleration and corner tolerance stand in for each other in one run."""
    truth = read_machine(name)
    job = program("zigzag", tmp_path)
    timed = schedule(job.toolpath, truth)
    times = np.arange(timed.start[0], timed.total, 0.01)
    found = identify(Log("made up", times, timed.position(times)), job, slow_guess(truth))
    other = program("trochoid", tmp_path).toolpath
    assert motion_time(schedule(other, found.machine)) == pytest.approx(motion_time(schedule(other, truth)), rel=within)


def test_without_scipy_the_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    truth = read_machine("grbl_router")
    job = program("zigzag", tmp_path)
    timed = schedule(job.toolpath, truth)
    times = np.arange(timed.start[0], timed.total, 0.01)
    with pytest.raises(InputError, match="pip install"):
        identify(Log("made up", times, timed.position(times)), job, truth)


def test_the_log_of_another_program_is_refused_in_one_sentence(tmp_path):
    log = read_log(DATA / "zigzag_P0.01.csv")
    with pytest.raises(InputError, match=r"is of another program: at .* s the machine is .* mm off the path"):
        identify(log, program("arcs", tmp_path), read_machine("linuxcnc_sim"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("time_s,x_mm,y_mm\n0,0,0\n", "has no column z_mm"),
        ("time_s,x_mm,y_mm,z_mm\n0,0,zero,0\n", "row 2 is not all numbers"),
        ("time_s,x_mm,y_mm,z_mm\n0,0,0,0\n", "has 1 rows"),
        ("time_s,x_mm,y_mm,z_mm\n" + "0,0,0,0\n" * 12, "time does not rise in row 3"),
        ("time_s,x_mm,y_mm,z_mm\n0," + "9" * 200_000 + ",0,0\n", "log.csv cannot be read: field larger"),
    ],
)
def test_a_bad_log_is_refused_in_a_sentence(text, sentence, tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=sentence):
        read_log(path)
