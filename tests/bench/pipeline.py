# SPDX-License-Identifier: LGPL-2.1-or-later
"""The way of a run, from the machine's message to the file: every part measured, each in a process of its own.

A part that fails to run says why in a sentence, and its rows stand in the table without a value: they fall short.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from typing import Literal

from bench.report import ROOT, Row

#: Part → the rows that it owes: name, unit, which way is better, what is required.
OWED: dict[str, tuple[tuple[str, str, Literal["higher", "lower"], float], ...]] = {
    "pipeline_mqtt": (("mqtt_batch_p99_ms", "ms", "lower", 5.0), ("json_p99_ms", "ms", "lower", 3.0)),
    "pipeline_opcua": (("opcua_delivered_ratio", "", "higher", 1.0),),
    "pipeline_mtconnect": (("mtconnect_p99_ms", "ms", "lower", 15.0),),
    "pipeline_align": (
        ("align_samples_per_s", "1/s", "higher", 5e6),
        ("align_within_1_percent", "%", "higher", 99.5),
        ("lag_error_ms", "ms", "lower", 3.0),
    ),
    "store": (
        ("record_1e6_s", "s", "lower", 1.0),
        ("query_ms", "ms", "lower", 10.0),
        ("record_mb", "MB", "lower", 20.0),
    ),
}
#: Longer than any part takes on a busy machine [s].
PATIENCE = 900


def main() -> list[Row]:
    """Measure all parts, one after the other."""
    return [row for part in OWED for row in measured(part)]


def measured(part: str) -> list[Row]:
    """Return the rows of a part, those that it owes among them; where it failed, say why."""
    try:
        found = run(part)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        print(f"{part} failed: {error}")
        found = []
    return complete(part, found)


def run(part: str) -> list[Row]:
    """Let a fresh process measure a part; ValueError with the last words of one that failed."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT / "tests", ROOT, ROOT / "kernels")))}
    ended = subprocess.run(
        [sys.executable, "-c", f"from bench import pipeline; pipeline.tell({part!r})"],
        capture_output=True, text=True, env=environment, cwd=ROOT, timeout=PATIENCE, check=False,
    )  # fmt: skip
    if ended.returncode:
        raise ValueError((ended.stderr.strip().splitlines() or ["it said nothing"])[-1])
    return [Row(**row) for row in json.loads(ended.stdout.splitlines()[-1])]


def tell(part: str) -> None:
    """Measure a part here, and print its rows as a line of JSON."""
    module = importlib.import_module(f"bench.{part}")
    rows = module.rows() if hasattr(module, "rows") else module.main()
    print(json.dumps([asdict(row) for row in rows]))


def complete(part: str, found: Iterable[Row]) -> list[Row]:
    """Return what was measured, and a row without a value for everything that is owed and was not."""
    rows = list(found)
    names = {row.name for row in rows}
    missing = [
        Row(name, None, unit, better, required) for name, unit, better, required in OWED[part] if name not in names
    ]
    return [*rows, *missing]
