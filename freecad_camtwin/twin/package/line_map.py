# SPDX-License-Identifier: LGPL-2.1-or-later
"""The line map: for every move of the posted program, the move of the document that it executes.

A post may change units and round coordinates, split arcs into chords, number lines, join operations by tool, and
omit or rearrange rapids. It does not change where the tool cuts. So feed moves are matched by geometry alone: each
move of the program must run along one move of the document and begin where the previous one ended. If it does not,
its start is looked up among the moves that are not matched yet. Rapids are matched by the feed moves around them.
Moves without a counterpart are listed.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from freecad_camtwin.twin.base.arrays import Floats, Ints
from freecad_camtwin.twin.base.sequences import unbroken
from freecad_camtwin.twin.job.geometry import chord_angle
from freecad_camtwin.twin.job.job import Job
from freecad_camtwin.twin.job.toolpath import PLANE_AXES, MoveKind, Toolpath

#: A point farther than this from a move is not on it [mm]: posts in inches round to 0.0001" or 0.001".
_ON_THE_MOVE = 0.02
#: A chord that stands for a part of an arc lies at most this far beside it [mm].
CHORD_ERROR = 0.25
_NO_LENGTH = 1e-6


@dataclass(frozen=True)
class LineMap:
    """The program's moves and their counterparts in the document. Arrays of shape (moves of the program,)."""

    program: Toolpath  #: what the machine executes, in its order, with physical lines
    move: Ints  #: the document's move, -1 where it has none
    operation: Ints  #: the document's operation; where a move has no counterpart that of the next one that has
    begin: Floats  #: the share of the document's move at which this one begins, 0 … 1
    end: Floats  #: … and ends
    unmatched: tuple[str, ...] = ()  #: one sentence each: moves without a counterpart

    @property
    def way(self) -> Floats:
        """Length of the program's path before every move, and of the whole [mm], shape (moves + 1,)."""
        return self.program.way

    @property
    def matched(self) -> float:
        """The share of the program's feed moves, by length, that have a counterpart."""
        feed = self.program.is_cutting
        whole = float(self.program.length[feed].sum())
        return float(self.program.length[feed & (self.move >= 0)].sum()) / whole if whole else 1.0


def identity(job: Job) -> LineMap:
    """Return the map of a job onto itself, for a run of the program that was read."""
    path = job.toolpath
    index = np.arange(path.moves, dtype=np.int32)
    return LineMap(path, index, path.operation, np.zeros(path.moves), np.ones(path.moves))


def map_lines(document: Job, program: Job) -> LineMap:
    """Match every move of a posted program with the document's; see the module."""
    search = _Search(document.toolpath, program.toolpath)
    search.match_feeds()
    search.match_rapids()
    operation = _operations(document.toolpath, program.toolpath, search.move)
    unmatched = (*_strange_lines(program.toolpath, search.move), *_missing_moves(document, search.made))
    return LineMap(program.toolpath, search.move, operation, search.begin, search.end, unmatched)


