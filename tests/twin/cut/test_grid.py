# SPDX-License-Identifier: LGPL-2.1-or-later
"""The grid of cells follows the cutter whose angles it has to resolve, and arcs are cut as arcs on any grid."""

import math

import numpy as np
import pytest

from freecad_camtwin.twin.cut.engagement import default_cell, engage
from freecad_camtwin.twin.cut.height_field import QUANTUM
from freecad_camtwin.twin.job.job import Stock
from freecad_camtwin.twin.job.tool import Shape, Tool
from freecad_camtwin.twin.job.toolpath import MoveKind
from reference_engagement import job, toolpath

POINTS = [(10, 10, 5), (10, 10, -1), (20, 10, -1), (20, 10, 5)]


def mill(dc):
    return Tool(dc, Shape.FLAT)


def drill(dc):
    return Tool(dc, Shape.DRILL, sig=math.radians(118))


@pytest.mark.parametrize(
    ("tools", "used", "cell"),
    [
        ((mill(6.0),), (0, 0, 0), 0.1),
        ((mill(6.0), mill(3.0)), (0, 1, 0), 0.05),
        ((mill(6.0), mill(3.0)), (0, 0, 0), 0.1),  # one that lies in the drawer sets no grid
        ((mill(6.0), drill(3.0)), (0, 1, 0), 0.1),  # a drill only goes down: its arc is known
        ((mill(6.0), drill(1.0)), (0, 1, 0), 0.05),
        ((drill(6.0),), (0, 0, 0), 0.3),
    ],
)
def test_the_grid_is_set_by_the_finest_mill_and_by_a_drill_only_three_times_as_fine(tools, used, cell):
    made = job(toolpath(POINTS, tool=np.array(used)), *tools)
    assert default_cell(made) == pytest.approx(cell)


@pytest.mark.parametrize("sweep", [math.tau, -math.tau])
def test_an_arc_is_cut_round_however_coarse_the_steps_are(sweep):
    """A cutter of 60 mm on a circle of 8 mm about the middle leaves a disc of 38 mm; a chord of its 5 mm steps 37.6."""
    centre = np.array([[50.0, 50.0, -2.0]])
    path = toolpath(
        [(58.0, 50.0, -2.0), (58.0, 50.0, -2.0)], kind=np.array([MoveKind.ARC]), centre=centre, sweep=np.array([sweep])
    )
    block = Stock((0.0, 0.0, -10.0), (100.0, 100.0, 0.0))
    engagement, left = engage(job(path, mill(60.0), stock=block), cell=0.25)
    assert engagement.length.max() > 3.0
    for row in range(left.rows):
        rho = np.hypot(*(axis - 50.0 for axis in left.samples(row)))
        height = left.height[row * left.columns : (row + 1) * left.columns] * QUANTUM
        assert (height[rho < 37.998] == 8.0).all()
        assert (height[(rho > 38.001) & (height > 0)] == 10.0).all()
    assert engagement.removed_volume == pytest.approx(math.pi * 38**2 * 2, rel=2e-4)
