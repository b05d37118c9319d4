# SPDX-License-Identifier: LGPL-2.1-or-later
"""A posted job on a real LinuxCNC, all the way: poller, bridge, broker and OPC UA server, recorders; and what was true.

The bridge runs here, both recorders are ``camtwin record`` in processes of their own. The controller cuts nothing, so
the power is a simulated clamp's (controllers/linuxcnc/clamp.py). What is true is told by LinuxCNC's own sampler, once
per servo cycle; rows and cycles are joined by the controller's clock, which the poller reads beside the status.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from aligning import lagged
from calling import ROOT
from controllers.linuxcnc.harness import CLOCK, CYCLE, Run
from controllers.linuxcnc.harness import Controller as Fenced
from controllers.mosquitto import PATIENCE, Certificates, Mosquitto, trusting
from controllers.pulled import Clamp, clamp_table
from controllers.truth import true_moves, true_ways
from freecad_camtwin.connectors import Options
from freecad_camtwin.connectors.linuxcnc.controller import PolledController, PollerSettings
from freecad_camtwin.live.bridge import Bridge
from freecad_camtwin.publishers import PublisherOptions, Spoken, open_publisher
from freecad_camtwin.store.reader import RecordingReader
from freecad_camtwin.twin.alignment.align import Aligner, Alignment
from freecad_camtwin.twin.package.package import Package, save_package
from freecad_camtwin.twin.signals.columns import Columns
from freecad_camtwin.twin.signals.observation import Samples

ACCESS = "user bridge\ntopic write mill/#\ntopic read mill/cmd/#\nuser recorder\ntopic read mill/#\n"
CLAMP = Path(__file__).parent / "controllers" / "linuxcnc" / "clamp.py"
#: So long a program may take, beside what the controller needs for it [s].
SPARE = 120


class Tap:
    """A source, whose rows are kept as they pass."""

    def __init__(self, source):
        self.source, self.told, self.blocks = source, source.told, []

    async def observations(self):
        async with aclosing(self.source.observations()) as found:
            async for observation in found:
                if isinstance(observation, Samples):
                    self.blocks.append(observation)
                yield observation

    async def offered(self):
        return await self.source.offered()


@dataclass(frozen=True)
class Proof:
    """What was recorded of a run, and what is true of it."""

    package: Package
    run: Run
    told: Samples  #: all rows of the poller
    recordings: dict[str, Path]

    def columns(self, way: str) -> Columns:
        """Return the rows of a recording during the run."""
        with RecordingReader(self.recordings[way]) as reader:
            rows = reader.query([name for name in reader.columns if name not in PLACES])
        columns = Columns(rows.time, dict(rows.columns))
        cycle = self.cycles(columns.time)
        inside = np.flatnonzero((cycle >= 0) & (cycle < len(self.run.line)))
        return columns.part(slice(int(inside[0]), int(inside[-1]) + 1))

    def missing(self, way: str) -> int:
        """Return how many of the poller's rows during the run are not in a recording."""
        cycle = self.cycles(self.told.time)
        sent = self.told.time[(cycle >= 0) & (cycle < len(self.run.line))]
        kept = self.columns(way).time
        nearest = kept[np.clip(np.searchsorted(kept, sent - 5e-7), 0, len(kept) - 1)]
        return int((np.abs(nearest - sent) > 1e-6).sum())

    def clock(self, time) -> np.ndarray:
        """Return the controller's clock at rows of the poller [s]."""
        return np.interp(time, self.told.time, self.told.values[:, self.told.items.index("clock")])

    def cycles(self, time) -> np.ndarray:
        """Return the servo cycle of rows."""
        return np.rint((self.clock(time) - self.run.clock[0]) / CYCLE).astype(int)

    @cached_property
    def moves(self) -> np.ndarray:
        """The program's move of every servo cycle."""
        return true_moves(self.package.lines.program, self.run.line, self.run.position)

    def within_1_percent(self, found: Alignment, cycles: np.ndarray | None = None) -> float:
        """Return how many of the samples in feed moves are within one move of the truth [%].

        cycles: the servo cycle of every sample; None: what its time says
        """
        cycles = self.cycles(found.time) if cycles is None else cycles
        true = self.moves[np.clip(cycles, 0, len(self.moves) - 1)]
        cutting = (true >= 0) & self.package.lines.program.is_cutting[np.maximum(true, 0)]
        return 100.0 * float((np.abs(found.executed - true)[cutting] <= 1).mean())

    def age(self, columns: Columns) -> float:
        """Return how old reported positions are, compared with the commanded ones [s]."""
        tried = np.arange(0.0, 0.021, 0.0005)
        return float(min(tried, key=lambda age: np.abs(self.positions(columns, age) - columns.points).mean()))

    def positions(self, columns: Columns, age: float) -> np.ndarray:
        """Return where the controller had its axes ``age`` before every row, (n, 3) [mm]."""
        at = self.clock(columns.time) - age
        return np.stack([np.interp(at, self.run.clock, self.run.position[:, axis]) for axis in range(3)], axis=1)

    def lagging(self, lag: float, bias: tuple[float, float, float], *, line: bool) -> tuple[Columns, np.ndarray]:
        """Return what axes that lag, with a work zero that is off, would have told 100 times a second; and when."""
        cycles = np.arange(0, len(self.run.line), 10)
        points = lagged(self.run.position, lag)[cycles] + np.array(bias)
        values = dict(zip("xyz", points.T, strict=True))
        if line:
            values["line"] = self.run.line[cycles].astype(float)
        return Columns(self.told.time[0] + self.run.clock[cycles], values), cycles

    def boundary_errors(self, found: Alignment) -> list[float]:
        """Return by how much an alignment misses the first and the last cut of each operation [s].

        In the air between two operations the load tells nothing; what it can tell is where the cutting ends and begins.
        """
        true = true_ways(self.package.lines.program, self.moves, self.run.position)
        clock = self.told.values[:, self.told.items.index("clock")]
        when = np.interp(self.run.clock, clock, self.told.time)
        return [
            abs(_reached(found.time, found.way, way) - _reached(when, true, way))
            for span in cut_spans(self.package)
            for way in span
        ]


