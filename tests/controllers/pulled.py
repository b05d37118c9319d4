# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the simulated clamp beside LinuxCNC (linuxcnc/clamp.py) is to show: a package's prediction, falsified."""

import json
from dataclasses import asdict, dataclass

import numpy as np

from freecad_camtwin.twin.job.toolpath import PLANE_AXES, MoveKind

#: Chords that stand for an arc.
CHORDS = 32


@dataclass(frozen=True)
class Clamp:
    """What nobody tells the twin."""

    gain: float = 1.15  #: the material pulls so much harder than predicted
    idle: float = 40.0  #: drawn by the turning spindle alone [W]
    lag: float = 0.05  #: time constant of the clamp [s]
    noise: float = 0.15  #: standard deviation of what it shows [W]


def clamp_table(package, clamp):
    """Return the clamp's table as JSON."""
    path = package.lines.program
    moves = [piece for move in range(path.moves) for piece in _pieces(package, path, move)]
    return json.dumps({**asdict(clamp), "moves": moves})


def _pieces(package, path, move):
    """Yield one row per chord of a program's move: line, feed, start, end and the steps on it."""
    points = chords(path, move)
    ways = np.linspace(0.0, path.length[move], len(points))
    steps = _steps(package, path, move)
    feed = float(path.feed[move]) if path.feed[move] > 0 else 1.0
    for start, end, way, until in zip(points[:-1], points[1:], ways[:-1], ways[1:], strict=True):
        on = [[end_of - way, watts] for begin_of, end_of, watts in steps if end_of > way and begin_of < until]
        yield [int(path.line[move]), feed, start.tolist(), end.tolist(), on]


def chords(path, move):
    if path.kind[move] != MoveKind.ARC:
        return np.array([path.start[move], path.end[move]])
    u, v, w = PLANE_AXES[path.plane[move]]
    angle = np.linspace(0.0, path.sweep[move], CHORDS + 1)
    spoke = path.start[move] - path.centre[move]
    points = np.empty((CHORDS + 1, 3))
    points[:, u] = path.centre[move][u] + spoke[u] * np.cos(angle) - spoke[v] * np.sin(angle)
    points[:, v] = path.centre[move][v] + spoke[u] * np.sin(angle) + spoke[v] * np.cos(angle)
    points[:, w] = np.linspace(path.start[move][w], path.end[move][w], CHORDS + 1)
    return points


def _steps(package, path, move):
    """Return (begin, end, watts) of the steps of a program's move, in mm along it."""
    lines, steps, made = package.lines, package.steps, int(package.lines.move[move])
    share = lines.end[move] - lines.begin[move]
    if made < 0 or share <= 0 or path.kind[move] == MoveKind.RAPID:
        return []
    whole = package.job.toolpath.length[made]
    scale = path.length[move] / (share * whole) if whole else 0.0
    return [
        [
            float((steps.begin[row] - lines.begin[move] * whole) * scale),
            float((steps.end[row] - lines.begin[move] * whole) * scale),
            float(np.nan_to_num(steps.power[row])),
        ]
        for row in np.flatnonzero(steps.move == made)
    ]
