# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which move a controller really made in every servo cycle: a slow reference, by its own line and its own position.

LinuxCNC's planner reports the line of a move from the start of the blend into it, and of moves that it merges the last
alone, which may be one without any length. So the reported line narrows it down to a few moves, and of those the one
nearest to the commanded position is it.
"""

from itertools import pairwise

import numpy as np

from controllers.pulled import chords
from freecad_camtwin.twin.toolpath import Toolpath

#: So many moves may hide behind one reported line.
MERGED = 40


def true_moves(path: Toolpath, line: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Return the program's move of every cycle, -1 before the first. The program has no loops: its lines rise.

    line: (cycles,); position: (cycles, 3) commanded, in the coordinates of the path [mm]
    """
    moves = np.full(len(line), -1)
    at = 0
    edges = np.flatnonzero(np.diff(line, prepend=line[:1] - 1))
    for begin, end in zip(edges, [*edges[1:], len(line)], strict=True):
        last = int(np.searchsorted(path.line, line[begin], side="right")) - 1
        if last < 0:
            continue
        first = at if last - MERGED < at <= last else max(0, last - MERGED)
        apart = np.stack([distance(path, move, position[begin:end]) for move in range(first, last + 1)])
        moves[begin:end] = np.maximum.accumulate(first + apart.argmin(axis=0))
        at = moves[end - 1]
    return moves


def distance(path: Toolpath, move: int, points: np.ndarray) -> np.ndarray:
    """Return how far points are from a move [mm]."""
    corners = chords(path, move)
    nearest = np.full(len(points), np.inf)
    for start, end in pairwise(corners):
        along = end - start
        length = along @ along
        share = np.clip((points - start) @ along / length, 0.0, 1.0)[:, None] if length else 0.0
        nearest = np.minimum(nearest, np.linalg.norm(points - (start + share * along), axis=1))
    return nearest
