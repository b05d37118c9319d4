# SPDX-License-Identifier: LGPL-2.1-or-later
"""A job of six straight moves and a run of it, so small that every figure can be worked out on paper.

    move   0 rapid   1 cut     2 air     3 air     4 cut     5 rapid
    of     Face      Face      Face      Side      Side      Side
    way    0 … 10    … 30      … 40      … 50      … 80      … 90 mm
    feed   -         10        10        10        10        -          mm/s
    power  -         100 W     -         -         200 W     -          predicted at the tool

Predicted are 1, 2, 1, 1, 3 and 1 s. The run has 8 rows a second; from the second operation on the feed override stands
at 50 %, so that feed moves take 1, 2, 1, 2, 6 and 1 s. The spindle draws 50 W idle in the first operation and 60 W in
the second; its efficiency is 0.8 and 500 W are its rated power. All of that is exact in binary.
"""

from dataclasses import replace

import numpy as np
from msgspec import structs

from freecad_camtwin.twin.alignment.lag import Correction
from freecad_camtwin.twin.alignment.places import Places
from freecad_camtwin.twin.cut.limits import OperationLimits
from freecad_camtwin.twin.job.job import Job, Operation
from freecad_camtwin.twin.package.line_map import identity
from freecad_camtwin.twin.package.package import Package, PredictedSteps
from freecad_camtwin.twin.shop.machine import read_machine
from freecad_camtwin.twin.signals.columns import Columns
from freecad_camtwin.twin.signals.run import Run
from freecad_camtwin.twin.signals.signal_map import SignalMap
from plan_jobs import END_MILL, straight_path

EVERY = 0.125
WAYS = np.array([0.0, 10.0, 30.0, 40.0, 50.0, 80.0, 90.0])
PREDICTED = np.array([1.0, 2.0, 1.0, 1.0, 3.0, 1.0])
#: When the run leaves the ends of the moves [s].
TIMES = np.array([0.0, 1.0, 3.0, 4.0, 6.0, 12.0, 13.0])
VOLUMES = {1: 40.0, 4: 90.0}
POWERS = {1: 100.0, 4: 200.0}


def package(**other):
    """The job as its own program."""
    points = np.stack([WAYS, np.zeros(7), np.zeros(7)], axis=1)
    path = straight_path(points, [0, 1, 1, 1, 1, 0], 10.0, n_rpm=6000.0)
    path = replace(path, operation=np.array([0, 0, 0, 1, 1, 1]))
    operations = (Operation("Face", "Profile", 0, name="Face"), Operation("Side", "Profile", 0, name="Side"))
    job = Job("part", path, (END_MILL,), operations)
    length = np.diff(WAYS)
    of_steps = {
        "move": np.arange(6, dtype=np.int32), "begin": np.zeros(6), "end": length, "feed": path.feed,
        "volume": np.array([VOLUMES.get(move, 0.0) for move in range(6)]),
        "power": np.array([POWERS.get(move, 0.0) for move in range(6)]),
    }  # fmt: skip
    unknown = {name: np.full(6, np.nan) for name in ("torque", "force", "h_ex", "deflection")}
    steps = PredictedSteps(**of_steps, **unknown, integrals=np.zeros((6, 4, 6), np.float32))
    mill = read_machine("vmc")
    mill = structs.replace(mill, name="mill", spindle=structs.replace(mill.spindle, efficiency=0.8))
    start = np.concatenate([[0.0], np.cumsum(PREDICTED)[:-1]])
    known = {
        "limits": (OperationLimits(power=100.0), OperationLimits(power=400.0)),
        "machine": mill, "program": "part.ngc", "signals": SignalMap((), rated_power=500.0),
    }  # fmt: skip
    return Package(job, identity(job), start, PREDICTED, steps, **(known | other))


def columns(**other):
    """What the machine told: net power at the tool 160 and then 80 W in the first cut, 160 W in the second."""
    time = np.arange(round(TIMES[-1] / EVERY) + 1) * EVERY
    drawn = np.where(time < 4, 50.0, 60.0)
    drawn[(time >= 1) & (time < 2)] += 200.0
    drawn[(time >= 2) & (time < 3)] += 100.0
    drawn[(time >= 6) & (time < 12)] += 200.0
    way = np.interp(time, TIMES, WAYS)
    nothing = np.zeros(len(time))
    values = {"x": way, "y": nothing, "z": nothing, "power": drawn, "feed_override": np.where(time < 4, 100.0, 50.0)}
    values |= {name: column for name, column in other.items() if column is not None}
    return Columns(time, {name: column for name, column in values.items() if other.get(name, column) is column})


def placed(made, told, *, distance=0.0, method="position", correction=None):
    """Every row at its own place, so far beside the path."""
    way = told.values["x"]
    no_line = np.full((told.rows, 2), -1, np.int32)
    places = Places(made)
    return places.alignment(told.time, way, np.full(told.rows, distance), no_line, method, correction or Correction())


def part(told, which):
    """Some of the rows."""
    return Columns(told.time[which], {name: column[which] for name, column in told.values.items()})


def run(made, told=None, **said):
    """The run in memory."""
    known = {"source": "part.run", "toolpath_hash": made.toolpath_hash}
    return Run(columns() if told is None else told, **(known | said))


def with_faint_cuts():
    """The job and a run in which the two moves in air take a trace, and the spindle draws 20 W more for it."""
    made = package()
    made.steps.volume[2] = made.steps.volume[3] = 1.0
    made.steps.power[2], made.steps.power[3] = 4.0, 6.0  # below a twentieth of what the cut takes
    told = columns()
    power, time = told.values["power"], told.time
    power[(time >= 3) & (time < 6)] += 25.0
    power[time >= 4] -= 10.0  # so little air is left that idling has to be the same in both operations
    return made, told
