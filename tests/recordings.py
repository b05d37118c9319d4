# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small recordings for tests."""

from pathlib import Path

import numpy as np

from freecad_camtwin.store.recording import Recording
from freecad_camtwin.store.schema import RecordingHeader

HEADER = RecordingHeader(
    started=1.7e9,
    toolpath_hash="a" * 64,
    program_hash="b" * 64,
    program="panel.ngc",
    machine="VMC 3, hall 2",
    operator="Ö. Ünal",
    signal_map='[signals]\nload = "S1load"\n',
    simulated=True,
)


def seconds(rows: int, first: float = 1.7e9) -> np.ndarray:
    """Return the times of rows at 1 kHz."""
    return first + np.arange(rows) / 1000


def write(path: Path, times, values, events=()) -> None:
    """Record one block and finish."""
    with Recording.create(path, HEADER) as recording:
        recording.append(times, values, events)
        recording.finish()
