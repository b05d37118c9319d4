# SPDX-License-Identifier: LGPL-2.1-or-later
"""A solid that is hollow below itself is told, with the volume that the height field takes for material."""

import numpy as np
import pytest

from freecad_camtwin.twin.cut.engagement import engage
from freecad_camtwin.twin.cut.height_field import HeightField, hidden_hollow, solid_volume
from freecad_camtwin.twin.job.job import Stock
from reference_engagement import job, toolpath

_FACES = ((0, 2, 1), (0, 3, 2), (4, 5, 6), (4, 6, 7), (0, 1, 5), (0, 5, 4), (1, 2, 6), (1, 6, 5))
_FACES += ((2, 3, 7), (2, 7, 6), (3, 0, 4), (3, 4, 7))


def box(lower, upper):
    """The twelve triangles of a box, outwards."""
    (x0, y0, z0), (x1, y1, z1) = lower, upper
    corners = np.array([(x, y, z) for z in (z0, z1) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))], float)
    return corners[np.array(_FACES)]


def table():
    """A plate of 40 × 30 × 4 mm on a foot of 40 × 10 × 6 mm: 4800 mm³ below the plate are empty."""
    triangles = np.concatenate([box((0, 0, -4), (40, 30, 0)), box((0, 10, -10), (40, 20, -4))])
    return Stock((0, 0, -10), (40, 30, 0), "solid", triangles)


def test_the_enclosed_volume_of_a_closed_surface_is_found_and_of_an_open_one_is_not():
    assert solid_volume(box((5, 5, 5), (7, 8, 9))) == pytest.approx(24.0)
    assert solid_volume(table().triangles) == pytest.approx(40 * 30 * 4 + 40 * 10 * 6)
    assert np.isnan(solid_volume(box((5, 5, 5), (7, 8, 9))[:-1]))


def test_a_hollow_that_nobody_sees_from_above_is_told_with_its_volume():
    path = toolpath([(-5, 15, -1), (45, 15, -1)])
    found, _ = engage(job(path, stock=table()), cell=0.25)
    (sentence,) = (warning for warning in found.warnings if "hollow" in warning)
    assert sentence.startswith("the stock is hollow below its upper surface by 4.8e+03 mm³, 67% of its volume")


@pytest.mark.parametrize("height", [0.0, 3.0])
def test_a_solid_that_is_whole_below_its_surface_is_not_spoken_of(height):
    step = [box((0, 0, -10), (40, 30, -3)), box((0, 0, -3), (20, 30, height))]
    stock = Stock((0, 0, -10), (40, 30, height), "solid", np.concatenate(step))
    assert hidden_hollow(stock, HeightField.of(stock, 0.25)) == ""
    assert hidden_hollow(Stock((0, 0, -10), (40, 30, 0)), HeightField.of(stock, 0.25)) == ""
