# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real LinuxCNC run of a job that FreeCAD posted, recorded. Its power is simulated, and every recording says so.

Positions and lines are what the controller did at every millisecond (``traces``), later, noisier and rarer, as a source
would tell them. The power is the predicted one at the true place, times GAIN at the motor, plus idling and noise.
"""

from functools import cache

import numpy as np

import traces
from freecad_camtwin.cli.options import parse_stock, parse_tool
from freecad_camtwin.store.recording import Recording
from freecad_camtwin.store.schema import RecordingHeader
from freecad_camtwin.twin.alignment.align import align
from freecad_camtwin.twin.analysis.analysis import analyze
from freecad_camtwin.twin.job.program import read_program
from freecad_camtwin.twin.job.supply import program_tools, supply
from freecad_camtwin.twin.package.package import make_package
from freecad_camtwin.twin.runs.execution import best, make_executions
from freecad_camtwin.twin.signals.columns import Columns
from freecad_camtwin.twin.signals.run import Run

STARTED = 1.7e9
#: What the simulated cut takes more than predicted, per operation, and what the spindle draws without any [W].
GAIN, IDLE = (1.3, 0.9), 150.0
TRACE = "coverglass_P0.01"


@cache
def package(folder):
    """The package of the program that ran, in a folder that keeps the program."""
    program = folder / "cover.ngc"
    program.write_text(traces.text(TRACE))
    tool = program_tools((parse_tool("D=4,z=3,shape=flat,reach=15,material=Carbide"),))
    job, _ = supply(read_program(program, tools=tool, stock=parse_stock("-5,-6,-1.5,66,26,0")), n_rpm=3000.0)
    return make_package(analyze(job, material="6061", machine="linuxcnc_sim", cell=0.4))


_truths = {}


def _truth(made):
    """Time, position, line, predicted power and operation of every millisecond."""
    if made.toolpath_hash in _truths:
        return _truths[made.toolpath_hash]
    trace = traces.load(TRACE)
    x, y, z = trace.position.T
    line = trace.line.astype(float)
    found = align(made, Columns(trace.time, {"x": x, "y": y, "z": z, "line": line}))
    told = trace.time, trace.position, line, np.nan_to_num(found.predicted("power")), found.operation
    return _truths.setdefault(made.toolpath_hash, told)


def columns(made, *, every=10, lag=0.02, noise=0.005, seed=1, at=0.0, **replaced):
    """The run as a source tells it: a row every so many ms, positions that trail, a power of our making."""
    time, position, line, power, operation = _truth(made)
    chance = np.random.default_rng(seed)
    trailing = np.stack([np.interp(time - lag, time, axis) for axis in position.T], axis=1)[::every]
    trailing += chance.normal(0, noise, trailing.shape)
    drawn = IDLE + np.array([*GAIN, 0.0])[operation] * power / made.machine.spindle.efficiency
    drawn = drawn[::every] + chance.normal(0, 3.0, len(trailing))
    named = dict(zip("xyz", trailing.T, strict=True)) | {
        "line": line[::every], "power": drawn, "feed_override": np.full(len(drawn), 100.0),
    }  # fmt: skip
    named = {name: values for name, values in (named | replaced).items() if values is not None}
    return Columns(STARTED + at + time[::every], named)


def run(made, told=None, **said):
    """A run in memory."""
    known = {"source": "cover.run", "toolpath_hash": made.toolpath_hash, "machine": "mill 1", "simulated": True}
    return Run(columns(made) if told is None else told, **(known | said))


def record(path, made, told=None, gaps=(), events=(), **said):
    """Write a run as a recording."""
    told = columns(made) if told is None else told
    known = {"started": STARTED, "toolpath_hash": made.toolpath_hash, "program": "cover.ngc", "machine": "mill 1"}
    with Recording.create(path, RecordingHeader(**(known | {"simulated": True} | said))) as recording:
        recording.append(told.time, told.values, events)
        for start, stop, reason in gaps:
            recording.gap(start, stop, reason)
        recording.count(received=told.rows + 7, dropped={"late or doubled": 7})
        recording.finish()
    return path


def make_execution(made, run):
    """The execution of a run that saw most of the path."""
    return best(make_executions(made, run))
