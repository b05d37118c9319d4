# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long it takes to plan the feeds of a large roughing path, apart from simulating it."""

from dataclasses import replace

import numpy as np

from bench.report import Row, cpu_medians
from freecad_camtwin.twin.cut.engagement import engage
from freecad_camtwin.twin.cut.limits import limits_for
from freecad_camtwin.twin.cut.load import LoadModel
from freecad_camtwin.twin.feeds.into_commands import apply_to_commands
from freecad_camtwin.twin.feeds.into_toolpath import planned_toolpath
from freecad_camtwin.twin.feeds.plan import FeedPlan, OperationPlan, commands_hash
from freecad_camtwin.twin.feeds.planner import PlanOptions, plan_feeds
from freecad_camtwin.twin.job.command import PathCommand
from freecad_camtwin.twin.job.job import Job, Limits, Stock
from freecad_camtwin.twin.shop.machine import read_machine
from freecad_camtwin.twin.shop.material import find_material
from plan_jobs import job_of, straight_path

STEPS = 140_000
_ROWS, _SEGMENT = 205, 0.75


def wavy_rows() -> Job:
    """Rows of short segments whose width of cut swells and shrinks, as adaptive paths have them."""
    x = np.arange(0.0, 512.0, _SEGMENT)
    points, kinds = [(0.0, 0.0, 5.0)], []
    for row in range(_ROWS):
        y = 2.0 * row + 0.8 * np.sin(x / 7.0 + 1.3 * row)
        line = np.column_stack([x, y, np.full(x.size, -3.0)])
        points += [(x[0], y[0], 5.0), *map(tuple, line)]
        kinds += [0, 0, *[1] * (x.size - 1)]
        points.append((x[-1], y[-1], 5.0))
        kinds.append(0)
    path = straight_path(points, kinds, 25.0, 9000.0)
    return job_of(path, stock=Stock((-5.0, -5.0, -6.0), (515.0, 420.0, 0.0)))


def main() -> list[Row]:
    """Plan one large path in four ways, write the plan into commands, and read its text."""
    job = wavy_rows()
    material = find_material("6061")
    engagement, _ = engage(job, cell=0.25)
    model = LoadModel(engagement, job, material)
    machine = read_machine("vmc")
    free = limits_for(job, None, None, material=material)
    held = limits_for(job, machine, Limits(force=150.0), material=material)
    once = PlanOptions(checks=0)
    plan = plan_feeds(job, engagement, model, held, machine, once)
    commands: list[PathCommand] = [
        ("G1" if feed > 0 else "G0", dict(zip("XYZF", (*end, feed), strict=True)))
        for end, feed in zip(job.toolpath.end.tolist(), np.nan_to_num(job.toolpath.feed).tolist(), strict=True)
    ]
    own: OperationPlan = replace(plan.operations[0], base_hash=commands_hash(commands))
    text = plan.to_json()
    seconds = cpu_medians(
        {
            "relative plan": lambda: plan_feeds(job, engagement, model, free, None, once),
            "plan by limits": lambda: plan_feeds(job, engagement, model, held, None, once),
            "plan by limits, on a machine": lambda: plan_feeds(job, engagement, model, held, machine, once),
            "the planned path": lambda: planned_toolpath(job.toolpath, plan),
            "the plan in commands": lambda: apply_to_commands(commands, own),
            "the plan's text, read": lambda: FeedPlan.from_json(text),
        }
    )
    scale = STEPS / engagement.steps
    required = {"relative plan": 2.0, "plan by limits": 2.0}
    aims = {"plan by limits, on a machine": 2.0, "the planned path": 2.0, "the plan in commands": 2.0}
    return [
        Row("steps", engagement.steps, "1", "higher"),
        Row("changes", plan.changes, "1", "lower"),
        *(
            Row(f"{name}, per {STEPS} steps", value * scale, "s", "lower", required.get(name), aims.get(name))
            for name, value in seconds.items()
        ),
    ]
