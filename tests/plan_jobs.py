# SPDX-License-Identifier: LGPL-2.1-or-later
"""Small jobs for the tests of feed plans, and points along a path to compare two of them."""

import numpy as np

from freecad_camtwin.twin.job.geometry import points_along
from freecad_camtwin.twin.job.job import Job, Limits, Operation, Stock
from freecad_camtwin.twin.job.tool import Shape, Tool
from freecad_camtwin.twin.job.toolpath import MoveKind, Toolpath

END_MILL = Tool(dc=6.0, shape=Shape.FLAT, zefp=2, lpr=25.0, fha=0.5, number=1, label="6 mm", material="Carbide")


def straight_path(points, kinds, feeds, n_rpm=12000.0, cycle=0):
    """A toolpath of straight moves between ``points``; ``kinds`` 0 for rapids."""
    points = np.asarray(points, float)
    moves = len(points) - 1
    kinds = np.asarray(kinds)
    return Toolpath(
        kind=kinds,
        start=points[:-1],
        end=points[1:],
        centre=np.full((moves, 3), np.nan),
        plane=np.zeros(moves),
        sweep=np.zeros(moves),
        feed=np.where(kinds == MoveKind.RAPID, np.nan, feeds),
        n_rpm=np.full(moves, n_rpm),
        cycle=np.full(moves, cycle),
        tool=np.zeros(moves),
        operation=np.zeros(moves),
        command=np.arange(moves),
        line=np.full(moves, -1),
    )


def job_of(path, tool=END_MILL, limits=None, stock=None, material="6061"):
    """One operation over ``path`` in a block whose top is at z = 0."""
    block = stock or Stock((-10.0, -10.0, -6.0), (60.0, 40.0, 0.0))
    operation = Operation("Pocket", "Pocket", tool=0, name="Pocket001", limits=limits or Limits())
    return Job("part", path, (tool,), (operation,), stock=block, material=material)


def passes(ae=0.6, rows=5, length=40.0, feed=10.0, depth=2.0, n_rpm=12000.0):
    """A slot from outside along x, then ``rows`` side passes of width ``ae``, each from a rapid back."""
    points = [(-20.0, 0.0, 5.0), (-20.0, 0.0, -depth), (length, 0.0, -depth)]
    kinds = [0, 1]
    for row in range(1, rows + 1):
        points += [
            (length, row * ae, 5.0),
            (-20.0, row * ae, 5.0),
            (-20.0, row * ae, -depth),
            (length, row * ae, -depth),
        ]
        kinds += [0, 0, 0, 1]
    return straight_path(points, kinds, feed, n_rpm)


def dense(path, per_move=9):
    """Points along every move, (points, 3)."""
    move = np.repeat(np.arange(path.moves), per_move)
    share = np.tile(np.linspace(0, 1, per_move), path.moves)
    return points_along(path, move.astype(np.int32), share * path.length[move])
