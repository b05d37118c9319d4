# SPDX-License-Identifier: LGPL-2.1-or-later
"""The smallest job that needs every kernel of the engagement: each shape of cutter, each kind of move."""

import math

from freecad_camtwin.twin.engagement import engage, reduce
from freecad_camtwin.twin.job import Stock
from freecad_camtwin.twin.tool import Shape, Tool
from reference_engagement import job, toolpath

SHAPES = (Tool(6.0, Shape.FLAT), Tool(6.0, Shape.BALL), Tool(6.0, Shape.BULL, re=1.0), Tool(6.0, Shape.DRILL, sig=2.0))


def run():
    """Cut a ramp and an arc with each cutter, and reduce them."""
    points = [(-10, 20, -2), (30, 20, -4), (40, 20, -4)]
    path = {"kind": [1, 2], "centre": [[math.nan] * 3, [35, 20, -4]], "sweep": [0, math.pi]}
    for tool in SHAPES:
        work = job(toolpath(points, **path), tool, stock=Stock((0, 0, -10), (60, 40, 0)))
        engagement, _ = engage(work, cell=0.2)
        reduce(engagement, work)
