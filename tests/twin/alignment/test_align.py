# SPDX-License-Identifier: LGPL-2.1-or-later
"""A sample finds its move, however late, shifted, sparse or interrupted the positions are."""

import numpy as np
import pytest

from aligning import NC, made_up, package_of, raster, trochoid
from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.alignment.align import align
from freecad_camtwin.twin.alignment.follow import follow_path, memory
from freecad_camtwin.twin.alignment.lag import Correction, _Rounds
from freecad_camtwin.twin.alignment.places import Places
from freecad_camtwin.twin.job.geometry import points_along
from freecad_camtwin.twin.job.program import read_program
from freecad_camtwin.twin.signals.columns import Columns
from plan_jobs import job_of, straight_path

LAG, BIAS = 0.05, (0.03, -0.03, 0.015)
JOBS = {
    "trochoid": trochoid,
    "raster": raster,
    "bores": lambda: read_program(NC / "led_floor" / "1103_bore_test_27bit_3_rad.nc", start=(0.0, 0.0, 50.0)),
    "cycles": lambda: read_program(NC / "own" / "cycles.ngc", start=(0.0, 0.0, 50.0)),
}


@pytest.fixture(scope="module", params=list(JOBS))
def package(request):
    return package_of(JOBS[request.param]())


@pytest.fixture(scope="module")
def loops():
    return package_of(trochoid())


def nearest_points(package, points):
    """What a naive matcher does: for every sample the nearest of the path's points, 0.1 mm apart; return their ways."""
    path = package.lines.program
    count = np.maximum(np.ceil(path.length / 0.1).astype(int), 1)
    move = np.repeat(np.arange(path.moves), count)
    share = (np.arange(len(move)) - (np.cumsum(count) - count)[move]) / count[move]
    dots = points_along(path, move, share * path.length[move])
    ways = package.lines.way[move] + share * path.length[move]
    return np.array([ways[np.argmin(((dots - point) ** 2).sum(axis=1))] for point in points])


@pytest.mark.parametrize("every", [1, 10])
def test_a_late_and_shifted_position_finds_its_move_and_tells_lag_and_bias(package, every):
    run = made_up(package, every=every, lag=LAG, bias=BIAS, noise=0.01)
    found = align(package, run.columns())
    # A row of a tenth of the rows is 0.09 %, and processors without AVX-512 place 7 of 1,161 rows beside their move.
    assert run.within_1_percent(package, found) >= (99.5 if every == 1 else 99.3)
    assert found.correction.lag == pytest.approx(LAG, abs=0.003)
    assert found.correction.bias == pytest.approx(BIAS, abs=0.003)
    assert found.method == "position"


def test_what_the_path_does_not_tell_is_not_kept_from_a_round_before():
    """A tool that goes straight down does not tell where z is zero."""
    line = Places(package_of(job_of(straight_path([(0, 0, 5), (0, 0, -2), (40, 0, -2)], [1, 1], 5.0)))).line
    time = np.arange(300) / 100
    points = np.stack([np.zeros(300), np.zeros(300), 5.0 - time], axis=1)
    anywhere = np.tile([-np.inf, np.inf], (300, 1))

    def match(t, p, window, limit):
        return follow_path(line, t, p, anywhere[window], limit, memory())

    found, _ = _Rounds(line, time, points, match).refined(Correction(bias=(0.1, 0.0, 0.65)), 1.0)
    assert found.bias == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)


def test_the_nearest_point_of_the_path_is_often_of_another_loop(loops):
    run = made_up(loops, every=50, lag=LAG, bias=BIAS)
    true = way_of(loops, run.first, made_up(loops, every=50).points)
    naive = np.abs(nearest_points(loops, run.points) - true)
    ours = np.abs(align(loops, made_up(loops, lag=LAG, bias=BIAS).columns()).way[::5] - true)
    assert np.median(naive) > 1.0
    assert naive.max() > 20.0
    assert ours.max() < 1.0


def way_of(package, move, points):
    return package.lines.way[move] + np.linalg.norm(points - package.lines.program.start[move], axis=1)


def test_a_run_that_begins_in_the_middle_is_found(package):
    run = made_up(package, lag=LAG, bias=BIAS, noise=0.01)
    rows = run.time > 0.4 * run.time[-1]
    found = align(package, run.columns(rows=rows))
    assert run.within_1_percent(package, found, rows) >= 99.0


def test_silences_of_30_seconds_lose_no_more_than_what_was_silent(loops):
    long = package_of(trochoid(loops=200))
    run = made_up(long, lag=LAG, bias=BIAS, noise=0.01)
    rows = ((run.time < 30) | (run.time > 60)) & ((run.time < 100) | (run.time > 130))
    found = align(long, run.columns(rows=rows))
    assert run.within_1_percent(long, found, rows) >= 99.5


def test_the_line_number_tells_how_late_positions_are():
    package = package_of(JOBS["bores"]())
    for delay in (0.0, 0.05, 0.12):
        run = made_up(package, lag=0.02, delay=delay, noise=0.01)
        found = align(package, run.columns(line=True))
        assert found.correction.delay == pytest.approx(delay, abs=0.003)
        assert run.within_1_percent(package, found) >= 99.5
        assert found.method == "position and line"


def test_the_line_number_alone_places_a_run():
    package = package_of(JOBS["bores"]())
    run = made_up(package)
    found = align(package, run.columns(points=False, line=True))
    assert run.within_1_percent(package, found) >= 99.5
    assert found.method == "line"


def test_a_run_that_tells_nothing_is_refused(loops):
    with pytest.raises(InputError, match="map one of them in the signal map"):
        align(loops, Columns(np.arange(100.0), {"temperature": np.full(100, 20.0)}))
