# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program that does not fit into the machine is refused, whichever end of whichever axis it would pass."""

from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from freecad_camtwin.errors import ToolpathError
from freecad_camtwin.twin.cycle_time.motion import check_travel
from freecad_camtwin.twin.job.toolpath import MoveKind
from freecad_camtwin.twin.shop.machine import read_machine
from plan_jobs import straight_path

LOWER, UPPER = (-10.0, -20.0, -30.0), (100.0, 200.0, 0.0)
ZERO = (5.0, -6.0, -7.0)


def mill(work_zero=ZERO):
    """A machine whose axes end at ``LOWER`` and ``UPPER``."""
    made = read_machine("linuxcnc_sim")
    axes = {
        name: structs.replace(getattr(made.axes, name), lower=low, upper=high)
        for name, low, high in zip("xyz", LOWER, UPPER, strict=True)
    }
    return structs.replace(made, name="mill", axes=structs.replace(made.axes, **axes), work_zero=work_zero)


def path_to(point, kind=MoveKind.LINE):
    """A path whose second move goes to ``point`` from where the machine surely is."""
    middle = [(low + high) / 2 - zero for low, high, zero in zip(LOWER, UPPER, ZERO, strict=True)]
    return straight_path([middle, middle, point, middle], [0, kind, 0], 10.0)


@pytest.mark.parametrize("kind", [MoveKind.RAPID, MoveKind.LINE])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_move_beyond_either_end_of_an_axis_is_refused(axis, side, kind):
    end = (LOWER if side < 0 else UPPER)[axis] - ZERO[axis]
    path = path_to((0.0, 0.0, 0.0), kind)
    point = path.start[0].copy()
    point[axis] = end
    check_travel(path_to(point, kind), mill())
    point[axis] = end + side * 0.25
    least, most = LOWER[axis] - ZERO[axis], UPPER[axis] - ZERO[axis]
    with pytest.raises(ToolpathError) as caught:
        check_travel(path_to(point, kind), mill())
    assert str(caught.value) == (
        f"command 1 of operation 1 (move 1) takes axis {'XYZ'[axis]} to {end + side * 0.25:g} mm, outside the axis of "
        f"'mill', which goes from {least:g} to {most:g} mm"
    )


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_bulge_of_an_arc_counts(axis, side):
    """A half circle begins and ends within the axis; its middle lies 10 mm beyond both."""
    along, across = np.eye(3)[axis], np.eye(3)[1 - axis]
    end = np.array(LOWER if side < 0 else UPPER)[axis] - ZERO[axis]
    for over in (-0.25, 0.25):
        centre = along * (end + side * (over - 10)) + across * 50
        sign = side if axis == 1 else -side
        line = straight_path([centre + 10 * across, centre - 10 * across], [1], 10.0)
        sweep = np.array([np.pi * sign])
        half = replace(line, kind=np.array([MoveKind.ARC]), centre=centre[None], sweep=sweep)
        if over < 0:
            check_travel(half, mill())
            continue
        with pytest.raises(ToolpathError, match=f"takes axis {'XYZ'[axis]} to {end + side * over:g} mm"):
            check_travel(half, mill())


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_where_nobody_says_the_zero_only_the_span_counts(axis):
    travel = UPPER[axis] - LOWER[axis]
    for start in (-1e4, 0.0, 1e4):
        points = np.zeros((2, 3))
        points[:, axis] = start, start + travel
        check_travel(straight_path(points, [1], 10.0), mill(work_zero=None))
        points[1, axis] += 1.0
        with pytest.raises(ToolpathError, match=f"whose travel is {travel:g} mm, and the program spans {travel + 1:g}"):
            check_travel(straight_path(points, [1], 10.0), mill(work_zero=None))
