# SPDX-License-Identifier: LGPL-2.1-or-later
"""A plan in a program's text: read again, it is the planned path; every other byte is as it was."""

import random
import re
from dataclasses import replace

import numpy as np
import pytest

from freecad_camtwin.errors import CamTwinError, PlanError
from freecad_camtwin.twin.feeds.into_program import rewrite
from freecad_camtwin.twin.feeds.into_toolpath import planned_toolpath
from freecad_camtwin.twin.feeds.plan import Change, FeedPlan, OperationPlan
from freecad_camtwin.twin.job.program import read_program

MILLIMETRES = """%
(a pocket)
N10 G21 G90 G17 G94
N20 T1 M6
N30 S12000 M3
N40 G0 X0 Y0 Z5
N50 G1 Z-1 F100 (down)
N60 G1 X20 F600
N70 Y10
N80 G2 X30 Y20 I10 J0 ; a quarter
N90 G3 X30 Y20 I5 J0
N100 G1 X40 Y25 F900.
N110 G0 Z5
N120 G81 X5 Y5 Z-4 R2 F80
N130 X15
N140 G80
N150 G1 X0 Y0
N160 M30
%
"""
INCHES = """G20 G90 G17
G0 X0 Y0 Z0.2
G1 Z-0.05 F4
X1 F20
G2 X1.5 Y0.5 R0.5
G91
G1 X0.5 Y0.25
G3 X-0.5 Y0.5 I-0.5 J0
G90
G18 G2 X1 Z-0.3 R0.4
M2
"""
COMPACT = "G21G90\r\nG0X0Y0Z5\r\nG1Z-1F60\r\nX20F300\r\nY20\r\nX0M8\r\nM30\r\n"
CENTRES = "G21 G90 G90.1\nG0 X0 Y0 Z1\nG1 Z-1 F100\nG2 X10 Y10 I10 J0 F300\nG3 X20 Y20 I10 J20\nG1 X0\nM2\n"
INVERSE = "G21 G90\nG0 X0 Y0 Z1\nG93 G1 Z-1 F60\nG1 X20 F30\nG1 Y20 F15\nG94\nG1 X0 F500\nM2\n"
PROGRAMS = {
    "millimetres": MILLIMETRES,
    "inches": INCHES,
    "compact": COMPACT,
    "centres": CENTRES,
    "inverse": INVERSE,
}


def written(tmp_path, text):
    path = tmp_path / "program.ngc"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path, read_program(path)


def plan_of(job, changes):
    operations = tuple(
        OperationPlan(one.label, changes=tuple(change for owner, change in changes if owner == index))
        for index, one in enumerate(job.operations)
    )
    return FeedPlan(job.toolpath.hash, operations)


def change_on(job, line, start, end, feed):
    """A change of one line, feed in mm/min."""
    path = job.toolpath
    move = int(np.flatnonzero((path.line == line) & path.is_cutting)[0])
    return int(path.operation[move]), Change(-1, line, move, start, end, float(path.feed[move]), feed / 60, "corner")


def any_plan(job, chance, seed):
    """Changes on some lines: whole ones, and splits in four."""
    dice, path, changes, lines = random.Random(seed), job.toolpath, [], set()
    for move in np.flatnonzero(path.is_cutting & (path.feed > 0) & (path.operation >= 0)).tolist():
        line = int(path.line[move])
        if line in lines or dice.random() > chance:
            continue
        lines.add(line)
        whole = path.cycle[move] or dice.random() < 0.5
        for start, end in [(0.0, 1.0)] if whole else [(0.0, 0.3), (0.5, 0.75)]:
            feed = round(float(path.feed[move]) * 60 * dice.choice([0.5, 0.7, 1.3]), 1) or 1.0
            changes.append(change_on(job, line, start, end, feed))
    return plan_of(job, changes)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("seed", range(6))
def test_the_written_program_is_the_planned_path(tmp_path, name, seed):
    path, job = written(tmp_path, PROGRAMS[name])
    plan = any_plan(job, 0.8, seed)
    planned = planned_toolpath(job.toolpath, plan)
    _, again = written(tmp_path, rewrite(path.read_bytes(), job, plan))
    assert_same(again.toolpath, planned)


