# SPDX-License-Identifier: LGPL-2.1-or-later
"""What engagement costs: against FreeCAD's own simulator, against C, for a million segments, and how exact it is.

Speeds are CPU time of one thread unless the row says otherwise: medians of interleaved runs. A run of ours is the
whole of ``engage`` from the job to the result (of the raw stock that it was given); FreeCAD's is its moves alone.
"""

import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from bench import engagement_accuracy as accuracy
from bench.report import ROOT, Row
from camtwin_kernels import stock as tiles
from camtwin_kernels.engagement import ALONE, CUT_MOVES
from freecad_camtwin.twin.cut import engagement as twin
from freecad_camtwin.twin.cut import sweep
from freecad_camtwin.twin.cut.cutters import cutters_of
from freecad_camtwin.twin.cut.engagement import engage
from freecad_camtwin.twin.cut.height_field import HeightField, memory_estimate
from freecad_camtwin.twin.cut.reduced import reduce
from freecad_camtwin.twin.job.job import Stock
from freecad_camtwin.twin.job.tool import Shape, Tool
from reference_engagement import job, toolpath

FREECAD_PYTHON = "/usr/bin/python3"
BLOCK = Stock((0.0, 0.0, -30.0), (150.0, 100.0, 0.0))
PLATE = Stock((0.0, 0.0, -20.0), (300.0, 300.0, 0.0))
FLAT, BALL, BULL = Tool(6.0, Shape.FLAT), Tool(6.0, Shape.BALL), Tool(6.0, Shape.BULL, re=1.0)
ROUNDS = 5


def adaptive_points():
    """The adaptive pocket, (57064, 3) [mm]."""
    with np.load(ROOT / "tests" / "data" / "engagement_jobs" / "adaptive.npz") as data:
        return np.cumsum(data["steps"].astype(np.int64), axis=0) * 1e-4


def raster_points():
    """A ball raster over a wavy floor from the full block, 0.5 mm apart along and across, (60501, 3) [mm]."""
    return _raster(
        np.arange(201) * 0.5, np.linspace(0, 150, 301), lambda x, y: -3 + 1.5 * np.sin(x / 12) * np.cos(y / 15)
    )


def plate_floor(x, y):
    """The floor of the million-segment raster [mm]."""
    return -8 + 5 * np.sin(x / 25) * np.cos(y / 30) + 0.8 * np.sin(x / 6 + y / 9)


def million_points():
    """A finishing raster of 1,000,000 segments over 300 × 300 mm, (1000001, 3) [mm]."""
    return _raster(np.arange(1501) * 0.2, np.linspace(0, 300, 668), plate_floor)[:1_000_001]


def _raster(rows, columns, floor):
    x = np.tile(columns, (len(rows), 1))
    x[1::2] = x[1::2, ::-1].copy()
    y = np.repeat(rows[:, None], len(columns), axis=1)
    return np.stack([x, y, floor(x, y)], axis=-1).reshape(-1, 3)


def plate_stock(cell=0.1):
    """The plate roughed to 0.3 mm above its floor."""
    field = HeightField.of(PLATE, cell)
    for row in range(field.rows):
        x, y = field.samples(row)
        top = (plate_floor(x, y) + 0.3 - PLATE.lower[2]) / twin.QUANTUM
        part = field.height[row * field.columns : (row + 1) * field.columns]
        np.minimum(part, top.astype(np.int32), out=part)
    return field


