# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes down into material is not sped up; what follows a slope is milling."""

from dataclasses import replace

import numpy as np
import pytest

import cuts
from freecad_camtwin.twin.cut.load import LoadModel
from freecad_camtwin.twin.feeds.ceiling import JobCut
from freecad_camtwin.twin.job.tool import Shape
from freecad_camtwin.twin.shop.material import find_material

#: A tool, a slope downwards in degrees, the canned cycle that the move belongs to, and whether that is sinking.
ROWS = [
    (Shape.FLAT, 0.0, 0, False),
    (Shape.FLAT, 1.0, 0, False),
    (Shape.FLAT, 1.3, 0, True),  # 2 % of the motion
    (Shape.FLAT, 10.0, 0, True),
    (Shape.FLAT, 90.0, 0, True),
    (Shape.FLAT, -45.0, 0, False),  # it rises
    (Shape.FLAT, 0.0, 83, True),
    (Shape.BULL, 1.0, 0, False),
    (Shape.BULL, 10.0, 0, True),
    (Shape.BALL, 0.0, 0, False),
    (Shape.BALL, 10.0, 0, False),
    (Shape.BALL, 29.0, 0, False),
    (Shape.BALL, 31.0, 0, True),  # half of the motion
    (Shape.BALL, 90.0, 0, True),
    (Shape.BALL, -60.0, 0, False),
    (Shape.BALL, 0.0, 81, True),
    (Shape.DRILL, 90.0, 0, True),
    (Shape.DRILL, 0.0, 0, True),
]


@pytest.mark.parametrize(("shape", "slope", "cycle", "sinks"), ROWS)
def test_a_ball_may_follow_a_slope_of_30_degrees_and_a_flat_end_hardly_any(shape, slope, cycle, sinks):
    tool = cuts.end_mill(
        shape=shape, re=1.0 if shape is Shape.BULL else None, sig=2.0 if shape is Shape.DRILL else None
    )
    job = cuts.job(tool)
    job = replace(job, toolpath=replace(job.toolpath, cycle=np.array([cycle])))
    engagement = cuts.engagement(0.0, 1.0, 1.0, plunge=np.sin(np.radians(slope)), radius=5.0)
    model = LoadModel(engagement, job, find_material("6061"))
    assert JobCut(job, engagement, model).sinks.tolist() == [sinks]


@pytest.mark.parametrize("ae", [0.001, 0.1, 0.49, 0.5, 0.51, 2.0, 5.0])
def test_chips_are_reckoned_no_thinner_than_at_a_twentieth_of_the_diameter(ae):
    """h = 2·fz·√(ae/dc·(1 - ae/dc)) below dc/2: at ae = 5 % a feed of 2.3 times the chip's own, and never more."""
    dc = 10.0
    arc = np.arccos(1 - 2 * ae / dc)
    job = cuts.job(cuts.end_mill(dc=dc))
    engagement = cuts.engagement(0.0, arc, 1.0, radius=dc / 2)
    (thickness,) = JobCut(job, engagement, LoadModel(engagement, job, find_material("6061"))).thickness
    share = max(ae / dc, 0.05)
    assert thickness == pytest.approx(2 * np.sqrt(share * (1 - share)), rel=1e-6)
    assert 1 / thickness <= 2.3
