# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a sample lies on a path whose places are known by hand: on arcs, on passes made twice, and against its line."""

import math
from dataclasses import replace

import numpy as np
import pytest

from aligning import package_of
from freecad_camtwin.twin.alignment.follow import SILENCE, doubts_lines, follow_path, memory
from freecad_camtwin.twin.alignment.lag import Correction
from freecad_camtwin.twin.alignment.places import Places, line_state
from freecad_camtwin.twin.alignment.polyline import CHORD_ERROR
from freecad_camtwin.twin.cycle_time.schedule import points_along
from freecad_camtwin.twin.job.toolpath import MoveKind
from plan_jobs import job_of, straight_path

ANYWHERE = np.empty((0, 2))


def places_of(path):
    return Places(package_of(job_of(path)))


def square(turns, *, lines=False):
    """A square of 10 mm sides, made several times at 10 mm/s: 40 mm and about 4 s a turn."""
    corners = np.array([(0, 0, 0), (10, 0, 0), (10, 10, 0), (0, 10, 0)], float)
    points = np.vstack([*[corners] * turns, corners[:1]])
    path = straight_path(points, np.ones(4 * turns), 10.0)
    return replace(path, line=np.arange(1, 4 * turns + 1)) if lines else path


@pytest.mark.parametrize("sweep", [math.tau, -math.tau, 0.75 * math.pi, -0.2])
@pytest.mark.parametrize("radius", [0.01, 1.0, 25.0])
def test_the_chords_of_an_arc_lie_on_it(sweep, radius):
    start = np.array([radius, 0.0, 0.0])
    end = np.array([radius * math.cos(sweep), radius * math.sin(sweep), 2.0])
    path = straight_path([start, end], [1], 10.0)
    path = replace(path, kind=np.array([MoveKind.ARC]), centre=np.zeros((1, 3)), sweep=np.array([sweep]))
    line = places_of(path).line
    way = np.linspace(0.0, path.length[0], 1000)
    segment = np.searchsorted(line.segments[:, 7], way, side="right").astype(np.int32) - 1
    true = points_along(path, np.zeros(1000, np.int32), way)
    assert np.linalg.norm(line.points(segment, way) - true, axis=1).max() < 1.5 * CHORD_ERROR
    assert line.way[-1] == pytest.approx(math.hypot(radius * sweep, 2.0))


def test_of_a_path_made_twice_the_pass_that_is_due_is_taken():
    """After a silence two passes fit alike; by the predicted time only the later one can have been reached."""
    line = places_of(square(6)).line
    before = np.arange(0.0, 1.0, 0.01)
    after = 6.0 + np.arange(0.0, 0.5, 0.01)
    way = 10.0 * np.concatenate([before, after])  # 60 mm on: the same place as 20 mm on
    corner = np.searchsorted(line.way, way, side="right") - 1
    points = line.points(corner.astype(np.int32), way)
    time = np.interp(way, line.way, np.append(line.clock, np.nan)[: len(line.way)])
    _, found, distance = follow_path(line, time, points, ANYWHERE, 0.3, memory())
    assert time[len(before)] - time[len(before) - 1] > SILENCE
    assert distance == pytest.approx(np.zeros(len(way)), abs=1e-6)
    assert found == pytest.approx(way, abs=0.01)


@pytest.mark.parametrize(
    ("first", "last", "confidence"),
    [(5, 5, 1.0), (4, 4, 1.0), (6, 6, 1.0), (2, 8, 1.0), (3, 3, 0.5), (7, 9, 0.5), (-1, -1, 1.0)],
)
def test_a_place_that_the_line_contradicts_is_believed_by_half(first, last, confidence):
    """A control reports a line a move early or late; one that is farther off speaks of elsewhere."""
    places = places_of(square(3))
    way, on_path = np.array([55.0]), np.zeros(1)  # in move 5
    found = places.alignment(on_path, way, on_path, np.array([[first, last]], np.int32), "", Correction())
    assert found.executed.tolist() == [5]
    assert found.confidence == pytest.approx([confidence])


@pytest.mark.parametrize(("off", "confidence"), [(0.0, 1.0), (0.1, math.exp(-0.5)), (0.3, math.exp(-4.5))])
def test_confidence_falls_with_the_distance_from_the_path(off, confidence):
    no_line = np.full((1, 2), -1, np.int32)
    found = places_of(square(1)).alignment(np.zeros(1), np.array([5.0]), np.array([off]), no_line, "", Correction())
    assert found.confidence == pytest.approx([confidence])


@pytest.mark.parametrize("shift", [0, 6])
def test_lines_that_positions_contradict_are_doubted_from_then_on(shift):
    """Numbers that somebody wrote into a program may be those of elsewhere: positions tell, and lines count no more."""
    places = places_of(square(3, lines=True))
    way = np.arange(2.0, 118.0, 0.1)
    move = (way // 10).astype(np.int32)
    reported = (move + shift) % 12 + 1.0
    span = places.by_line(reported, line_state()).span
    held = memory()
    _, found, _ = follow_path(places.line, way / 10, places.line.points(move, way), span, 0.3, held)
    assert doubts_lines(held) == (shift != 0)
    if shift == 0:
        assert found == pytest.approx(way, abs=0.01)
    assert (np.isfinite(found[-100:])).all()


@pytest.mark.parametrize("shift", [0, 6])
def test_a_position_that_no_machine_can_have_come_to_is_not_believed(shift):
    """A row from another machine, or a value before its sensor was ready: the rows beside it keep their places."""
    line = places_of(square(3)).line
    way = np.arange(2.0, 60.0, 0.1)
    points = line.points((way // 10).astype(np.int32), way)
    strange = np.array([100, 101, 300])
    points[strange] = (500.0, -200.0, 90.0)
    _, found, _ = follow_path(line, way / 10 + shift, points, ANYWHERE, 0.3, memory())
    assert np.isnan(found[strange]).all()
    others = np.setdiff1d(np.arange(len(way)), strange)
    assert found[others] == pytest.approx(way[others], abs=0.01)


def test_a_machine_that_stays_off_the_path_is_placed_nowhere():
    line = places_of(square(3)).line
    time = np.arange(0.0, 5.0, 0.01)
    points = np.stack([50.0 + 10 * time, 70.0 + 0 * time, 0 * time], axis=1)
    segment, way, distance = follow_path(line, time, points, ANYWHERE, 0.3, memory())
    assert (segment == -1).all()
    assert np.isnan([way, distance]).all()
