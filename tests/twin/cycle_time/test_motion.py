# SPDX-License-Identifier: LGPL-2.1-or-later
"""Schedules against closed forms, laws of motion, a measured machine, and LinuxCNC's own seconds."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from controllers.timing import MODES, START, ZERO, motion_time, time_errors, with_mode
from freecad_camtwin.errors import ToolpathError
from freecad_camtwin.twin.cycle_time.motion import Motion, check_travel, schedule
from freecad_camtwin.twin.job.program import read_program
from freecad_camtwin.twin.job.toolpath import EventKind, PathEvent, Toolpath
from freecad_camtwin.twin.shop.machine import ExactStop, read_machine

DATA = Path(__file__).parent.parent.parent / "data"
RECORDED = json.loads((DATA / "cycle_times" / "recorded.json").read_text())["seconds"]
MACHINES = ("grbl_router", "hobby_mill", "vmc", "linuxcnc_sim")


def lines(points, feed=20.0, rapid=False, events=()):
    """A toolpath of straight moves through ``points``."""
    points = np.asarray(points, np.float64)
    count = len(points) - 1
    return Toolpath(
        kind=np.zeros(count) if rapid else np.ones(count),
        start=points[:-1],
        end=points[1:],
        centre=np.full((count, 3), np.nan),
        plane=np.zeros(count),
        sweep=np.zeros(count),
        feed=np.full(count, feed),
        n_rpm=np.full(count, np.nan),
        cycle=np.zeros(count),
        tool=np.full(count, -1),
        operation=np.zeros(count),
        command=np.arange(count),
        line=np.full(count, -1),
        events=tuple(events),
    )


def zigzag(moves=40, seed=1):
    rng = np.random.default_rng(seed)
    return lines(np.cumsum(rng.normal(size=(moves + 1, 3)), axis=0))


def plain(machine):
    """The machine without anything that happens between moves, stopping at every corner."""
    return replace(machine, controller=ExactStop(), overheads=type(machine.overheads)(), path_velocity=None)


def test_a_long_move_takes_length_over_speed_plus_speed_over_acceleration():
    machine = plain(read_machine("vmc"))
    assert schedule(lines([(0, 0, 0), (100, 0, 0)], feed=50), machine).total == pytest.approx(100 / 50 + 50 / 4000)


def test_a_short_move_is_a_triangle():
    machine = plain(read_machine("vmc"))
    assert schedule(lines([(0, 0, 0), (0.1, 0, 0)], feed=50), machine).total == pytest.approx(2 * math.sqrt(0.1 / 4000))


def test_bounded_jerk_adds_acceleration_over_jerk():
    machine = replace(read_machine("vmc"), overheads=plain(read_machine("vmc")).overheads)
    total = schedule(lines([(0, 0, 0), (100, 0, 0)], feed=50), machine).total
    assert total == pytest.approx(100 / 50 + 50 / 4000 + 4000 / 50000)


def test_bounded_jerk_is_kept():
    """Along the diagonal all three axes give theirs; where braking follows gaining at once, the change is double."""
    timed = schedule(zigzag(), read_machine("vmc"))
    step = 1e-3
    way = timed.legs.smooth_way_at(np.arange(0, timed.total, step), timed.smoothing)
    jerk = np.diff(way, 3) / step**3
    assert np.abs(jerk).max() <= 2 * math.sqrt(3) * 50000 * 1.02


def test_a_measured_rapid_is_met_once_its_jerk_is_known():
    """A DMC/CMX rapid of 189.03 mm at 600 mm/s and 3150 mm/s² took 0.60 to 0.62 s (KIT, 50 Hz log, j ≈ 32 m/s³)."""
    vmc = read_machine("vmc")
    axis = replace(vmc.axes.z, lower=-400.0, upper=400.0, velocity=600.0, acceleration=3150.0, jerk=32000.0)
    machine = replace(
        vmc, axes=replace(vmc.axes, x=axis, y=axis, z=axis), overheads=plain(vmc).overheads, path_velocity=None
    )
    rapid = lines([(0, 0, 0), (0, 0, -189.03)], rapid=True)
    assert schedule(rapid, plain(machine)).total == pytest.approx(0.5055, abs=1e-4)
    assert schedule(rapid, machine).total == pytest.approx(0.61, rel=0.03)


@pytest.mark.parametrize("name", MACHINES)
def test_the_tool_is_where_the_moves_are(name):
    path = zigzag()
    timed = schedule(path, read_machine(name))
    assert (np.diff(timed.start) > 0).all()
    assert (timed.start[1:] >= timed.start[:-1] + timed.time[:-1] - 1e-9).all()
    assert timed.position([0.0])[0] == pytest.approx(path.start[0])
    assert timed.position([timed.total + 1])[0] == pytest.approx(path.end[-1])
    assert timed.position(timed.start) == pytest.approx(path.start, abs=2e-3)
    assert timed.position(timed.start + timed.time) == pytest.approx(path.end, abs=2e-3)


@pytest.mark.parametrize("name", MACHINES)
def test_where_the_time_goes_adds_up(name):
    events = (
        PathEvent(0, EventKind.TOOL_CHANGE, 1),
        PathEvent(5, EventKind.DWELL, 0.5),
        PathEvent(9, EventKind.SPINDLE, 900.0),
    )
    path = lines(zigzag().start, events=events)
    machine = read_machine(name)
    timed = schedule(path, machine)
    assert sum(timed.breakdown.values()) == pytest.approx(timed.total)
    assert timed.breakdown["dwell"] == pytest.approx(0.5 + machine.overheads.dwell)
    still = np.linspace(timed.start[5] - 0.4, timed.start[5], 9)
    assert timed.position(still) == pytest.approx(np.repeat(path.start[5:6], 9, axis=0), abs=2e-3)


@pytest.mark.parametrize("name", MACHINES)
def test_a_feed_out_of_reach_is_not_reached(name):
    path = lines([(0, 0, 0), (0.5, 0, 0), (0.5, 0.5, 0), (0, 0.5, 0)], feed=5.0)
    motion = Motion(path, read_machine(name))
    slow, wild = motion.schedule(), motion.schedule(np.full(3, 1000.0))
    assert slow.reachable == pytest.approx(5.0)
    assert (wild.reachable < 100).all()
    assert wild.total < slow.total


@pytest.mark.parametrize("name", MACHINES)
def test_more_feed_never_takes_longer_than_a_cycle_more(name):
    motion = Motion(zigzag(), read_machine(name))
    totals = [motion.schedule(np.full(40, feed)).total for feed in (1.0, 2.0, 5.0, 10.0, 20.0, 40.0)]
    assert (np.diff(totals) <= 0.04).all()


def test_a_move_without_a_feed_is_said_to_be_the_least_it_can_be():
    path = lines([(0, 0, 0), (10, 0, 0)], feed=math.nan)
    timed = schedule(path, read_machine("vmc"))
    assert "1 feed moves state no feed" in timed.warnings[0]
    assert math.isfinite(timed.total)


def test_feeds_must_be_one_for_each_move():
    with pytest.raises(ToolpathError, match="2 feeds for 40 moves"):
        schedule(zigzag(), read_machine("vmc"), feed=np.ones(2))


def test_nothing_takes_no_time():
    empty = lines(np.zeros((1, 3)))
    timed = schedule(empty, replace(read_machine("linuxcnc_sim"), overheads=plain(read_machine("vmc")).overheads))
    assert timed.total == 0


def test_a_program_outside_the_axes_is_refused_with_move_and_axis():
    path = lines([(0, 0, 0), (10, 0, 0), (10, 1200, 0)])
    with pytest.raises(ToolpathError, match=r"command 1 of operation 1 .* takes axis Y to 1200 mm"):
        check_travel(path, read_machine("linuxcnc_sim"))


def test_where_the_zero_lies_anywhere_only_the_span_counts():
    router = read_machine("grbl_router")
    check_travel(lines([(500, 0, 0), (1400, 0, 0)]), router)
    with pytest.raises(ToolpathError, match="travel is 1200 mm, and the program spans 1300 mm"):
        check_travel(lines([(0, 0, 0), (1300, 0, 0)]), router)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["straight", "arcs", "trochoid", "zigzag", "drill", "coverglass", "vertical_panel"])
@pytest.mark.slow
def test_linuxcnc_needs_as_long_as_its_schedule_says(name, mode, tmp_path):
    program = with_mode(DATA / "cycle_times" / f"{name}.ngc", mode, tmp_path)
    path = read_program(program, start=START, machine=ZERO).toolpath
    assert motion_time(schedule(path, read_machine("linuxcnc_sim"))) == pytest.approx(RECORDED[name][mode], rel=1.5e-3)


@pytest.mark.slow
def test_linuxcnc_is_where_its_schedule_puts_the_tool(tmp_path):
    program = with_mode(DATA / "cycle_times" / "zigzag.ngc", "P0.01", tmp_path)
    path = read_program(program, start=START, machine=ZERO).toolpath
    trace = np.load(DATA / "cycle_times" / "zigzag_P0.01.npz")["position"]
    assert time_errors(schedule(path, read_machine("linuxcnc_sim")), trace).p95_ms <= 5.0
