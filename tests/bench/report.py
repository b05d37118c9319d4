# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every benchmark measures with and writes: CPU time of contestants in turn, rows, one JSON form, one table."""

import gc
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "build" / "bench"


@dataclass(frozen=True)
class Row:
    """One measured quantity, and what it is held against."""

    name: str
    value: float | None  #: None: could not be measured here, which falls short of any requirement
    unit: str
    better: Literal["higher", "lower"]
    required: float | None = None  #: the benchmark fails when the value is worse
    aim: float | None = None  #: what we would like; missing it is shown, and is no failure

    def reaches(self, bound: float | None) -> bool:
        """Tell whether the value is at least as good as ``bound``; without a bound it always is."""
        if bound is None:
            return True
        if self.value is None or math.isnan(self.value):
            return False
        return self.value >= bound if self.better == "higher" else self.value <= bound

    @property
    def verdict(self) -> str:
        """Say in a word or two how the value stands."""
        if not self.reaches(self.required):
            return "FALLS SHORT"
        if not self.reaches(self.aim):
            return "below aim" if self.better == "higher" else "above aim"
        return "reached" if self.required is not None or self.aim is not None else ""


def cpu_medians(
    contestants: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 5,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Return each contestant's median CPU time [s].

    They run in turn, each round begun by another, so that a noisy machine hurts all alike; one run before the
    first round warms caches and compilers and is not counted. The default ``clock`` adds up all threads of this
    process; pass ``time.thread_time`` for the calling thread alone.
    """
    names = list(contestants)
    for name in names:
        contestants[name]()
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()
            gc.disable()
            start = clock()
            contestants[name]()
            times[name].append(clock() - start)
            gc.enable()
    return {name: statistics.median(spent) for name, spent in times.items()}


def machine() -> str:
    """Describe what the figures were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = (
            line.split(":", 1)[1]
            for line in cpuinfo.read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        )
        model = next(models, model).strip()
    versions = ", ".join(f"{package} {metadata.version(package)}" for package in ("numpy", "numba"))
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def publish(name: str, rows: Sequence[Row]) -> bool:
    """Write ``build/bench/NAME.json`` and print the same as a table; tell whether every required row is reached."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine(), "rows": [_finite(row) for row in rows]}
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")

    table = Table(title=f"{name} · {document['machine']}", title_justify="left")
    table.add_column("row")
    for column in ("value", "unit", "required", "aim"):
        table.add_column(column, justify="left" if column == "unit" else "right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for row in rows:
        sign = "≥ " if row.better == "higher" else "≤ "
        bounds = ["" if bound is None else f"{sign}{bound:.4g}" for bound in (row.required, row.aim)]
        colour = {"FALLS SHORT": "bold red", "reached": "green"}.get(row.verdict, "yellow")
        value = "–" if row.value is None else f"{row.value:.4g}"
        table.add_row(row.name, value, row.unit, *bounds, f"[{colour}]{row.verdict}[/]" if row.verdict else "")
    Console(width=None if os.isatty(1) else 140).print(table)
    return all(row.reaches(row.required) for row in rows)


def _finite(row: Row) -> dict[str, object]:
    """Return the row for JSON, which knows no NaN."""
    return {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in asdict(row).items()}
