# SPDX-License-Identifier: LGPL-2.1-or-later
"""Live data for another process, on a pipe that its reader may be slow to empty.

A thread writes, and may wait; what comes meanwhile is kept up to ``_MOST_ROWS`` rows, then the oldest is dropped and
counted: whoever watches wants to see what is, not what was. Even where nothing comes, a frame tells the state twice a
second; so a reader that has gone is noticed.
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
#: Between two frames at least, so that each is worth its while, and at most [s].
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
        self.is_broken = False  #: nothing is told any more
        self._thread = Thread(target=self._run, name="camtwin-pipe", daemon=True)
        self._thread.start()

    def put(self, block: Block, state: State) -> None:
        """Tell what came, soon; never waits."""
        columns = block.columns
        with self._news:
            self._state = state
            if columns.rows:
                self._blocks.append(Columns(columns.time, columns.values))
                self._rows += columns.rows
            while self._rows > _MOST_ROWS and len(self._blocks) > 1:
                gone = self._blocks.popleft().rows
                self._rows -= gone
                self._lost += gone
            self._news.notify()

    def end(self, patience: float = 1.0) -> None:
        """Tell what waits, as long as somebody reads within ``patience`` seconds, and end."""
        with self._news:
            self._is_last = True
            self._news.notify()
        self._thread.join(patience)

    def _run(self) -> None:
        try:
            with suppress(OSError):  # nobody reads any more
                self._tell()
        finally:
            self.is_broken = True

    def _tell(self) -> None:
        is_last = False
        while not is_last:
            with self._news:
                if not self._blocks and not self._is_last:
                    self._news.wait(BEAT)
                is_last = self._is_last
                found, self._rows = list(self._blocks), 0
                self._blocks.clear()
            for part in _parts(joined(found)):
                self._write(encode(self._state, part.time, part.values, self._lost))
            time.sleep(0 if is_last else PACE)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]


def _parts(rows: Columns) -> list[Columns]:
    """Cut rows into as many frames as they need; one without rows where there are none."""
    most = LONGEST_FRAME // 2 // (8 * (1 + len(rows.values)))
    cuts = range(0, max(rows.rows, 1), most)
    return [
        Columns(rows.time[cut : cut + most], {name: each[cut : cut + most] for name, each in rows.values.items()})
        for cut in cuts
    ]
