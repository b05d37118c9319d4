# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a recording costs: a million rows of eight columns at 1 kHz, written, weighed and asked.

Four of the columns are the noise of sensors with all digits of a 32-bit float, which no compression shortens much;
the others are what a control reports and the alignment adds. The query asks one column of one operation in a range of
time that holds 100,000 rows.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

from bench.report import Row, cpu_medians
from freecad_camtwin.store.reader import RecordingReader
from freecad_camtwin.store.recording import Recording
from freecad_camtwin.store.schema import RecordingHeader

ROWS = 1_000_000
BLOCK = 1_000  # rows of one call, as a source of 1 kHz delivers them in a second


def a_run() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the times and the columns of 1000 s with 50 operations."""
    row = np.arange(ROWS)
    noise = np.random.default_rng(0).normal(0, 1, (4, ROWS))
    sensors = {
        "load": 50 + 10 * np.sin(row / 300) + noise[0],
        "n_rpm": 8000 + 3 * noise[1],
        "feed": 20 + 0.1 * noise[2],
        "vibration": 200 + 30 * noise[3],
    }
    control = {
        "x": np.round(100 * np.sin(row / 5000), 4),
        "operation": row // 20_000 * 1.0,
        "move": row // 100 * 1.0,
        "line": row // 100 * 10.0,
    }
    return 1.7e9 + row / 1000, {name: value.astype("f4").astype("f8") for name, value in sensors.items()} | control


def record(path: Path, times: np.ndarray, columns: dict[str, np.ndarray]) -> None:
    """Record the run anew."""
    path.unlink(missing_ok=True)
    with Recording.create(path, RecordingHeader(started=times[0])) as recording:
        for start in range(0, ROWS, BLOCK):
            block = slice(start, start + BLOCK)
            recording.append(times[block], {name: column[block] for name, column in columns.items()})
        recording.finish()


def main() -> list[Row]:
    """Measure writing, size and asking."""
    times, columns = a_run()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        written = cpu_medians({"record": lambda: record(path, times, columns)}, rounds=3)
        with RecordingReader(path) as reader:
            asked = cpu_medians(
                {
                    "query": lambda: reader.query(["load"], times[400_000], times[500_000], operation=22),
                    "bands": lambda: reader.bands("load", 1000),
                    "all": lambda: reader.query(["load"]),
                },
                rounds=9,
                clock=time.thread_time,
            )
        size = path.stat().st_size
    return [
        Row("record_1e6_s", written["record"], "s", "lower", required=1.0),
        Row("query_ms", asked["query"] * 1e3, "ms", "lower", required=10.0),
        Row("record_mb", size / 1e6, "MB", "lower", required=20.0),
        Row("chart_bands_ms", asked["bands"] * 1e3, "ms", "lower"),
        Row("column_of_1e6_ms", asked["all"] * 1e3, "ms", "lower"),
    ]
