# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which move a controller really made in every servo cycle: a slow reference, by its own line and its own position.

LinuxCNC's planner reports the line of a move from the start of the blend into it, and of moves that it merges the last
alone, which may be one without any length. So the reported line narrows it down to a few moves, and of those the one
nearest to the commanded position is it.
"""

from itertools import pairwise

import numpy as np

from controllers.pulled import chords
from freecad_camtwin.twin.job.toolpath import Toolpath

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


def true_ways(path: Toolpath, moves: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Return how far along the path the controller was in every cycle [mm], NaN before the first move.

    moves: (cycles,), as ``true_moves`` found them; position: (cycles, 3) [mm]
    """
    begins = np.concatenate([[0.0], np.cumsum(path.length)])
    ways = np.full(len(moves), np.nan)
    for move in np.unique(moves[moves >= 0]):
        of = np.flatnonzero(moves == move)
        corners = chords(path, move)
        each = begins[move] + np.linspace(0.0, path.length[move], len(corners))
        apart = np.stack([_to_chord(start, end, position[of]) for start, end in pairwise(corners)])
        chord = apart[:, :, 1].argmin(axis=0)
        share = apart[chord, np.arange(len(of)), 0]
        ways[of] = each[chord] + share * (each[chord + 1] - each[chord])
    return ways


def distance(path: Toolpath, move: int, points: np.ndarray) -> np.ndarray:
    """Return how far points are from a move [mm]."""
    apart = [_to_chord(start, end, points)[:, 1] for start, end in pairwise(chords(path, move))]
    return np.min(apart, axis=0)


def _to_chord(start: np.ndarray, end: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the share of a chord at which it is nearest to each point, and how near [mm], (points, 2)."""
    along = end - start
    length = along @ along
    share = np.clip((points - start) @ along / length, 0.0, 1.0) if length else np.zeros(len(points))
    return np.stack([share, np.linalg.norm(points - (start + share[:, None] * along), axis=1)], axis=1)
