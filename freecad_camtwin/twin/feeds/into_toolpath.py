# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write a feed plan into a toolpath: the same geometry with split moves and new feeds, for the analysis after."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from freecad_camtwin.errors import PlanError
from freecad_camtwin.twin.base.arrays import Floats, Ints
from freecad_camtwin.twin.feeds.plan import Change, FeedPlan
from freecad_camtwin.twin.job.geometry import points_along
from freecad_camtwin.twin.job.toolpath import PLANE_AXES, MoveKind, Toolpath


@dataclass(frozen=True)
class MovePieces:
    """Every move of a toolpath cut into pieces, in path order; an uncut move is one piece from 0 to 1."""

    move: Ints  #: (pieces,)
    start: Floats  #: (pieces,) as a fraction of the move
    end: Floats  #: (pieces,)
    feed: Floats  #: (pieces,) [mm/s], NaN where unknown


def planned_toolpath(toolpath: Toolpath, plan: FeedPlan) -> Toolpath:
    """Return ``toolpath`` with the feeds of ``plan``; PlanError if the plan was made for another one."""
    if plan.toolpath != toolpath.hash:
        raise PlanError("the feed plan was made for another toolpath: plan the feeds again")
    changes = [change for operation in plan.operations for change in operation.changes]
    return split(toolpath, pieces_of(toolpath, changes))


def pieces_of(toolpath: Toolpath, changes: Sequence[Change]) -> MovePieces:
    """Cut the moves that ``changes`` name. A change of a canned cycle holds for all feed moves of its command."""
    by_move: dict[int, list[Change]] = {}
    for change in changes:
        if not 0 <= change.move < toolpath.moves or toolpath.kind[change.move] == MoveKind.RAPID:
            raise PlanError(f"{change.where} names move {change.move}, which is not a feed move of this toolpath")
        for move in command_moves(toolpath, change.move):
            by_move.setdefault(move, []).append(change)
    touched = np.zeros(toolpath.moves, bool)
    touched[list(by_move)] = True
    whole = np.flatnonzero(~touched)
    rows = [row for move, own in by_move.items() for row in _cut(move, own, float(toolpath.feed[move]))]
    cut = np.array(rows).reshape(-1, 4)
    moves = np.concatenate([whole, cut[:, 0].astype(np.int64)])
    start = np.concatenate([np.zeros(whole.size), cut[:, 1]])
    end = np.concatenate([np.ones(whole.size), cut[:, 2]])
    feed = np.concatenate([toolpath.feed[whole], cut[:, 3]])
    order = np.lexsort((start, moves))
    return MovePieces(moves[order].astype(np.int32), start[order], end[order], feed[order])


def command_moves(toolpath: Toolpath, move: int) -> list[int]:
    """All feed moves that share a feed with ``move``: itself, or those of its canned cycle's command."""
    if not toolpath.cycle[move]:
        return [move]
    moves = []
    for step, bound in ((-1, -1), (1, toolpath.moves)):
        at = move if step > 0 else move - 1
        while at != bound and _same_command(toolpath, at, move):
            if toolpath.kind[at] != MoveKind.RAPID:
                moves.append(at)
            at += step
    return sorted(moves)


def _same_command(toolpath: Toolpath, one: int, other: int) -> bool:
    return all(
        getattr(toolpath, name)[one] == getattr(toolpath, name)[other]
        for name in ("operation", "command", "line", "cycle")
    )


def _cut(move: int, changes: list[Change], before: float) -> list[tuple[int, float, float, float]]:
    rows = []
    at = 0.0
    for change in sorted(changes, key=lambda change: change.start):
        if change.start < at:
            raise PlanError(f"{change.where} overlaps the one before it")
        if change.start > at:
            rows.append((move, at, change.start, before))
        rows.append((move, change.start, change.end, change.feed_after))
        at = change.end
    if at < 1.0:
        rows.append((move, at, 1.0, before))
    return rows


def split(toolpath: Toolpath, pieces: MovePieces) -> Toolpath:
    """Return the toolpath whose moves are ``pieces``; ends of whole moves stay exactly where they were."""
    move = pieces.move
    length = toolpath.length[move]
    inner = pieces.end < 1.0
    end = toolpath.end[move].copy()
    end[inner] = points_along(toolpath, move[inner], (length * pieces.end)[inner])
    start = toolpath.start[move].copy()
    later = np.flatnonzero(pieces.start > 0.0)
    start[later] = end[later - 1]
    centre = toolpath.centre[move].copy()
    arcs = np.flatnonzero((toolpath.kind[move] == MoveKind.ARC) & (pieces.start > 0.0))
    normal = np.array(PLANE_AXES)[toolpath.plane[move[arcs]], 2]
    centre[arcs, normal] = start[arcs, normal]
    first = np.searchsorted(move, np.arange(toolpath.moves + 1))
    return replace(
        toolpath,
        **{name: getattr(toolpath, name)[move] for name in ("kind", "plane", "n_rpm", "cycle")},
        **{name: getattr(toolpath, name)[move] for name in ("tool", "operation", "command", "line")},
        start=start,
        end=end,
        centre=centre,
        sweep=toolpath.sweep[move] * (pieces.end - pieces.start),
        feed=pieces.feed,
        events=tuple(replace(event, before=int(first[event.before])) for event in toolpath.events),
    )
