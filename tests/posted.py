# SPDX-License-Identifier: LGPL-2.1-or-later
"""A post with bad habits: writes a toolpath as a program in many ways, and tells which move each line makes."""

import math

import numpy as np

from freecad_camtwin.twin.job.geometry import points_along
from freecad_camtwin.twin.job.toolpath import PLANE_AXES, MoveKind

WORDS = ("X", "Y", "Z")
CENTRES = ("I", "J", "K")


def post(path, *, inches=False, decimals=3, chords=None, numbered=False, order=None, rapids="kept"):
    """Return the text and, for each physical line from 1 on, the move it makes (-1 for none).

    chords: split arcs into lines of this length [mm]; order: operations in another order;
    rapids: "kept", "dropped" (feed moves start from wherever their first rapid ends), "split" (z and xy apart)
    """
    writer = _Writer(inches, decimals, numbered)
    writer.say("G20 G17 G90 G40" if inches else "G21 G17 G90 G40")
    tool = None
    moves = np.arange(path.moves)
    if order is not None:
        moves = np.concatenate([np.flatnonzero(path.operation == operation) for operation in order])
    last = None
    for move in moves:
        if path.tool[move] != tool:
            tool = path.tool[move]
            writer.say(f"T{tool + 1} M6")
            writer.say("S8000 M3")
        if last is not None and path.kind[move] != MoveKind.RAPID and not np.allclose(last, path.start[move]):
            writer.go("G0", {2: path.start[move][2]}, -1)
            writer.go("G0", dict(enumerate(path.start[move])), -1)
        _write_move(writer, path, move, chords, rapids)
        last = path.end[move]
    writer.say("M2")
    return "\n".join(writer.lines) + "\n", np.array([-1, *writer.made])


def _write_move(writer, path, move, chords, rapids):
    end = dict(enumerate(path.end[move]))
    feed = path.feed[move]
    if path.kind[move] == MoveKind.RAPID:
        if rapids == "split":
            z_first = path.end[move][2] > path.start[move][2]
            for part in ({2: end[2]}, {0: end[0], 1: end[1]})[:: 1 if z_first else -1]:
                writer.go("G0", part, move)
        else:
            writer.go("G0", end, move)
    elif path.kind[move] == MoveKind.LINE:
        writer.go("G1", end, move, feed)
    elif chords:
        parts = max(2, math.ceil(path.length[move] / chords))
        ways = np.linspace(0, path.length[move], parts + 1)[1:]
        for point in points_along(path, np.full(parts, move), ways):
            writer.go("G1", dict(enumerate(point)), move, feed)
    else:
        a, b, _ = PLANE_AXES[path.plane[move]]
        centre = {axis: (path.centre[move] - path.start[move])[axis] for axis in (a, b)}
        plane = ("G17", "G18", "G19")[path.plane[move]]
        writer.go(f"{plane} G{2 if path.sweep[move] < 0 else 3}", end, move, feed, centre)


class _Writer:
    def __init__(self, inches, decimals, numbered):
        self.scale, self.decimals, self.numbered = (1 / 25.4 if inches else 1.0), decimals, numbered
        self.lines, self.made = [], []

    def say(self, text, move=-1):
        number = f"N{10 * (len(self.lines) + 1)} " if self.numbered else ""
        self.lines.append(number + text)
        self.made.append(move)

    def go(self, code, axes, move, feed=None, centre=()):
        words = [f"{WORDS[axis]}{value * self.scale:.{self.decimals}f}" for axis, value in axes.items()]
        words += [f"{CENTRES[axis]}{centre[axis] * self.scale:.{self.decimals}f}" for axis in centre]
        if feed is not None and np.isfinite(feed):
            words.append(f"F{feed * 60 * self.scale:.3f}")
        self.say(" ".join([code, *words]), move)
