# SPDX-License-Identifier: LGPL-2.1-or-later
"""How far the angles, the width and the surface are from what geometry says."""

import math

import numpy as np

from freecad_camtwin.twin.cut.engagement import engage
from freecad_camtwin.twin.cut.height_field import QUANTUM, HeightField
from freecad_camtwin.twin.job.job import Stock
from freecad_camtwin.twin.job.tool import Shape, Tool
from reference_engagement import heights, job, stamped, toolpath

RADIUS, AP, PASS = 3.0, 2.0, 20.0
BLOCK = Stock((-18.0, -18.0, -5.0), (18.0, 18.0, 0.0))


def straight_pass(cell, direction, ae, shift):
    """Cut one straight pass beside a wall; return ae and the arc [rad] of the steps clear of its ends."""
    ex, ey = math.cos(direction), math.sin(direction)
    field = HeightField.of(BLOCK, cell)
    for row in range(field.rows):
        x, y = field.samples(row)
        side = (y + shift[1]) * ex - (x + shift[0]) * ey
        field.height[row * field.columns : (row + 1) * field.columns][side < RADIUS - ae] = int((5 - AP) / QUANTUM)
    half = np.array([ex, ey, 0.0]) * PASS / 2
    middle = np.array([-shift[0], -shift[1], -AP])
    engagement, _ = engage(job(toolpath([middle - half, middle + half]), stock=BLOCK), stock=field, slices=1)
    is_clear = (engagement.start - middle + half) @ [ex, ey, 0.0] > 2 * RADIUS + 0.2
    return engagement.ae[is_clear], (engagement.phi_ex - engagement.phi_st)[is_clear]


def arc_error_p95(cell, passes=20):
    """95 % of all steps are closer than this to the true arc [°]: random directions, ae/D from 5 % to a slot."""
    rng = np.random.default_rng(1)
    errors = []
    for ae in (6.0, 3.0, 1.5, 0.6, 0.3):
        for _ in range(passes):
            _, arc = straight_pass(cell, rng.uniform(0, 2 * math.pi), ae, rng.uniform(0, cell, 2))
            errors.append(np.degrees(np.abs(arc - math.acos(1 - ae / RADIUS))))
    return float(np.quantile(np.concatenate(errors), 0.95))


def ae_rms_percent(cell, passes=20):
    """Relative rms error of ae per step at ae/D about 10 %, along both axes and in random directions, the worst [%]."""
    rng = np.random.default_rng(2)
    worst = 0.0
    for directions in ([0.0], [math.pi / 2], rng.uniform(0, 2 * math.pi, passes)):
        errors = []
        for n in range(passes):
            ae = rng.uniform(0.55, 0.65)
            found, _ = straight_pass(cell, directions[n % len(directions)], ae, rng.uniform(0, cell, 2))
            errors.append(found / ae - 1)
        worst = max(worst, float(np.sqrt(np.mean(np.concatenate(errors) ** 2))))
    return 100 * worst


def bull_error():
    """Largest difference of sloped bull noses from dense stamping [mm]."""
    stock = Stock((0.0, 0.0, -10.0), (16.0, 16.0, 0.0))
    worst = 0.0
    for corner in (0.3, 1.0, 2.5):
        for slope in (0.01, 0.03, -0.1, 0.2, -0.5, 1.0):
            start = np.array([6.9, 7.1, -4.0])
            end = start + np.array([2.0 * math.cos(0.7), 2.0 * math.sin(0.7), 2.0 * slope])
            field, tool = HeightField.of(stock, 0.1), Tool(6.0, Shape.BULL, re=corner)
            _, left = engage(job(toolpath([start, end]), tool, stock=stock), stock=field)
            worst = max(worst, float(np.abs(heights(left) - stamped(field, tool, start, end)).max()))
    return worst
