# SPDX-License-Identifier: LGPL-2.1-or-later
"""How late samples are that come over MQTT: from the machine's clock, through mosquitto, to their place on the path.

The machine is a process of its own that tells its rows in real time (``pipeline_source``). The receiving process is
kept on one core, with all that a recording does before it writes: connector, signal map, alignment. Batches of 100 rows
gather for 2 ms before they are sent, and that counts. Single messages come from a bare client. A figure is the median
of five runs of three seconds each, after a first second that is left out: others use this machine, too.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path

import numpy as np

from bench.pipeline_source import ITEMS
from bench.report import ROOT, Row
from controllers.mosquitto import Mosquitto
from freecad_camtwin.connectors import Options, open_connector
from freecad_camtwin.live.flow import Flow
from freecad_camtwin.live.placer import PathPlacer
from freecad_camtwin.twin.analysis.analysis import analyze
from freecad_camtwin.twin.package.package import Package, load_package, make_package, save_package
from freecad_camtwin.twin.signals.discovery import propose_signals
from plan_jobs import job_of, passes

SECONDS, WARM, ROUNDS = 4.0, 1.0, 5


def a_package(folder: Path) -> Path:
    """Write the package of a job whose program runs for longer than a round, and return its path."""
    path = folder / "part.camtwin"
    save_package(make_package(analyze(job_of(passes(rows=30)), machine="linuxcnc_sim", cell=1.0)), path)
    return path


@contextmanager
def one_core(which: int) -> Iterator[None]:
    """Keep this process, and those that it starts, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[which % len(before)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def source(*words: object) -> Iterator[subprocess.Popen[str]]:
    """Run a machine on another core than ours, ready to begin."""
    with one_core(1):
        machine = subprocess.Popen(
            [sys.executable, str(ROOT / "tests" / "bench" / "pipeline_source.py"), *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "kernels", ROOT / "tests")))},
        )
    try:
        yield machine
    finally:
        machine.kill()
        machine.communicate()


async def latencies(url: str, package: Package, machine: subprocess.Popen[str], expected: int) -> np.ndarray:
    """Return how late every placed row of a run was [s], in order of time; the machine begins when we listen."""
    flow = Flow(
        open_connector(url, Options(interval=0.01, patience=60)), propose_signals(ITEMS).signals, PathPlacer(package)
    )
    late: list[np.ndarray] = []
    seen = 0
    asyncio.get_running_loop().call_later(1.0, lambda: (machine.stdin.write("\n"), machine.stdin.flush()))
    async with asyncio.timeout(60), aclosing(flow.blocks()) as blocks:
        async for block in blocks:
            now = time.time()
            if block.columns.rows:
                placed = np.isfinite(block.columns.column("way"))
                late.append(np.where(placed, now - block.columns.time, np.inf))
                seen += block.columns.rows
                if seen >= expected:
                    break
    return np.concatenate(late)


def p99(url: str, path: Path, rate: float, at_once: int) -> float:
    """Return the 99th percentile of the rows' latencies [s], the median of the rounds."""
    package = load_package(path)
    found = []
    for _ in range(ROUNDS):
        with source(url, path, rate, at_once, SECONDS) as machine, one_core(0):
            address = machine.stdout.readline().strip()
            try:
                late = asyncio.run(latencies(address, package, machine, int(rate * SECONDS * 0.995)))
            except TimeoutError:  # rows were lost
                late = np.full(int(rate * SECONDS), np.inf)
        found.append(float(np.percentile(late[int(rate * WARM) :], 99)))
    return float(np.median(found))


def rows() -> list[Row]:
    """Measure batches and JSON."""
    with tempfile.TemporaryDirectory() as folder:
        path = a_package(Path(folder))
        with one_core(1):
            broker = Mosquitto(Path(folder)).start()
        try:
            url = f"mqtt://127.0.0.1:{broker.port}/bench"
            batch = p99(url, path, 50_000, 100)
            single = p99(f"plain:{broker.port}:bench", path, 5_000, 1)
        finally:
            broker.stop()
    return [
        Row("mqtt_batch_p99_ms", 1e3 * batch, "ms", "lower", required=5.0),
        Row("json_p99_ms", 1e3 * single, "ms", "lower", required=3.0),
    ]


if __name__ == "__main__":
    for row in rows():
        print(row.name, row.value)
