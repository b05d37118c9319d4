# SPDX-License-Identifier: LGPL-2.1-or-later
"""Live data in FreeCAD's process: a child process receives the machine's data, and ``LiveFeed`` provides them.

    feed = LiveFeed("mqtts://broker/shop/mill1/#", job="part.camtwin")
    feed.start()
    …
    feed.drain()                    # on a timer: takes the data that have arrived, never waits
    feed.state.power                # the machine's present state
    feed.newest.power[move]         # the newest sample of every move

Documents are not touched and nothing is recomputed. The child runs in a separate Python with the protocols' libraries,
since FreeCAD's has none of them: the one of the argument ``python``, else of the variable CAMTWIN_PYTHON, else of the
preference "Python" of Mod/CAMTwin, else the one in ``.venv`` beside the addon. A thread moves data from the pipe into a
queue; if the queue is not drained for long, the child drops the oldest rows, and ``lost`` counts them.
"""

import os
import queue
import signal
import subprocess
import tempfile
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import FreeCAD as App
import numpy as np

from freecad_camtwin import ROOT
from freecad_camtwin.errors import ConnectorError, InputError
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.signals.columns import Columns, joined
from freecad_camtwin.twin.signals.frames import Frame, Frames
from freecad_camtwin.twin.signals.state import State

PREFERENCES = "User parameter:BaseApp/Preferences/Mod/CAMTwin"
#: Frames that wait to be drained, and rows that are kept for charts.
MOST_FRAMES, MOST_RECENT = 64, 100_000
#: A move number from here on is invalid.
_MOST_MOVES = 10_000_000
#: The columns that are kept of every move.
_KEPT = ("power", "predicted_power", "spindle_load", "current", "confidence", "feed_override")


class Newest:
    """The newest sample of every move: columns by name, (moves,) each, NaN where there was none."""

    def __init__(self) -> None:
        self.time = np.empty(0)
        self._columns = {name: np.empty(0) for name in _KEPT}

    def __getattr__(self, name: str) -> Floats:
        try:
            return self._columns[name]
        except KeyError:
            raise AttributeError(name) from None

    def take(self, rows: Columns) -> None:
        """Take in rows; if several rows have the same move, the last one counts."""
        move = rows.column("move")
        known = np.flatnonzero((move >= 0) & (move < _MOST_MOVES))
        if not len(known):
            return
        moves = move[known].astype(np.int64)
        self._grow(int(moves.max()) + 1)
        self.time[moves] = rows.time[known]
        for name, column in self._columns.items():
            column[moves] = rows.column(name)[known]

    def _grow(self, moves: int) -> None:
        more = moves - len(self.time)
        if more > 0:
            more = max(more, len(self.time))
            self.time = np.concatenate([self.time, np.full(more, np.nan)])
            self._columns = {
                name: np.concatenate([column, np.full(more, np.nan)]) for name, column in self._columns.items()
            }


