# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sends live data to another process through a pipe, whose reader may be slow.

A thread writes and may block. Up to ``_MOST_ROWS`` rows wait for it; beyond that the oldest are dropped and counted,
because a live display needs the newest. Without data a frame with the state is still sent twice a second, so that a
closed pipe is detected.
"""

import os
import time
from collections import deque
from contextlib import suppress
from threading import Condition, Thread

from freecad_camtwin.live.flow import Block
from freecad_camtwin.twin.signals.columns import Columns, joined
from freecad_camtwin.twin.signals.frames import LONGEST_FRAME, encode
from freecad_camtwin.twin.signals.state import State

#: Rows that wait for a slow reader.
_MOST_ROWS = 50_000
#: Least time between two frames, so that each has enough rows, and longest time [s].
PACE, BEAT = 0.03, 0.5


class Pipe:
    """Writes frames to a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._blocks: deque[Columns] = deque()
        self._rows = 0
        self._lost = 0
        self._state = State()
        self._news = Condition()
        self._is_last = False
        self.is_broken = False  #: whether the pipe is closed: nothing is sent any more
        self._thread = Thread(target=self._run, name="camtwin-pipe", daemon=True)
        self._thread.start()

    def put(self, block: Block, state: State) -> None:
        """Queue a block and the state for sending; never block."""
        columns = block.columns
        with self._news:
            self._state = state
            if columns.rows:
                self._blocks.append(Columns(columns.time, columns.values))
                self._rows += columns.rows
            while self._rows > _MOST_ROWS and len(self._blocks) > 1:
                dropped = self._blocks.popleft().rows
                self._rows -= dropped
                self._lost += dropped
            self._news.notify()

    def end(self, patience: float = 1.0) -> None:
        """Send the remaining rows, for at most ``patience`` seconds, and end."""
        with self._news:
            self._is_last = True
            self._news.notify()
        self._thread.join(patience)

    def _run(self) -> None:
        try:
            with suppress(OSError):  # the reader has closed the pipe
                self._send_frames()
        finally:
            self.is_broken = True

    def _send_frames(self) -> None:
        is_last = False
        while not is_last:
            with self._news:
                if not self._blocks and not self._is_last:
                    self._news.wait(BEAT)
                is_last = self._is_last
                blocks, self._rows = list(self._blocks), 0
                self._blocks.clear()
            for part in _parts(joined(blocks)):
                self._write(encode(self._state, part.time, part.values, self._lost))
            time.sleep(0 if is_last else PACE)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]


def _parts(rows: Columns) -> list[Columns]:
    """Split rows into frames of allowed length; without rows return one empty frame."""
    most = LONGEST_FRAME // 2 // (8 * (1 + len(rows.values)))
    cuts = range(0, max(rows.rows, 1), most)
    return [
        Columns(rows.time[cut : cut + most], {name: each[cut : cut + most] for name, each in rows.values.items()})
        for cut in cuts
    ]