class _Search:
    """Matches the moves of both paths in order."""

    def __init__(self, document: Toolpath, program: Toolpath) -> None:
        self.document, self.program = document, program
        self.move = np.full(program.moves, -1, np.int32)
        self.begin, self.end = np.zeros(program.moves), np.zeros(program.moves)
        self.made = np.zeros(document.moves)  # how much of each move of the document the program has made, 0 … 1
        self.document_feeds = np.flatnonzero(document.is_cutting & (document.length > _NO_LENGTH))
        self.program_feeds = np.flatnonzero(program.is_cutting & (program.length > _NO_LENGTH))

    def match_feeds(self) -> None:
        """Match the program's feed moves in their order."""
        at, j, chunk = 0, 0, 64
        while at < len(self.program_feeds):
            is_begun = j < len(self.document_feeds) and self.made[self.document_feeds[j]] > 0.0
            whole = 0 if is_begun else self._whole(at, j, chunk)
            at, j = at + whole, j + whole
            if whole == chunk:
                chunk = min(2 * chunk, 65536)
            elif at < len(self.program_feeds):
                at, j, chunk = at + 1, self._single(at, j), 64

    def _single(self, at: int, j: int) -> int:
        """Match one move, by its start if it does not continue the last one; return the index to continue at."""
        i = int(self.program_feeds[at])
        if not (j < len(self.document_feeds) and self._piece(i, int(self.document_feeds[j]))):
            j = self._find(i, j)
        if j == len(self.document_feeds):
            self._join_to_the_last(at)
            return self._resume(j, at)
        return j + int(self.made[self.document_feeds[j]] >= 1.0)

    def _join_to_the_last(self, at: int) -> None:
        """Match a move that is as short as the rounding with the end of the move before it."""
        i, before = int(self.program_feeds[at]), int(self.program_feeds[at - 1]) if at else -1
        if before >= 0 and self.move[before] >= 0 and self.program.length[i] <= 2 * _ON_THE_MOVE:
            self.move[i], self.begin[i], self.end[i] = self.move[before], self.end[before], self.end[before]

    def _resume(self, lost: int, at: int) -> int:
        """Return the index to continue at after a move without counterpart: after the last matched one."""
        before = self.move[self.program_feeds[:at]]
        matched = before[before >= 0]
        return min(int(np.searchsorted(self.document_feeds, matched[-1], side="right")), lost) if matched.size else 0

    def _whole(self, at: int, j: int, chunk: int) -> int:
        """Take as many of the next moves as are the same in both, and return how many."""
        n = min(chunk, len(self.program_feeds) - at, len(self.document_feeds) - j)
        if n <= 0:
            return 0
        a, b = self.document_feeds[j : j + n], self.program_feeds[at : at + n]
        document, program = self.document, self.program
        same = (document.kind[a] == program.kind[b]) & (self.made[a] == 0.0)
        for original, posted in ((document.start, program.start), (document.end, program.end)):
            same &= np.abs(original[a] - posted[b]).max(axis=1) <= _ON_THE_MOVE
        arcs = document.kind[a] == MoveKind.ARC
        turn = np.abs(document.sweep[a] - program.sweep[b]) * np.nan_to_num(document.radius[a])
        same &= ~arcs | ((document.plane[a] == program.plane[b]) & (turn <= 4 * _ON_THE_MOVE))
        whole = n if same.all() else int(same.argmin())
        self.move[b[:whole]], self.end[b[:whole]], self.made[a[:whole]] = a[:whole], 1.0, 1.0
        return whole

    def _piece(self, i: int, j: int) -> bool:
        """Take move ``i`` of the program as the next piece of move ``j`` of the document, if it runs along it."""
        done = float(self.made[j])
        if done >= 1.0:
            return False
        begin, off = _locate(self.document, j, self.program.start[i], done)
        end, beside = _locate(self.document, j, self.program.end[i], done)
        length = float(self.document.length[j])
        if max(off, beside) > _ON_THE_MOVE or abs(begin - done) * length > 2 * _ON_THE_MOVE:
            return False
        if end <= done or not self._bends_alike(i, j, end - done):
            return False
        if (1.0 - end) * length <= _ON_THE_MOVE:
            end = 1.0
        self.move[i], self.begin[i], self.end[i], self.made[j] = j, done, end, end
        return True

    def _bends_alike(self, i: int, j: int, share: float) -> bool:
        """Whether a piece that begins and ends on a move also stays near it in between."""
        covered = share * float(self.document.length[j])
        if self.program.kind[i] == self.document.kind[j] == MoveKind.ARC:
            return abs(float(self.program.length[i]) - covered) <= 4 * _ON_THE_MOVE
        if MoveKind.ARC in (self.program.kind[i], self.document.kind[j]):
            arc = self.document if self.document.kind[j] == MoveKind.ARC else self.program
            radius = arc.radius[j if arc is self.document else i]
            return bool(covered <= radius * chord_angle(radius, CHORD_ERROR))
        return True

    def _find(self, i: int, j: int) -> int:
        """Find the move that begins where ``i`` does: the next after ``j``, else the first; if none, past the last."""
        cell = np.floor(self.program.start[i] / (2 * _ON_THE_MOVE)).astype(int)
        candidates = [
            at
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
            for dz in (-1, 0, 1)
            for at in self._starts.get((cell[0] + dx, cell[1] + dy, cell[2] + dz), ())
        ]
        for at in sorted(candidates, key=lambda at: (at < j, at)):
            if self._piece(i, int(self.document_feeds[at])):
                return at
        return len(self.document_feeds)

    @cached_property
    def _starts(self) -> dict[tuple[int, int, int], list[int]]:
        """Where the document's feed moves begin, by a grid of cells that the tolerance does not cross twice."""
        cells = np.floor(self.document.start[self.document_feeds] / (2 * _ON_THE_MOVE)).astype(int)
        starts: dict[tuple[int, int, int], list[int]] = {}
        for at, (x, y, z) in enumerate(cells.tolist()):
            starts.setdefault((x, y, z), []).append(at)
        return starts

    def match_rapids(self) -> None:
        """Give a rapid the document's rapid to the same end, if one lies before the feed move that follows."""
        following = len(self.document.kind)
        for i in range(self.program.moves - 1, -1, -1):
            if self.move[i] >= 0:
                following = int(self.move[i])
            elif not self.program.is_cutting[i]:
                following = self._rapid_before(following, i)

    def _rapid_before(self, following: int, i: int) -> int:
        """Match rapid ``i``; return the move before which the previous rapid is searched."""
        for j in range(following - 1, max(following - 30, -1), -1):
            if self.document.is_cutting[j]:
                break
            if np.abs(self.document.end[j] - self.program.end[i]).max() <= _ON_THE_MOVE:
                self.move[i], self.end[i], self.made[j] = j, 1.0, 1.0
                return j
        return following


