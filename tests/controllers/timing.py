# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hold a schedule against what a controller did with the same program."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from freecad_camtwin.twin.cycle_time.schedule import Schedule
from freecad_camtwin.twin.job.toolpath import EventKind

#: How each mode is switched on in the program.
MODES = {"G61": "G61", "P0.01": "G64 P0.01", "P0.05": "G64 P0.05"}
#: Where the simulator stands before a program starts, and where its zero lies [mm].
START = (0.0, 0.0, 20.0)
ZERO = (0.0, 0.0, 0.0)
#: Length of a servo cycle [s].
CYCLE = 0.001
_END = re.compile(r"(?im)^[^(;]*(\bM0?2\b|\bM30\b|^%\s*\Z)")
_OTHER_MODE = re.compile(r"(?im)^\s*G6(1(\.1)?|4)(\s+[PQ][\d.]+)*\s*$\n?")


def with_mode(program: Path, mode: str, folder: Path) -> Path:
    """Write a copy of ``program`` that runs in one path mode, and return it."""
    text = _OTHER_MODE.sub("", program.read_text(encoding="utf-8"))
    head = "%\n" if text.startswith("%") else ""
    copy = folder / f"{program.stem}_{mode}.ngc"
    end = "" if _END.search(text) else "\nM2\n"
    copy.write_text(f"{head}{MODES[mode]}\n{text.removeprefix(head)}{end}")
    return copy


def motion_time(schedule: Schedule) -> float:
    """Seconds from the first to the last motion, which is what servo cycles count."""
    moves = np.flatnonzero(schedule.toolpath.length > 0)
    return float(schedule.start[moves[-1]] + schedule.time[moves[-1]] - schedule.start[moves[0]])


@dataclass(frozen=True)
class TimeErrors:
    """How much earlier (> 0) or later the controller was where the schedule puts the tool, per servo cycle [s]."""

    seconds: np.ndarray

    @property
    def p95_ms(self) -> float:
        """95 % of all cycles are nearer than this [ms]."""
        return float(np.percentile(np.abs(self.seconds), 95) * 1000)


def time_errors(schedule: Schedule, position: np.ndarray, *, window: int = 40) -> TimeErrors:
    """Find for every recorded position the time at which the schedule is nearest to it, within ``window`` cycles.

    position: (cycles, 3) from the first motion on. Where several times fit alike (at rest) the nearest one counts.
    Every stretch between two waits (tool change, spindle, dwell) has its own zero: how long LinuxCNC's task takes to
    go on is the host's doing, some ms at the speed of life and tens of ms at ten times that.
    """
    times = np.empty(len(position))
    stretches = _stretches(schedule, position)
    for (first, move), following in zip(stretches, (*stretches[1:], (len(position), 0)), strict=True):
        cycles = following[0] - first
        times[first : following[0]] = schedule.start[move] + CYCLE * np.arange(1, cycles + 1)
    best = np.full(len(position), np.inf)
    shift = np.zeros(len(position))
    for step in sorted(range(-window, window + 1), key=abs):
        apart = np.linalg.norm(position - schedule.position(times + step * CYCLE), axis=1)
        better = apart < best - 1e-6
        best[better] = apart[better]
        shift[better] = step
    return TimeErrors(shift * CYCLE)


def _stretches(schedule: Schedule, position: np.ndarray) -> list[tuple[int, int]]:
    """Return the cycle and the move with which every stretch between two waits begins."""
    path = schedule.toolpath
    going = np.flatnonzero(path.length > 0)
    waits = sorted({event.before for event in path.events if event.kind is not EventKind.PATH_MODE})
    begins = [int(going[np.searchsorted(going, before)]) for before in waits if before <= going[-1]]
    found = [(0, int(going[0]))]
    for move in begins:
        at = np.linalg.norm(position - path.start[move], axis=1) < 2e-3
        at[: found[-1][0] + 1] = False
        leaves = np.flatnonzero(at[:-1] & ~at[1:])
        if move == going[0] or not leaves.size:
            continue
        # the path may cross the point more than once: take the time that is nearest to the schedule's
        first, before = found[-1]
        expected = first + (schedule.start[move] - schedule.start[before]) / CYCLE
        found.append((int(leaves[np.abs(leaves - expected).argmin()]), move))
    return found