def freecad_seconds(points, shape, cell, folder):
    """CPU seconds of FreeCAD's path simulator, or None where there is no FreeCAD."""
    file = folder / f"{shape}.npz"
    if not file.exists():
        np.savez(file, start=points[:-1], end=points[1:])
    script = Path(__file__).with_name("engagement_freecad.py")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    try:
        out = subprocess.run(
            [FREECAD_PYTHON, script, file, shape, str(cell)],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
    return float(out.split("seconds")[1])


class Port:
    """The C port, compiled for this machine."""

    def __init__(self, folder):
        library = folder / "engagement.so"
        source = Path(__file__).with_suffix(".c")
        flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
        subprocess.run(["gcc", *flags, "-o", library, source, "-lm"], check=True)
        self.function = ctypes.CDLL(str(library)).engage

    def seconds(self, points, tool, cell):
        """CPU seconds, and the removed quanta."""
        field = HeightField.of(BLOCK, cell)
        length = np.linalg.norm(np.diff(points, axis=0), axis=1)
        steps = np.maximum(length / max(5 * cell, 0.5), 1).astype(np.int64)
        local = np.ascontiguousarray(points - BLOCK.lower)
        top, total = field.height.max(axis=1), int(steps.sum())
        volume, nothing = np.zeros(total, np.int64), 2**30
        highest, right, left = (np.full(total, n, np.int32) for n in (-nothing, nothing, -nothing))
        scratch = np.empty(3 * (len(top) + 1), np.int32)
        at = [
            ctypes.c_void_p(a.ctypes.data)
            for a in (field.height, top, tiles.XS, tiles.YS, local, steps, volume, highest, right, left, scratch)
        ]
        whole, real = ctypes.c_int64, ctypes.c_double
        began = time.thread_time()
        self.function(
            *at[:2], whole(field.rows), whole(field.columns), real(cell), real(30.0), *at[2:6], whole(len(steps)),
            ctypes.c_int(tool.shape is Shape.BALL), real(3.0), *at[6:],
        )  # fmt: skip
        return time.thread_time() - began, int(volume.sum())


def kernel_seconds(work, cell):
    """CPU seconds of our kernel alone, as the port does it, and the removed quanta."""
    path, field = work.toolpath, HeightField.of(BLOCK, cell)
    cutters = cutters_of(work, [])
    moves = twin._divide(path, cutters, field, np.flatnonzero(~path.is_cutting))
    view, cut = field.view(), sweep.empty_cut(np.zeros((int(moves.first[-1]), 1), np.int32))
    scratch = sweep.scratch(len(view.top))
    cut_moves = CUT_MOVES[int(cutters.shape[0])]
    began = time.thread_time()
    cut_moves(view, cutters, moves, 0, path.moves, cut, scratch, ALONE)
    return time.thread_time() - began, int(cut.volume.sum())


def seconds(function, clock=time.process_time):
    """Seconds that ``function`` takes."""
    began = clock()
    function()
    return clock() - began


def against_freecad(rows, folder):
    """Ratios to FreeCAD's simulator, each run of ours beside one of its."""
    flat, ball = job(toolpath(adaptive_points()), FLAT, stock=BLOCK), job(toolpath(raster_points()), BALL, stock=BLOCK)
    cases = [
        ("flat_0.1", flat, 0.1, 1, 18, 30),
        ("flat_0.1_full", flat, 0.1, 4, 12, 20),
        ("ball_0.1", ball, 0.1, 1, 12, 20),
        ("flat_0.25", flat, 0.25, 1, 7, 10),
        ("flat_0.5", flat, 0.5, 1, 4, 6),
    ]
    ours, theirs = {case[0]: [] for case in cases}, {case[0]: [] for case in cases}
    for turn in range(ROUNDS + 1):
        for name, work, cell, slices, _, _ in cases:
            raw = HeightField.of(BLOCK, cell)

            def run(work=work, raw=raw, slices=slices):
                found, _ = engage(work, stock=raw, slices=slices)
                if slices > 1:
                    reduce(found, work)

            spent = seconds(run)
            if turn == 0:
                continue  # compiles
            ours[name].append(spent)
            if name == "flat_0.1_full":
                theirs[name] = theirs["flat_0.1"]
            else:
                shape = "ball" if name.startswith("ball") else "flat"
                points = np.vstack([work.toolpath.start[:1], work.toolpath.end])
                theirs[name].append(freecad_seconds(points, shape, cell, folder))
    for name, _, _, _, required, aim in cases:
        known = [value for value in theirs[name] if value is not None]
        ratio = statistics.median(known) / statistics.median(ours[name]) if known else None
        rows.append(Row(name, ratio, "× FreeCAD", "higher", required, aim))
        rows.append(Row(f"{name}_s", statistics.median(ours[name]), "s", "lower"))


def against_c(rows, folder):
    """Our kernel's time as a share of the C port's."""
    port = Port(folder)
    for name, points, tool, required, aim in (
        ("vs_c_flat", adaptive_points(), FLAT, 1.5, 1.2),
        ("vs_c_ball", raster_points(), BALL, 1.0, 0.8),
    ):
        work = job(toolpath(points), tool, stock=BLOCK)
        pairs = [(kernel_seconds(work, 0.1), port.seconds(points, tool, 0.1)) for _ in range(ROUNDS + 1)][1:]
        gap = abs(pairs[0][0][1] - pairs[0][1][1]) / pairs[0][1][1]
        assert gap < 1e-3, f"the port removes another volume: {gap:.2%}"
        ours, its = (statistics.median(pair[side][0] for pair in pairs) for side in (0, 1))
        rows.append(Row(name, ours / its, "× C", "lower", required, aim))


def bull_against_ball(rows):
    """The same sloped raster with a bull nose and with a ball."""
    works = [job(toolpath(raster_points()), tool, stock=BLOCK) for tool in (BULL, BALL)]
    raw = HeightField.of(BLOCK, 0.1)
    times = [
        [seconds(lambda work=work: engage(work, stock=raw, slices=1)) for work in works] for _ in range(ROUNDS + 1)
    ]
    bull, ball = (statistics.median(column) for column in zip(*times[1:], strict=True))
    rows.append(Row("bull_vs_ball", bull / ball, "× ball", "lower", 2.0))


def memory_kb(name):
    """One figure of this process's memory."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{name}:")[1].split()[0])


def million(rows):
    """A million segments: CPU, memory beyond the loaded job, and two threads."""
    work = job(toolpath(million_points()), BALL, stock=PLATE)
    engage(job(toolpath(million_points()[:50]), BALL, stock=PLATE), cell=0.5, slices=1)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = memory_kb("VmRSS")
    raw = plate_stock()
    found, left = engage(work, stock=raw, slices=1)
    taken = (memory_kb("VmHWM") - before) / 1024
    assert found.steps >= 1_000_000
    del found, left

    def cut(threads=1):
        return engage(work, stock=raw, slices=1, threads=threads)

    def cut_both():
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda _: cut(), range(2)))

    cpu, one, two, apart = [], [], [], []
    for _ in range(2 * ROUNDS):  # other guests of a processor come and go
        began = time.perf_counter()
        cpu.append(seconds(cut))
        one.append(time.perf_counter() - began)
        two.append(seconds(lambda: cut(threads=2), time.perf_counter))
        apart.append(seconds(cut_both, time.perf_counter) / 2)
    rows.append(Row("million_cpu_s", statistics.median(cpu), "s", "lower", 1.0, 0.5))
    rows.append(Row("million_mb", taken, "MB", "lower", 300))
    together, both = ([a / b for a, b in zip(one, times, strict=True)] for times in (two, apart))
    rows.append(Row("threads2_wall", statistics.median(together), "×", "higher", 1.5, 1.8))
    # What the machine gives at all: two jobs that have nothing to do with each other.
    rows.append(Row("two_jobs_wall", statistics.median(both), "×", "higher"))


def growth(rows):
    """Exponents of cost over path length (at most 1) and over 1/cell (at most 2)."""
    points, raw = adaptive_points(), HeightField.of(BLOCK, 0.1)
    half = job(toolpath(points[: len(points) // 2]), FLAT, stock=BLOCK)
    whole = job(toolpath(points), FLAT, stock=BLOCK)
    fields = {cell: HeightField.of(BLOCK, cell) for cell in (0.1, 0.05)}
    lengths = [float(work.toolpath.length.sum()) for work in (half, whole)]
    a, b, c = ([] for _ in range(3))
    for _ in range(ROUNDS):
        a.append(seconds(lambda: engage(half, stock=raw, slices=1)))
        b.append(seconds(lambda: engage(whole, stock=raw, slices=1)))
        c.append(seconds(lambda: engage(whole, stock=fields[0.05], slices=1)))
    m = [statistics.median(times) for times in (a, b, c)]
    rows.append(
        Row("growth_with_length", float(np.log(m[1] / m[0]) / np.log(lengths[1] / lengths[0])), "power", "lower", 1.2)
    )
    rows.append(Row("growth_with_1/cell", float(np.log2(m[2] / m[1])), "power", "lower", 2.0))


FIRST_CALL = """
import json, sys, time
began = time.process_time()
sys.path[:0] = {path!r}
import bench.engagement_first as first
imported = time.process_time()
first.run()
print(json.dumps([time.process_time() - began, time.process_time() - imported]))
"""


def first_call(rows):
    """Seconds of the first analysis in a new process, with and without compiled kernels at hand."""
    code = FIRST_CALL.format(path=[str(ROOT), str(ROOT / "kernels"), str(ROOT / "tests")])
    with tempfile.TemporaryDirectory() as cache:
        spent = []
        for turn in range(2 * ROUNDS):  # the first of each two with an empty cache
            out = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True,
                env=os.environ | {"CAMTWIN_CACHE": f"{cache}/{turn // 2}"},
            ).stdout  # fmt: skip
            spent.append(json.loads(out.splitlines()[-1]))
    rows.append(Row("jit_first_s", statistics.median(both[0] for both in spent[::2]), "s", "lower", 8.0, 4.0))
    rows.append(Row("jit_cached_s", statistics.median(both[1] for both in spent[1::2]), "s", "lower", 0.45, 0.3))
    rows.append(Row("process_cached_s", statistics.median(both[0] for both in spent[1::2]), "s", "lower"))


AVX2 = """
import sys
sys.path[:0] = {path!r}
from bench import engagement as e
for points, tool in ((e.adaptive_points(), e.FLAT), (e.raster_points(), e.BALL)):
    work = e.job(e.toolpath(points), tool, stock=e.BLOCK)
    print(min(e.kernel_seconds(work, 0.1)[0] for _ in range(4)))
"""


def without_avx512(rows):
    """Our kernel's seconds as compiled for a processor with AVX2 only."""
    code = AVX2.format(path=[str(ROOT), str(ROOT / "kernels"), str(ROOT / "tests")])
    with tempfile.TemporaryDirectory() as cache:
        only = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma,+bmi,+bmi2,+avx,+f16c,+popcnt"}
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env=os.environ | only | {"CAMTWIN_CACHE": cache},
        ).stdout  # fmt: skip
    for name, value in zip(("avx2_flat_s", "avx2_ball_s"), map(float, out.split()), strict=True):
        rows.append(Row(name, value, "s", "lower"))


def stock_memory(rows):
    """Memory of a 500 × 500 × 50 mm stock."""
    before = memory_kb("VmRSS")
    field = HeightField.of(Stock((0, 0, -50), (500, 500, 0)), 0.1)
    rows.append(Row("stock_mb", (memory_kb("VmRSS") - before) / 1024, "MB", "lower", 250))
    print(f"at a cell of 0.05 mm it would take {memory_estimate(500, 500, 0.05) / 1e6:.0f} MB")
    del field


def main() -> list[Row]:
    """Return all rows."""
    rows: list[Row] = []
    stock_memory(rows)
    million(rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        against_freecad(rows, folder)
        against_c(rows, folder)
    bull_against_ball(rows)
    growth(rows)
    rows.append(Row("arc_p95_deg", accuracy.arc_error_p95(0.1), "°", "lower", 2.5))
    rows.append(Row("arc_p95_deg_0.05", accuracy.arc_error_p95(0.05, 6), "°", "lower", None, 1.0))
    rows.append(Row("ae_rms_percent", accuracy.ae_rms_percent(0.1), "%", "lower", 8, 3))
    rows.append(Row("bull_mm", accuracy.bull_error(), "mm", "lower", 0.005))
    first_call(rows)
    without_avx512(rows)
    return rows
