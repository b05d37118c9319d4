# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs of a machine that tells nothing but what its spindle draws, and what they were made of."""

from dataclasses import dataclass, replace

import numpy as np

from aligning import EPOCH, NC
from freecad_camtwin.twin.alignment.align import Alignment
from freecad_camtwin.twin.alignment.by_load import FINE
from freecad_camtwin.twin.alignment.places import Places
from freecad_camtwin.twin.analysis.analysis import analyze
from freecad_camtwin.twin.job.job import Job, Operation, Stock
from freecad_camtwin.twin.job.program import read_program
from freecad_camtwin.twin.job.tool import Shape, Tool
from freecad_camtwin.twin.job.toolpath import Toolpath
from freecad_camtwin.twin.package.package import Package, make_package
from freecad_camtwin.twin.signals.columns import Columns
from plan_jobs import END_MILL, passes, straight_path

_COLUMNS = ("kind", "start", "end", "centre", "plane", "sweep", "feed", "n_rpm", "cycle", "tool", "operation",
            "command", "line")  # fmt: skip
_STEP = 0.01  # [s]


def panel() -> Package:
    """A panel with nine profiles and pockets, seven of which are much alike (tests/data/nc/jantman)."""
    program = NC / "jantman" / "vertical_panel.gcode"
    path = read_program(program, start=(0.0, 0.0, 50.0)).toolpath
    low, high = path.end[path.is_cutting].min(axis=0) - 3, path.end[path.is_cutting].max(axis=0) + 3
    tool = Tool(dc=3.175, shape=Shape.FLAT, number=2, zefp=2, lpr=20.0)
    stock = Stock(tuple(low), (float(high[0]), float(high[1]), 0.0))
    job = read_program(program, tools=[tool], start=(0.0, 0.0, 50.0), stock=stock)
    return make_package(analyze(replace(job, material="6061"), machine="linuxcnc_sim", cell=0.5))


def slots() -> Package:
    """Six operations of slots and side passes, from 53 W down to 5 W on the average."""
    cuts = ((0.6, 4, 10, 2), (1.2, 3, 15, 3), (0.3, 6, 20, 4), (2.0, 2, 8, 5), (0.8, 5, 12, 5.5), (0.2, 6, 25, 5.8))
    parts, at = [], None
    for index, (ae, rows, feed, depth) in enumerate(cuts):
        path = passes(ae=ae, rows=rows, length=40, feed=feed, depth=depth)
        if at is not None:
            up = [at, [*at[:2], 15.0], [*path.start[0][:2], 15.0], path.start[0]]
            parts.append((index, straight_path(up, [0, 0, 0], 10.0)))
        parts.append((index, path))
        at = path.end[-1]
    columns = {name: np.concatenate([getattr(path, name) for _, path in parts]) for name in _COLUMNS}
    columns["operation"] = np.concatenate([np.full(path.moves, index) for index, path in parts])
    columns["command"] = np.arange(len(columns["kind"]))
    operations = tuple(Operation(f"cut {i}", "Profile", tool=0, name=f"Cut{i}") for i in range(len(cuts)))
    stock = Stock((-10.0, -10.0, -6.0), (60.0, 40.0, 0.0))
    job = Job("slots", Toolpath(**columns), (END_MILL,), operations, stock=stock, material="6061")
    return make_package(analyze(job, machine="linuxcnc_sim", cell=0.5))


@dataclass(frozen=True)
class Clamped:
    """One run: what the clamp told, and when the program really was where."""

    time: np.ndarray  #: of the samples [s]
    power: np.ndarray  #: [W]
    clock: np.ndarray  #: predicted time of every ``_STEP`` of the run [s]

    @property
    def columns(self) -> Columns:
        """What the machine told."""
        return Columns(EPOCH + self.time, {"power": self.power})

    def boundary_errors(self, package: Package, found: Alignment) -> list[float]:
        """By how many seconds the beginning of every operation but the first was missed."""
        errors = []
        for operation in range(1, len(package.job.operations)):
            begin = package.start[np.flatnonzero(package.lines.operation == operation)[0]]
            true = np.searchsorted(self.clock, begin) * _STEP
            there = np.flatnonzero(found.operation >= operation)
            errors.append(abs(float(self.time[there[0]]) - true) if len(there) else np.inf)
        return errors


def clamped(package: Package, seed: int, *, held_before: int | None = None) -> Clamped:
    """Run a package with random feed overrides, holds in the cut, gain, idle power, noise and rate of the clamp.

    held_before: an operation before which it waits 12 s, as for a tool change by hand
    """
    random = np.random.default_rng(seed)
    places = Places(package)
    power = places.power(places.timing)
    end = places.timing.end
    edges = np.cumsum(random.uniform(10, 80, 100))
    pace = random.choice([0.7, 0.8, 0.9, 1.0, 1.0, 1.1, 1.2], 100)
    cutting = np.flatnonzero(power > 0.1 * power.max()) * FINE
    holds = [(hold, random.uniform(2, 15)) for hold in random.choice(cutting, random.integers(0, 4))]
    if held_before is not None:
        holds.append((package.start[np.flatnonzero(package.lines.operation == held_before)[0]] - 2 * _STEP, 12.0))
    clock, rate = _clock(package, end, edges, pace, holds)
    drawn = np.interp(clock, (np.arange(len(power)) + 0.5) * FINE, power, left=0.0, right=0.0) * rate**0.75
    every = random.choice([2, 10, 20])
    noise = random.choice([0.02, 0.05]) * power.max()
    told = random.uniform(0.7, 1.5) * drawn[::every] + random.uniform(50, 400)
    told += random.normal(0, noise, len(told))
    return Clamped(np.arange(len(clock))[::every] * _STEP, told, clock)


def _clock(package, end, edges, pace, holds) -> tuple[np.ndarray, np.ndarray]:
    """Return predicted time, and pace, 0 while held, of every step; an override slows feed moves and no rapids."""
    clock, rate, at, waiting = [], [], -8.0, sorted(holds)
    while at < end + 8.0:
        if waiting and at >= waiting[0][0]:
            steps = int(waiting.pop(0)[1] / _STEP)
            clock += [at] * steps
            rate += [0.0] * steps
        move = int(np.searchsorted(package.start, at, side="right")) - 1
        is_fed = move >= 0 and package.lines.program.is_cutting[move] and at < package.start[move] + package.time[move]
        rate.append(float(pace[np.searchsorted(edges, at)]) if is_fed else 1.0)
        clock.append(at)
        at += _STEP * rate[-1]
    return np.array(clock), np.array(rate)
