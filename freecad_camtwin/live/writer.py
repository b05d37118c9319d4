# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes a recording in a thread, so that a slow disk does not stop the task that reads the machine.

Tasks wait in a queue. If it holds more than ``_MOST_CELLS`` numbers, ``give`` waits: then the reading task waits too,
and the source slows down or counts what it drops. Nothing is dropped here. At least twice a second everything is
committed to disk, with or without new rows.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread

from freecad_camtwin.store.recording import Recording

#: Numbers that wait to be written (32 MB).
_MOST_CELLS = 2**22
#: Interval of commits to disk [s].
_SYNC_S = 0.4

#: A function to call with the recording.
WriterTask = Callable[[Recording], None]


class Writer:
    """Writes one recording; used from the event loop's thread alone."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._tasks: deque[tuple[int, WriterTask]] = deque()
        self._cells = 0
        self._news = Condition()
        self._is_last = self._is_whole = False
        self._stopped: float | None = None
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, name="camtwin-writer", daemon=True)
        self._thread.start()

    async def give(self, cells: int, task: WriterTask) -> None:
        """Queue a task that writes ``cells`` numbers; raise the error of an earlier task."""
        while self._cells > _MOST_CELLS and self._failure is None:
            self._room.clear()
            if self._cells > _MOST_CELLS:
                await self._room.wait()
        if self._failure is not None:
            raise self._failure
        with self._news:
            self._tasks.append((cells, task))
            self._cells += cells
            self._news.notify()

    async def end(self, *, is_whole: bool, stopped: float | None = None) -> None:
        """Wait until all tasks are done and the recording is closed; raise the error of a failed task.

        ``is_whole``: mark the run as complete at the time ``stopped`` [s since the epoch].
        """
        with self._news:
            self._is_last, self._is_whole, self._stopped = True, is_whole, stopped
            self._news.notify()
        await asyncio.to_thread(self._thread.join)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            with self.recording:
                self._write()
                if self._is_whole:
                    self.recording.finish(self._stopped)
        except BaseException as error:  # noqa: BLE001 - the top of a thread: raised again in give and end
            self._failure = error
        self._wake()

    def _write(self) -> None:
        synced = time.monotonic()
        while True:
            with self._news:
                if not self._tasks and not self._is_last:
                    self._news.wait(max(0.0, synced + _SYNC_S - time.monotonic()))
                cells, task = self._tasks.popleft() if self._tasks else (0, None)
                self._cells -= cells
                is_over = task is None and self._is_last
            if is_over:
                return
            if task is not None:
                task(self.recording)
                self._wake()
            if time.monotonic() - synced >= _SYNC_S:
                self.recording.sync()
                synced = time.monotonic()

    def _wake(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._room.set)