def cut_spans(package: Package) -> list[tuple[float, float]]:
    """Return where along the program's path the first and the last cut of each operation are [mm]."""
    lines, steps = package.lines, package.steps
    spans = []
    for operation in np.unique(lines.operation[lines.program.is_cutting]):
        moves = np.flatnonzero((lines.operation == operation) & (lines.move >= 0))
        made = np.isin(steps.move, lines.move[moves]) & (steps.volume > 1e-6)
        if made.any():
            rows = np.flatnonzero(made)[[0, -1]]
            begin, end = (moves[lines.move[moves] == steps.move[row]][0] for row in rows)
            spans.append((lines.way[begin] + steps.begin[rows[0]], lines.way[end] + steps.end[rows[1]]))
    return spans


def _reached(time: np.ndarray, ways: np.ndarray, way: float) -> float:
    """Return when a way was reached, but for the last 0.05 mm; infinite if never."""
    there = np.flatnonzero(ways >= way - 0.05)
    return float(time[there[0]]) if there.size else float("inf")


#: Columns that the recorder adds.
PLACES = {"operation", "move", "way", "predicted_power", "confidence"}


def prove(folder: Path, package: Package, program: Path, *, rate: float = 100.0) -> Proof:
    """Run a program at the speed of life, record it over MQTT and over OPC UA, and return what came of it."""
    save_package(package, folder / "job.camtwin")
    compiled(package)
    with Fenced(speed=1) as fenced, simulated_clamp(fenced, package), guarded_broker(folder) as (broker, people):
        return asyncio.run(_prove(folder, package, program, rate, fenced, broker, people))


def compiled(package: Package) -> None:
    """Let the kernels that recorders need lie in the cache: nobody shall wait for two processes that compile them."""
    path = package.lines.program
    values = dict(zip("xyz", path.end.T, strict=True)) | {"line": path.line.astype(float)}
    aligner = Aligner(package)
    aligner.take(Columns(1.7e9 + np.arange(path.moves) / 100, values))
    aligner.rest()


