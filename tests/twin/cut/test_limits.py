# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who says what a cut is held to, and what machine and tool bear where nobody does."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from freecad_camtwin.twin.cut import limits as module
from freecad_camtwin.twin.cut.limits import limits_for, tool_limits
from freecad_camtwin.twin.job.job import Limits
from freecad_camtwin.twin.job.tool import Shape
from freecad_camtwin.twin.shop.machine import read_machine
from freecad_camtwin.twin.shop.material import find_material
from plan_jobs import END_MILL, job_of, passes


def test_the_first_who_says_a_limit_wins():
    machine = read_machine("vmc")
    job = job_of(passes(n_rpm=6000.0), limits=Limits(power=800.0, force=90.0))
    held = limits_for(job, machine, Limits(force=70.0))[0]
    assert (held.force, held.power) == (70.0, 800.0)
    assert (held.sources["force"], held.sources["power"]) == ("user", "operation")
    assert held.sources["torque"] == "machine"
    assert held.sources["h_ex_max"] == "tool"
    assert held.is_explicit
    assert not limits_for(job_of(passes()), machine)[0].is_explicit


def test_net_power_is_what_the_curve_leaves_after_idling():
    machine = read_machine("hobby_mill")
    spindle = machine.spindle
    for n_rpm in (500.0, 1500.0, 4000.0):
        held = limits_for(job_of(passes(n_rpm=n_rpm)), machine)[0]
        ramp = min(1.0, n_rpm / 1500.0)  # constant torque below the corner of its curve
        net = (1000.0 * ramp - spindle.idle_power) * spindle.efficiency
        assert held.power == pytest.approx(net)
        assert held.torque == pytest.approx(1.5 * net * 1000 * 60 / (math.tau * n_rpm))


def test_the_slowest_spindle_speed_of_an_operation_decides():
    machine = read_machine("hobby_mill")
    path = passes()
    speeds = np.where(np.arange(path.moves) < 5, 800.0, 3000.0)
    mixed = limits_for(job_of(replace(path, n_rpm=speeds)), machine)[0]
    assert mixed.power == limits_for(job_of(passes(n_rpm=800.0)), machine)[0].power
    assert mixed.torque == limits_for(job_of(passes(n_rpm=3000.0)), machine)[0].torque


def test_a_speed_beyond_the_spindle_is_said_and_sets_no_limit():
    held = limits_for(job_of(passes(n_rpm=90000.0)), read_machine("hobby_mill"))[0]
    assert held.power is None
    assert "90000 rpm" in held.notes[0]


def test_an_unknown_speed_sets_no_limit_of_the_spindle():
    held = limits_for(job_of(passes(n_rpm=math.nan)), read_machine("hobby_mill"))[0]
    assert held.power is None
    assert held.torque is None
    assert held.feed_max == 50.0


def test_a_shank_bends_to_its_allowed_stress():
    force = tool_limits(END_MILL, None).force
    d, moment = 0.8 * 6.0, force * 25.0
    assert moment / (math.pi * d**3 / 32) == pytest.approx(800.0)
    assert tool_limits(replace(END_MILL, lpr=None), None).force is None


def test_chips_grow_with_the_tool_and_shrink_with_the_resistance():
    aluminium, steel, stainless, titanium = (find_material(key) for key in ("6061", "C45", "316L", "Ti6Al4V"))
    by_size = [tool_limits(replace(END_MILL, dc=dc, re=None), aluminium).h_ex_max for dc in (1, 3.175, 6.35, 12.7, 60)]
    assert by_size == sorted(by_size)
    assert by_size[2] == pytest.approx(0.102)  # 0.0040 inch at 1/4 inch
    assert by_size[0] == pytest.approx(by_size[1] / 3.175)
    by_group = [tool_limits(END_MILL, cut).h_ex_max for cut in (aluminium, steel, stainless, titanium)]
    assert by_group == sorted(by_group, reverse=True)
    wood = tool_limits(END_MILL, find_material("MDF")).h_ex_max
    assert wood > by_group[0]
    assert tool_limits(END_MILL, None).h_ex_max is None


@pytest.mark.parametrize("shape", [Shape.DRILL, Shape.CHAMFER, None])
def test_what_is_no_end_mill_has_no_defaults(shape):
    assert tool_limits(replace(END_MILL, shape=shape), find_material("6061")) == Limits()


def test_every_number_names_its_source():
    with (Path(module.__file__).parent.parent / "data" / "limits.csv").open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    assert len(rows) > 30
    assert all(row["source"] and float(row["value"]) > 0 for row in rows)
