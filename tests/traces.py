# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a real LinuxCNC did at every servo cycle, kept small: line and position of programs in tests/data/cycle_times.

``PYTHONPATH=.:kernels:tests python tests/traces.py`` records them anew, where LinuxCNC is installed.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

PROGRAMS = Path(__file__).parent / "data" / "cycle_times"
FOLDER = Path(__file__).parent / "data" / "traces"
#: Program and path mode of every trace.
TRACES = {
    "zigzag_P0.01": ("zigzag", "G64 P0.01"),
    "trochoid_P0.01": ("trochoid", "G64 P0.01"),
    "trochoid_P0.05": ("trochoid", "G64 P0.05"),
    "coverglass_P0.01": ("coverglass", "G64 P0.01"),
    "panel_P0.01": ("vertical_panel", "G64 P0.01"),
    "drill_P0.01": ("drill", "G64 P0.01"),
}
#: Where every run started [mm].
START = (0.0, 0.0, 20.0)
_UNIT = 1e-4  # positions are kept to a ten-thousandth of a millimetre


@dataclass(frozen=True)
class Trace:
    """One row per servo cycle of 1 ms, from the first to the last that moved."""

    program: str  #: the program's text, as it ran
    line: np.ndarray  #: (cycles,) the line that LinuxCNC's planner was executing
    position: np.ndarray  #: (cycles, 3) commanded [mm]

    @property
    def time(self) -> np.ndarray:
        """The end of every cycle [s]."""
        return np.arange(1, len(self.line) + 1) * 1e-3


def text(name: str) -> str:
    """The program of a trace with its path mode."""
    program, mode = TRACES[name]
    return f"{mode}\n{(PROGRAMS / f'{program}.ngc').read_text()}"


def load(name: str) -> Trace:
    """Read a trace."""
    with np.load(FOLDER / f"{name}.npz") as stored:
        steps = np.concatenate([stored["first"], stored["bend"].astype(np.int64)])
        position = np.cumsum(np.cumsum(steps, axis=0), axis=0) * _UNIT
        line = np.repeat(stored["line"].astype(np.int32), stored["cycles"])
    return Trace(text(name), line, position)


def save(name: str, line: np.ndarray, position: np.ndarray) -> None:
    """Keep a trace as runs of lines and second differences of positions, which are small and much alike."""
    begins = np.flatnonzero(np.diff(line, prepend=-1))
    ticks = np.rint(position / _UNIT).astype(np.int64)
    steps = np.diff(ticks, axis=0, prepend=np.zeros((1, 3), np.int64))
    bends = np.diff(steps, axis=0, prepend=np.zeros((1, 3), np.int64))
    np.savez_compressed(
        FOLDER / f"{name}.npz",
        line=line[begins].astype(np.int16),
        cycles=np.diff(begins, append=len(line)).astype(np.int32),
        first=bends[:2],
        bend=bends[2:].astype(np.int16),
    )


def main() -> None:
    """Run all programs on LinuxCNC and keep what it did."""
    from controllers.linuxcnc.harness import Controller

    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Controller(10.0) as controller:
        for name in TRACES:
            program = Path(folder) / f"{name}.ngc"
            program.write_text(text(name))
            run = controller.run(program, start=START)
            save(name, run.line, run.position)
            kept = load(name)
            assert (kept.line == run.line).all()
            assert np.abs(kept.position - run.position).max() < _UNIT


if __name__ == "__main__":
    main()