class LiveFeed:
    """Live data of one machine. Call ``start``, then ``drain`` on a timer, and read the fields; it never restarts."""

    def __init__(
        self,
        url: str,
        *,
        job: str | os.PathLike[str] | None = None,
        signals: str | os.PathLike[str] | None = None,
        user: str | None = None,
        password: str | None = None,
        options: tuple[str, ...] = (),
        python: str | None = None,
    ) -> None:
        """``options``: further options of ``camtwin watch``, such as ``("--ca", "ca.pem")``."""
        words = [("--job", job), ("--signals", signals), ("--user", user)]
        self._words = [url, *options, *(str(word) for pair in words if pair[1] is not None for word in pair)]
        self._password, self._python = password, python
        self._child: subprocess.Popen[bytes] | None = None
        self._forget()

    def _forget(self) -> None:
        self.state = State()
        self.newest = Newest()
        self.lost = 0  #: rows that the child dropped, because the queue was not drained
        self.ended: str | None = None  #: the reason for the end of the data, in one sentence; None while it runs
        self._recent: deque[Columns] = deque()
        self._rows = 0
        self._post = _Post()

    @property
    def is_running(self) -> bool:
        """Whether the child receives data, or received data are not drained yet."""
        return self._child is not None and self.ended is None

    def start(self) -> None:
        """Start the child; a running one is ended first. ConnectorError if there is no Python for it."""
        self.stop()
        self._forget()
        python = find_python(self._python)
        environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        environment |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        if self._password is not None:
            environment["CAMTWIN_PASSWORD"] = self._password
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the thread
        try:
            self._child = subprocess.Popen(
                [python, "-m", "freecad_camtwin.cli.main", "--quiet", "watch", "--pipe", *self._words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
            )
        except OSError as error:
            errors.close()
            raise ConnectorError(f"{python} cannot be started: {error.strerror}; set CAMTWIN_PYTHON") from error
        arguments = (self._child, errors, self._post)
        threading.Thread(target=_hear, args=arguments, name="camtwin-live", daemon=True).start()

    def stop(self) -> None:
        """End the child; state and rows are kept."""
        child, self._child = self._child, None
        if child is None:
            return
        child.terminate()
        try:
            child.wait(2)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        self._post.is_closed = True
        self.ended = self.ended or "it was stopped"

    def drain(self) -> int:
        """Take in the data that have arrived, and return the number of rows; never waits."""
        rows = 0
        for _ in range(MOST_FRAMES):  # a fast child must not block the window
            message = self._post.take()
            if message is None:
                break
            if isinstance(message, str):
                self.ended = self.ended or message
                break
            rows += self._take(*message)
        return rows

    def recent(self) -> Columns:
        """Return the newest rows, for a chart."""
        return joined(self._recent)

    def _take(self, frame: Frame, rows: Columns) -> int:
        self.state, self.lost = frame.state, frame.lost
        if rows.rows:
            self.newest.take(rows)
            self._recent.append(rows)
            self._rows += rows.rows
            while self._rows > MOST_RECENT and len(self._recent) > 1:
                self._rows -= self._recent.popleft().rows
        return rows.rows


PipeMessage = tuple[Frame, Columns] | str  #: a frame and its rows, or the reason for the end


class _Post:
    """Messages from the thread to the window; the thread waits while the queue is full, unless it is closed."""

    def __init__(self) -> None:
        self._queue: queue.Queue[PipeMessage] = queue.Queue(MOST_FRAMES)
        self.is_closed = False

    def put(self, message: PipeMessage) -> None:
        while not self.is_closed:
            with suppress(queue.Full):
                self._queue.put(message, timeout=0.2)
                return

    def take(self) -> PipeMessage | None:
        with suppress(queue.Empty):
            return self._queue.get_nowait()
        return None


def find_python(python: str | None = None) -> str:
    """Return the path of the Python for live data; ConnectorError if there is none, with the way to install it."""
    chosen = python or os.environ.get("CAMTWIN_PYTHON") or App.ParamGet(PREFERENCES).GetString("Python", "")
    beside = [ROOT / ".venv" / "bin" / "python", ROOT / ".venv" / "Scripts" / "python.exe"]
    for path in [Path(chosen)] if chosen else beside:
        if path.is_file():
            return str(path)
    missing = f"there is no {chosen}" if chosen else f"there is none in {ROOT / '.venv'}"
    raise ConnectorError(
        f"live data need a separate Python, and {missing}; make one (python3 -m venv …, then "
        "pip install 'freecad-camtwin[live]') and name it in CAMTWIN_PYTHON"
    )


def _hear(child: "subprocess.Popen[bytes]", errors: IO[bytes], post: _Post) -> None:
    """Read the pipe of a child, in a thread; the last message is the reason for its end."""
    frames = Frames()
    reason = ""
    pipe: Any = child.stdout
    with pipe, errors:
        try:
            while data := pipe.read1(1 << 16):
                for frame in frames.take(data):
                    post.put((frame, frame.rows))
        except InputError as error:
            reason = str(error)
            child.kill()
        code = child.wait()
        post.put(reason or _last_words(errors, code))


def _last_words(errors: IO[bytes], code: int) -> str:
    errors.seek(0)
    lines = [line.strip() for line in errors.read(1 << 16).decode(errors="replace").splitlines() if line.strip()]
    if code == 0:
        return "the source has ended"
    if lines and lines[-1].startswith("camtwin: "):
        return lines[-1].removeprefix("camtwin: ")
    if code < 0:
        return f"the process that receives the machine's data was ended by {signal.Signals(-code).name}"
    last = f": {lines[-1]}" if lines else ""
    return f"the process that receives the machine's data ended with code {code}{last}"
