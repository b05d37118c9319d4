# SPDX-License-Identifier: LGPL-2.1-or-later
"""Collects the moves of a program while it is interpreted, and makes the toolpath of them."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels import rs274 as kernels
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.job.toolpath import EventKind, MoveKind, PathEvent, Toolpath


class Record:
    """Moves and events in the order in which the machine makes them.

    The kernel writes moves straight into ``moves``, ``kinds`` and ``blocks``; ``cursor`` holds its progress.
    """

    def __init__(self, blocks: int) -> None:
        self.moves = np.empty((blocks, kernels.COLUMNS))
        self.kinds = np.empty(blocks, np.int8)
        self.blocks = np.empty(blocks, np.int32)
        self.cursor = np.zeros(3, np.int64)  # next block, block to stop before, moves made
        self.events: list[PathEvent] = []
        self._cycles: list[tuple[int, int]] = []  # (move, cycle)
        self._modal: list[tuple[int, int, float]] = []  # (first move, plane, n_rpm) in force

    @property
    def made(self) -> int:
        """How many moves there are so far."""
        return int(self.cursor[2])

    def hold(self, plane: int, n_rpm: float) -> None:
        """Set plane and spindle speed from the next move on."""
        self._modal.append((self.made, plane, n_rpm))

    def reserve(self, moves: int) -> None:
        """Make room for this many more moves."""
        room = self.made + moves
        if room > len(self.kinds):
            room = max(room, len(self.kinds) * 3 // 2)
            self.moves = np.resize(self.moves, (room, kernels.COLUMNS))
            self.kinds = np.resize(self.kinds, room)
            self.blocks = np.resize(self.blocks, room)

    def straight(self, block: int, start: Floats, end: Floats, feed: float | None, cycle: int = 0) -> None:
        """Add a rapid (``feed`` None) or a line; one of no length is left out."""
        if np.abs(np.nan_to_num(end - start, nan=1.0)[~np.isnan(end)]).max(initial=0.0) < 1e-9:
            return
        self.reserve(1)
        at = self.made
        self.moves[at] = *start, *end, np.nan, np.nan, np.nan, 0.0, np.nan if feed is None else feed
        self.kinds[at] = MoveKind.RAPID if feed is None else MoveKind.LINE
        self.blocks[at] = block
        if cycle:
            self._cycles.append((at, cycle))
        self.cursor[2] += 1

    def event(
        self,
        kind: EventKind,
        value: float,
        line: int,
        tolerance: float | None = None,
        naive: float | None = None,
    ) -> None:
        """Record an event before the next move."""
        self.events.append(PathEvent(self.made, kind, value, line, tolerance, naive))

    def settle(self) -> None:
        """Fill in positions that were never stated, and drop straight moves that then have no length."""
        moves = self.moves[: self.made]
        _settle_unknown_positions(moves)
        gap = np.abs(moves[:, kernels.END : kernels.END + 3] - moves[:, kernels.START : kernels.START + 3])
        keep = (self.kinds[: self.made] == MoveKind.ARC) | ~(gap < 1e-9).all(axis=1)
        if keep.all():
            return
        before = np.concatenate([[0], np.cumsum(keep)])
        kept = int(before[-1])
        for column in (self.moves, self.kinds, self.blocks):
            column[:kept] = column[: self.made][keep]
        self.events = [replace(event, before=int(before[event.before])) for event in self.events]
        self._cycles = [(int(before[at]), number) for at, number in self._cycles if keep[at]]
        self._modal = [(int(before[first]), plane, n_rpm) for first, plane, n_rpm in self._modal]
        self.cursor[2] = kept

    def toolpath(self, **of_block: NDArray[Any]) -> Toolpath:
        """Make the toolpath. ``of_block``: columns ``line``, ``operation``, ``command``, ``tool``, (blocks,) each.

        ``n_rpm`` of a block, if it is not NaN, replaces the speed of the S words.
        """
        made = self.made
        moves, kind, block = self.moves[:made], self.kinds[:made], self.blocks[:made]
        plane, n_rpm = self._modal_by_move()
        if "n_rpm" in of_block:
            given = of_block["n_rpm"][block]
            n_rpm = np.where(np.isnan(given), n_rpm, given)
        unknown = np.full(made, -1, np.int32)
        return Toolpath(
            kind=kind,
            start=moves[:, kernels.START : kernels.START + 3],
            end=moves[:, kernels.END : kernels.END + 3],
            centre=moves[:, kernels.CENTRE : kernels.CENTRE + 3],
            plane=np.where(kind == MoveKind.ARC, plane, np.int8(0)),
            sweep=moves[:, kernels.SWEEP],
            feed=moves[:, kernels.SPEED],
            n_rpm=n_rpm,
            cycle=self._cycle_by_move(),
            tool=of_block["tool"][block] if "tool" in of_block else unknown,
            operation=of_block["operation"][block] if "operation" in of_block else unknown,
            command=of_block["command"][block] if "command" in of_block else unknown,
            line=of_block["line"][block] if "line" in of_block else unknown,
            events=tuple(self.events),
        )

    def _modal_by_move(self) -> tuple[NDArray[np.int8], Floats]:
        first = np.array([row[0] for row in self._modal])
        index = np.searchsorted(first, np.arange(self.made), side="right") - 1
        plane = np.array([row[1] for row in self._modal], np.int8)
        n_rpm = np.array([row[2] for row in self._modal], float)
        return plane[index], n_rpm[index]

    def _cycle_by_move(self) -> NDArray[np.int8]:
        cycle = np.zeros(self.made, np.int8)
        if self._cycles:
            at, number = np.array(self._cycles).T
            cycle[at] = number
        return cycle


def _settle_unknown_positions(moves: Floats) -> None:
    """Fill in the position on axes that the program had not stated yet.

    Before its first word for an axis, and after a motion to the machine's reference point, a program does not state
    the position. X and Y get the next value stated (so that no travel is invented), Z the highest value ever stated
    (so that no rapid seems to cut).
    """
    for axis in range(3):
        points = moves[:, [kernels.START + axis, kernels.END + axis]].ravel()
        unknown = np.isnan(points)
        if not unknown.any():
            continue
        stated = np.flatnonzero(~unknown)
        if stated.size == 0:
            points[:] = 0.0
        elif axis == 2:
            points[unknown] = points[stated].max()
        else:
            following = np.minimum(np.searchsorted(stated, np.flatnonzero(unknown)), stated.size - 1)
            points[unknown] = points[stated[following]]
        moves[:, kernels.START + axis], moves[:, kernels.END + axis] = points[0::2], points[1::2]
        # An arc needs its plane's two axes known, so of its center only the height can be unknown.
        centres = moves[:, kernels.CENTRE : kernels.CENTRE + 3]
        open_height = np.isnan(centres[:, axis]) & (np.isnan(centres).sum(axis=1) == 1)
        centres[open_height, axis] = moves[open_height, kernels.START + axis]