@contextmanager
def simulated_clamp(fenced, package, clamp=None):
    """Run the simulated clamp beside a controller."""
    (fenced.folder / "clamp.json").write_text(clamp_table(package, clamp or Clamp()))
    shutil.copy(CLAMP, fenced.folder)
    process = subprocess.Popen(
        fenced.inside("/usr/bin/python3", "/tmp/clamp.py", "/tmp/clamp.json"), stdout=subprocess.PIPE
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)
        process.stdout.close()


@contextmanager
def guarded_broker(folder):
    """Run a mosquitto that asks everybody for a certificate, and knows who may do what."""
    certificates = Certificates(folder)
    people = {"bridge": certificates.named("bridge"), "recorder": certificates.recorder}
    (folder / "access").write_text(ACCESS)
    lines = [
        "allow_anonymous false",
        f"acl_file {folder / 'access'}",
        f"cafile {certificates.authority}",
        f"certfile {certificates.broker[0]}",
        f"keyfile {certificates.broker[1]}",
        "require_certificate true",
        "use_identity_as_username true",
    ]
    with Mosquitto(folder, lines, trusting(certificates, people["recorder"])).running() as broker:
        yield broker, {name: (*pair, certificates.authority) for name, pair in people.items()}


async def _prove(folder, package, program, rate, fenced, broker, people) -> Proof:
    pins = {"spindle_power": "clamp.power", "clock": CLOCK}
    source = PolledController(PollerSettings(rate, pins), Options(), fenced.poller())
    source.told.simulated = True
    tap = Tap(source)
    spoken = Spoken("LinuxCNC", "linuxcnc-proof", await source.offered(), simulated=True)
    certificate, key, authority = people["bridge"]
    own = PublisherOptions(certificate=certificate, key=key, authority=authority)
    mqtt = open_publisher(f"mqtts://127.0.0.1:{broker.port}/mill", spoken, own)
    server = open_publisher("opc.tcp://127.0.0.1:0", spoken)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(bridged(Bridge(tap, (mqtt, server))))
        async with asyncio.timeout(PATIENCE):
            while not tap.blocks:
                await asyncio.sleep(0.02)
        certificate, key, authority = people["recorder"]
        words = ["--cert", certificate, "--key", key, "--ca", authority]
        starts = {"mqtt": (f"mqtts://127.0.0.1:{broker.port}/mill/#", *words), "opcua": (server.address,)}
        recorders = {way: await stack.enter_async_context(recorder(folder, way, *starts[way])) for way in starts}
        async with asyncio.timeout(PATIENCE):
            while not all((folder / f"{way}.run").exists() for way in starts):
                for way, process in recorders.items():
                    assert process.returncode is None, (folder / f"{way}.log").read_text()
                await asyncio.sleep(0.05)
        timeout = float(package.time.sum()) + SPARE
        run = await asyncio.to_thread(fenced.run, program, timeout=timeout)
        for way, process in recorders.items():
            async with asyncio.timeout(PATIENCE):
                await process.wait()
            assert process.returncode == 0, (folder / f"{way}.log").read_text()
    blocks = tap.blocks
    told = Samples(
        np.concatenate([each.time for each in blocks]),
        blocks[0].items,
        np.concatenate([each.values for each in blocks]),
    )
    return Proof(package, run, told, {way: folder / f"{way}.run" for way in recorders})


@asynccontextmanager
async def bridged(bridge):
    """Let a bridge run; what it raises is raised."""
    task = asyncio.create_task(bridge.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def recorder(folder, way, *words):
    """Yield the process of a ``camtwin record``."""
    command = [sys.executable, "-m", "freecad_camtwin.cli.main", "record", *words, "--job", folder / "job.camtwin"]
    with (folder / f"{way}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *map(str, command), "-o", str(folder / f"{way}.run"),
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'kernels'}"}, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
