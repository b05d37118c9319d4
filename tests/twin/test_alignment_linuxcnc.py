# SPDX-License-Identifier: LGPL-2.1-or-later
"""Alignment against what LinuxCNC itself says it was executing, at every servo cycle of a millisecond."""

import pytest

from aligning import recorded
from freecad_camtwin.twin.alignment import align

BLENDED = ("zigzag_P0.01", "trochoid_P0.01", "coverglass_P0.01", "panel_P0.01")


@pytest.mark.parametrize("name", BLENDED)
@pytest.mark.parametrize("line", [False, True])
def test_samples_at_100_hz_are_within_a_move_of_the_controllers_own(name, line):
    package, run = recorded(name)
    found = align(package, run.columns(line=line))
    assert run.within_1_percent(package, found) >= 99.5
    assert abs(found.correction.lag) <= 0.003


@pytest.mark.parametrize("name", ["zigzag_P0.01", "trochoid_P0.01", "panel_P0.01"])
def test_a_lag_of_50_ms_and_a_bias_of_30_um_are_found_and_taken_out(name):
    package, run = recorded(name, lag=0.05, bias=(0.03, -0.03, 0.03), noise=0.002)
    found = align(package, run.columns())
    assert found.correction.lag == pytest.approx(0.05, abs=0.003)
    assert run.within_1_percent(package, found) >= 99.5


@pytest.mark.parametrize("name", [*BLENDED, "trochoid_P0.05"])
def test_the_line_alone_places_a_run_also_where_lines_are_merged(name):
    package, run = recorded(name)
    found = align(package, run.columns(points=False, line=True))
    assert run.within_1_percent(package, found) >= 99.5
