# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs to be aligned, with their truth: made-up ones along a schedule, and LinuxCNC's own."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import traces
from controllers.timing import ZERO
from freecad_camtwin.twin.alignment.align import Alignment
from freecad_camtwin.twin.cycle_time.motion import schedule
from freecad_camtwin.twin.cycle_time.schedule import durations
from freecad_camtwin.twin.job.job import Job
from freecad_camtwin.twin.job.program import read_program
from freecad_camtwin.twin.package.line_map import identity
from freecad_camtwin.twin.package.package import Package, PredictedSteps
from freecad_camtwin.twin.shop.machine import read_machine
from freecad_camtwin.twin.signals.columns import Columns
from plan_jobs import job_of, straight_path

MACHINE = read_machine("linuxcnc_sim")
NC = Path(__file__).parent / "data" / "nc"
#: When every run here begins [s].
EPOCH = 1.7e9


@dataclass(frozen=True)
class TrueRun:
    """Samples, and where the machine really was at each."""

    time: np.ndarray
    points: np.ndarray  #: (n, 3) as measured
    first: np.ndarray  #: first move that it can have been in
    last: np.ndarray  #: … and last
    line: np.ndarray

    def columns(self, *, points=True, line=False, rows=slice(None), **more) -> Columns:
        """Return what the machine told."""
        values = dict(zip("xyz", self.points.T, strict=True)) if points else {}
        if line:
            values["line"] = self.line.astype(float)
        return Columns(EPOCH + self.time[rows], {name: each[rows] for name, each in (values | more).items()})

    def within_1_percent(self, package: Package, found: Alignment, rows=slice(None)) -> float:
        """How many of the cutting samples are within one move of the truth [%]."""
        first, last = self.first[rows], self.last[rows]
        cutting = package.lines.program.is_cutting[last] & (last >= 0)
        is_near = (found.executed >= first - 1) & (found.executed <= last + 1) & (found.executed >= 0)
        return 100.0 * float(is_near[cutting].mean())


def package_of(job: Job) -> Package:
    """Package a job as its own program, without loads."""
    timed = schedule(job.toolpath, MACHINE)
    none = np.zeros(0)
    steps = PredictedSteps(none.astype(np.int32), *[none] * 9, np.zeros((0, 4, 6), np.float32))
    return Package(job, identity(job), timed.start, durations(timed), steps, timed.reported, machine=MACHINE)


def lagged(points: np.ndarray, lag: float, every: float = 1e-3) -> np.ndarray:
    """Return positions of axes that follow ``points`` with a lag [s]; one row every so many seconds."""
    if not lag:
        return points
    keep = np.exp(-every / lag)
    out, at = np.empty_like(points), points[0]
    for row, point in enumerate(points):
        at = keep * at + (1 - keep) * point
        out[row] = at
    return out


def measured(points, *, lag=0.0, delay=0.0, bias=(0.0, 0.0, 0.0), noise=0.0, seed=1) -> np.ndarray:
    """Return what is measured of positions, one a millisecond."""
    late = lagged(points, lag)
    rows = np.maximum(np.arange(len(late)) - round(delay * 1e3), 0)
    return late[rows] + np.array(bias) + np.random.default_rng(seed).normal(0, noise, late.shape)


def made_up(package: Package, *, every=10, **faults) -> TrueRun:
    """Run a package as predicted, with a sample every so many milliseconds, and lines as LinuxCNC reports them."""
    timed = schedule(package.lines.program, MACHINE)
    time = np.arange(0, timed.total, 1e-3)
    move, along = timed.travelled(time)
    points = measured(timed.position(time), **faults)
    told = np.flatnonzero(np.isfinite(timed.reported))
    latest = np.searchsorted(timed.reported[told], timed.way[move] + along, side="right") - 1
    line = package.lines.program.line[np.append(told, package.lines.program.moves)[np.maximum(latest, 0) + 1] - 1]
    return TrueRun(time[::every], points[::every], move[::every], move[::every], line[::every])


def recorded(name: str, *, begin=0, every=10, **faults) -> tuple[Package, TrueRun]:
    """Return a trace of LinuxCNC, from the cycle ``begin`` every so many, and the package of its program.

    The truth is LinuxCNC's own ``motion.program-line`` at every servo cycle: the move that its planner was executing.
    It is an interval where the planner had joined moves: the reported line and those that were passed over before it.
    """
    trace = traces.load(name)
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / f"{name}.ngc"
        program.write_text(trace.program)
        package = package_of(read_program(program, start=traces.START, machine=ZERO))
    first, last = true_moves(trace.line, package.lines.program.line)
    points = measured(trace.position, **faults)
    kept = slice(begin, None, every)
    return package, TrueRun(trace.time[kept], points[kept], first[kept], last[kept], trace.line[kept])


def recomposed(name: str, pieces, *, every=10, **faults) -> tuple[Package, TrueRun]:
    """Return a trace cut into pieces and put together anew, as if the operator had intervened, and its package.

    pieces: (from, to) as shares of the trace, or seconds for which the machine stands where it is
    """
    package, run = recorded(name, every=1)
    rows: list[int] = []
    for piece in pieces:
        if isinstance(piece, tuple):
            rows += range(round(piece[0] * len(run.time)), round(piece[1] * len(run.time)))
        else:
            rows += rows[-1:] * round(piece * 1e3)
    points = measured(run.points[rows], **faults)[::every]
    kept = rows[::every]
    time = np.arange(len(rows))[::every] * 1e-3
    return package, TrueRun(time, points, run.first[kept], run.last[kept], run.line[kept])


def true_moves(line: np.ndarray, of_move: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and last move of every cycle by the line that it reports; -1 for lines without moves."""
    begins = np.flatnonzero(np.diff(line, prepend=-1))
    first, last, passed = np.full(len(line), -1), np.full(len(line), -1), -1
    for begin, end in zip(begins, np.append(begins[1:], len(line)), strict=True):
        moves = np.flatnonzero(of_move == line[begin])
        if len(moves):
            first[begin:end] = min(passed + 1, moves[0]) if passed < moves[-1] else moves[0]
            last[begin:end] = passed = moves[-1]
    return first, last


def trochoid(loops=60, radius=4.0, advance=0.6, chord=0.5, feed=30.0) -> Job:
    """Loops of a trochoidal slot in chords, each loop 0.6 mm beside the last."""
    turns = np.linspace(0, loops * 2 * np.pi, int(loops * 2 * np.pi * radius / chord))
    x = radius * np.cos(turns) + advance * turns / (2 * np.pi)
    points = np.stack([x, radius * np.sin(turns), np.full_like(turns, -3.0)], axis=1)
    points = np.vstack([[points[0] + [0, 0, 8]], points, [points[-1] + [0, 0, 8]]])
    return job_of(straight_path(points, [1] + [1] * (len(points) - 3) + [0], feed))


def raster(rows=40, length=40.0, pitch=0.3, chord=0.5, feed=40.0) -> Job:
    """A finishing raster over a wave, 0.3 mm from pass to pass, there and back."""
    x = np.arange(0.0, length + 1e-9, chord)
    lines = []
    for row in range(rows):
        along = x if row % 2 == 0 else x[::-1]
        lines.append(np.stack([along, np.full_like(x, row * pitch), 2 * np.sin(along / 5)], axis=1))
    points = np.vstack([[0.0, 0.0, 10.0], *lines, [0.0, rows * pitch, 10.0]])
    return job_of(straight_path(points, [1] * (len(points) - 2) + [0], feed))