def _locate(path: Toolpath, j: int, point: Floats, after: float) -> tuple[float, float]:
    """Return a point's position along move ``j`` (share, beyond ``after`` on a circle) and its distance [mm]."""
    start, end = path.start[j], path.end[j]
    if path.kind[j] != MoveKind.ARC:
        chord = end - start
        share = float((point - start) @ chord / (chord @ chord))
        return share, float(np.linalg.norm(point - start - min(max(share, 0.0), 1.0) * chord))
    a, b, normal = PLANE_AXES[path.plane[j]]
    centre, sweep = path.centre[j], float(path.sweep[j])
    spoke, arm = start[[a, b]] - centre[[a, b]], point[[a, b]] - centre[[a, b]]
    turned = math.atan2(spoke[0] * arm[1] - spoke[1] * arm[0], float(spoke @ arm))
    share, turn = turned / sweep, abs(math.tau / sweep)
    share += turn * math.ceil((after - share) / turn - _ON_THE_MOVE / float(path.length[j]) / turn)
    share = after if abs(share - after) * float(path.length[j]) < _NO_LENGTH else share
    height = start[normal] + share * (end[normal] - start[normal])
    beside = math.hypot(float(np.linalg.norm(arm) - np.linalg.norm(spoke)), float(point[normal] - height))
    return share, beside if share * float(path.length[j]) <= float(path.length[j]) + _ON_THE_MOVE else math.inf


def _operations(document: Toolpath, program: Toolpath, move: Ints) -> Ints:
    """Operation of every move of the program; without counterpart that of the next matched move, else the last."""
    is_matched = move >= 0
    if not is_matched.any():
        return np.full(program.moves, -1, np.int32)
    at = np.arange(program.moves)
    following = np.minimum.accumulate(np.where(is_matched, at, program.moves)[::-1])[::-1]
    before = np.maximum.accumulate(np.where(is_matched, at, -1))
    source = np.where(following < program.moves, following, before)
    return np.asarray(document.operation[move[source]], np.int32)


def _strange_lines(program: Toolpath, move: Ints) -> Iterator[str]:
    strange = np.flatnonzero(program.is_cutting & (program.length > _NO_LENGTH) & (move < 0))
    for first, last in unbroken(strange):
        lines = program.line[first], program.line[last]
        what = f"line {lines[0]}" if lines[0] == lines[1] else f"lines {lines[0]} to {lines[1]}"
        count = last - first + 1
        moves = "a feed move that is" if count == 1 else f"{count} feed moves that are"
        yield f"{what} of the program: {moves} not in the document"


def _missing_moves(document: Job, made: Floats) -> Iterator[str]:
    path = document.toolpath
    missing = np.flatnonzero(path.is_cutting & (path.length > _NO_LENGTH) & (made < 1.0))
    for first, last in unbroken(missing):
        operation = int(path.operation[first])
        label = document.operations[operation].label if operation >= 0 else document.label
        what = f"move {first}" if first == last else f"moves {first} to {last}"
        yield f"{what} of the document, in '{label}', {'is' if first == last else 'are'} not whole in the program"
