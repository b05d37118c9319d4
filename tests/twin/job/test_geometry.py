# SPDX-License-Identifier: LGPL-2.1-or-later
"""The geometry of moves, against points laid densely along them."""

import math

import numpy as np
import pytest

from freecad_camtwin.twin.job import geometry
from freecad_camtwin.twin.job.program import read_program
from freecad_camtwin.twin.job.toolpath import Toolpath

PROGRAM = b"""G21 G90 G17 F600
G0 X0 Y0 Z5
G1 X10 Y-4 Z-1
G2 X20 Y6 I10 J0 Z-3
G3 X20 Y6 I-7 J2
G18 G2 X10 Z-7 I-5 K-2
G19 G3 Y-2 Z-5 J-4 K1
G1 X12
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Toolpath:
    file = tmp_path_factory.mktemp("nc") / "arcs.ngc"
    file.write_bytes(PROGRAM)
    return read_program(file).toolpath


def dots(path: Toolpath, move: int, count: int = 20_001) -> np.ndarray:
    ways = np.linspace(0.0, path.length[move], count)
    return geometry.points_along(path, np.full(count, move), ways)


def test_points_along_begin_at_the_start_and_end_at_the_end(path: Toolpath) -> None:
    for move in range(path.moves):
        points = dots(path, move)
        assert np.allclose(points[0], path.start[move], atol=1e-9)
        assert np.allclose(points[-1], path.end[move], atol=1e-9)


def test_the_extent_of_a_move_holds_every_point_of_it_and_no_more(path: Toolpath) -> None:
    lower, upper = geometry.extent(path)
    for move in range(path.moves):
        points = np.vstack([dots(path, move), path.end[move]])
        assert np.allclose(lower[move], points.min(axis=0), atol=1e-5)
        assert np.allclose(upper[move], points.max(axis=0), atol=1e-5)


def test_tangents_point_to_the_next_point_of_the_path(path: Toolpath) -> None:
    first, last = geometry.tangents(path)
    for move in np.flatnonzero(path.length > 0):
        steps = np.diff(dots(path, int(move)), axis=0)
        steps /= np.linalg.norm(steps, axis=1, keepdims=True)
        assert np.allclose(first[move], steps[0], atol=2e-3)
        assert np.allclose(last[move], steps[-1], atol=2e-3)


@pytest.mark.parametrize("radius", [0.5, 3.0, 400.0])
@pytest.mark.parametrize("error", [0.0005, 0.002, 0.25])
def test_a_chord_lies_beside_its_arc_by_no_more_than_the_error(radius: float, error: float) -> None:
    beside = radius * (1 - math.cos(float(geometry.chord_angle(np.array(radius), error)) / 2))
    assert 0.9 * error <= beside <= error
    exact = float(geometry.exact_chord_angle(np.array(radius), error, math.pi))
    assert radius * (1 - math.cos(exact / 2)) == pytest.approx(error, rel=1e-6)


def test_no_chord_is_wider_than_the_widest() -> None:
    assert geometry.exact_chord_angle(np.array([0.001, 0.1]), 0.001, 0.5).tolist() == pytest.approx(
        [0.5, 0.2829], rel=1e-3
    )


def test_steps_are_measured_from_the_start_of_their_move() -> None:
    move, length = np.array([0, 0, 2, 2, 2]), np.array([1.0, 2.0, 4.0, 1.0, 3.0])
    end, before = geometry.steps_within_moves(move, length)
    assert (end - before).tolist() == [1.0, 3.0, 4.0, 5.0, 8.0]
    assert geometry.fractions(move, length).tolist() == pytest.approx([1 / 3, 1.0, 0.5, 0.625, 1.0], abs=1e-6)
    assert geometry.fractions(move[:0], length[:0]).size == 0