def assert_same(found, planned, tolerance=2e-4):
    """Same time at the same places; a line that cannot be split may take its slowest feed."""
    if found.moves == planned.moves:
        np.testing.assert_allclose(found.end, planned.end, atol=tolerance)
        np.testing.assert_allclose(found.feed, planned.feed, rtol=5e-4)
        np.testing.assert_allclose(found.sweep, planned.sweep, atol=1e-2)
    cuts = found.is_cutting
    assert found.length[cuts].sum() == pytest.approx(planned.length[planned.is_cutting].sum(), rel=1e-4, abs=1e-3)
    slower = (found.length[cuts] / found.feed[cuts]).sum()
    assert slower >= (planned.length / planned.feed)[planned.is_cutting].sum() * (1 - 1e-3)


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_empty_plan_changes_no_byte(tmp_path, name):
    path, job = written(tmp_path, PROGRAMS[name])
    assert rewrite(path.read_bytes(), job, plan_of(job, [])) == path.read_bytes()


def test_only_the_planned_lines_change_and_the_modal_feed_comes_back(tmp_path):
    path, job = written(tmp_path, MILLIMETRES)
    plan = plan_of(job, [change_on(job, 8, 0.0, 1.0, 450.0), change_on(job, 14, 0.0, 1.0, 50.0)])
    lines = rewrite(path.read_bytes(), job, plan).decode().splitlines()
    old = MILLIMETRES.splitlines()
    assert {i + 1: line for i, line in enumerate(lines) if line != old[i]} == {
        8: "N60 G1 X20 F450",
        9: "N70 Y10 F600",
        14: "N120 G81 X5 Y5 Z-4 R2 F50",
        15: "N130 X15 F80",
    }


def test_a_split_arc_keeps_its_centre(tmp_path):
    path, job = written(tmp_path, MILLIMETRES)
    plan = plan_of(job, [change_on(job, 10, 0.0, 0.5, 300.0)])
    lines = rewrite(path.read_bytes(), job, plan).decode().splitlines()
    assert lines[9] == "N80 G2 X22.9289 Y17.0711 I10 J0 F300 ; a quarter"
    assert lines[10] == "G2 X30 Y20 I7.0711 J-7.0711 F600"
    assert lines[11] == "N90 G3 X30 Y20 I5 J0"


def test_line_ends_and_style_are_the_programs_own(tmp_path):
    path, job = written(tmp_path, COMPACT)
    plan = plan_of(job, [change_on(job, 4, 0.5, 1.0, 200.0)])
    text = rewrite(path.read_bytes(), job, plan)
    assert text == COMPACT.replace("X20F300\r\n", "X10F300\r\nG1X20F200\r\n").replace("Y20", "Y20F300").encode()


def test_a_line_that_does_more_than_move_is_not_split(tmp_path):
    path, job = written(tmp_path, COMPACT)
    plan = plan_of(job, [change_on(job, 6, 0.0, 0.5, 200.0)])
    assert b"X0M8F200\r\n" in rewrite(path.read_bytes(), job, plan)


def test_a_plan_for_another_program_is_refused(tmp_path):
    path, job = written(tmp_path, MILLIMETRES)
    plan = plan_of(job, [change_on(job, 8, 0.0, 1.0, 450.0)])
    with pytest.raises(PlanError, match="another program"):
        rewrite(path.read_bytes(), job, replace(plan, toolpath="00"))


def test_real_programs_read_back_as_planned(shared_data, tmp_path):
    tried = 0
    for path in sorted((shared_data / "nc").rglob("*")):
        if not path.is_file() or path.stat().st_size > 100_000:
            continue
        try:
            job = read_program(path)
        except CamTwinError:
            continue
        plan = any_plan(job, 0.3, 1)
        text = path.read_bytes()
        assert rewrite(text, job, plan_of(job, [])) == text
        new = rewrite(text, job, plan)
        _, again = written(tmp_path, new)
        assert_same(again.toolpath, planned_toolpath(job.toolpath, plan))
        assert len(re.findall(rb"\n", new)) >= len(re.findall(rb"\n", text))
        tried += 1
    assert tried > 50
