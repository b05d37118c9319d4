# SPDX-License-Identifier: LGPL-2.1-or-later
"""Alignment against what LinuxCNC itself says it was executing, at every servo cycle of a millisecond."""

import numpy as np
import pytest

from aligning import recorded
from freecad_camtwin.twin.alignment.align import align

BIAS = (0.03, -0.03, 0.03)
BLENDED = ("zigzag_P0.01", "trochoid_P0.01", "coverglass_P0.01", "panel_P0.01")


@pytest.mark.parametrize("name", BLENDED)
@pytest.mark.parametrize("line", [False, True])
def test_samples_at_100_hz_are_within_a_move_of_the_controllers_own(name, line):
    package, run = recorded(name)
    found = align(package, run.columns(line=line))
    assert run.within_1_percent(package, found) >= 99.5
    assert found.correction.lag + found.correction.delay == pytest.approx(0.0, abs=0.003)


@pytest.mark.parametrize("every", [1, 10])
@pytest.mark.parametrize("name", BLENDED)
def test_a_lag_of_50_ms_and_a_bias_of_30_um_are_found_and_taken_out(name, every):
    package, run = recorded(name, every=every, lag=0.05, bias=BIAS, noise=0.002)
    found = align(package, run.columns())
    assert found.correction.lag == pytest.approx(0.05, abs=0.003)
    assert found.correction.bias == pytest.approx(BIAS, abs=0.002)
    assert run.within_1_percent(package, found) >= 99.5


@pytest.mark.parametrize("name", [*BLENDED, "trochoid_P0.05"])
def test_the_line_tells_a_delay_although_the_control_reports_it_before_the_corner(name):
    package, run = recorded(name, lag=0.02, delay=0.03, bias=BIAS, noise=0.002)
    found = align(package, run.columns(line=True))
    assert found.correction.lag + found.correction.delay == pytest.approx(0.05, abs=0.003)
    if name in BLENDED:
        assert run.within_1_percent(package, found) >= 99.5


@pytest.mark.parametrize("begin", [0, 4, 8, 12, 16])
@pytest.mark.parametrize("name", ["zigzag_P0.01", "trochoid_P0.01"])
def test_rows_in_step_with_the_moves_tell_no_lag_and_no_delay(name, begin):
    package, run = recorded(name, begin=begin, every=20)
    found = align(package, run.columns(line=True))
    assert found.correction.lag == pytest.approx(0.0, abs=0.003)
    assert found.correction.delay == pytest.approx(0.001, abs=0.0025)  # the trace's own cycle, which its line is ahead


@pytest.mark.parametrize("name", [*BLENDED, "trochoid_P0.05"])
def test_the_line_alone_places_a_run_also_where_lines_are_merged(name):
    package, run = recorded(name)
    found = align(package, run.columns(points=False, line=True))
    assert run.within_1_percent(package, found) >= 99.5


def test_merged_lines_do_not_disturb_what_the_position_tells():
    package, run = recorded("trochoid_P0.05")
    alone, both = (align(package, run.columns(line=line)) for line in (False, True))
    # Half of the lines are never reported; the path between is followed all the same.
    assert len(np.unique(run.line)) < 0.51 * package.lines.program.moves
    assert run.within_1_percent(package, alone) >= 99.5
    assert run.within_1_percent(package, both) >= 99.5


def test_where_a_line_is_reported_first_is_predicted_to_a_cycle_or_two():
    package, run = recorded("zigzag_P0.01", every=1)
    way = align(package, run.columns()).way
    rows = np.flatnonzero(np.diff(run.first) > 0) + 1
    reported = package.reported[run.first[rows]]
    speed = 1e3 * np.diff(way)[rows - 1]
    # Most lines change 0.04 to 0.35 mm before the corner, as predicted; the trace lags behind its line by a cycle.
    early = package.lines.way[run.first[rows]] - way[rows]
    cycles = 1e3 * (reported - way[rows]) / np.maximum(speed, 1.0)
    assert np.median(early) > 0.05
    assert np.abs(np.nanmedian(cycles) - 1.0) < 1.0
    assert (np.abs(cycles[np.isfinite(cycles)] - 1.0) < 2.0).mean() > 0.9
