# SPDX-License-Identifier: LGPL-2.1-or-later
"""Long work beside the window: a thread computes on arrays, and a timer on FreeCAD's own thread takes the result.

The thread must not use document objects: writing one from a worker thread crashes FreeCAD 0.20, 1.0 and 1.1.
"""

import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import FreeCADGui as Gui
from PySide import QtCore, QtGui

from freecad_camtwin.errors import CamTwinError

_T = TypeVar("_T")

_POLL_MS = 50


class Cancelled(Exception):  # noqa: N818 - not an error: the user asked for it
    """The user pressed Cancel."""


class BackgroundTask(Generic[_T]):
    """One run of ``work(progress)`` in a thread, with a progress bar; ``done`` is called on FreeCAD's thread.

    ``work`` receives a function to call with the completed share (0 … 1); it raises Cancelled after the user cancelled.
    ``failed`` receives the sentence of a CamTwinError. Any other exception is a fault of CAM Twin and is raised again.
    """

    def __init__(
        self,
        title: str,
        work: Callable[[Callable[[float], None]], _T],
        done: Callable[[_T], None],
        failed: Callable[[str], None],
    ) -> None:
        self._work, self._done, self._failed = work, done, failed
        self._share, self._cancelled = 0.0, False
        self._result: _T | None = None
        self._error: BaseException | None = None
        self._bar: Any = QtGui.QProgressDialog(title, "Cancel", 0, 1000, Gui.getMainWindow())
        self._bar.setWindowTitle("CAM Twin")
        self._bar.setMinimumDuration(500)
        self._bar.setAutoClose(False)
        self._bar.setAutoReset(False)
        self._thread = threading.Thread(target=self._run, name="camtwin-work", daemon=True)
        self._timer: Any = QtCore.QTimer()
        self._timer.timeout.connect(self._poll)
        self._thread.start()
        self._timer.start(_POLL_MS)
        _running.add(self)

    def _run(self) -> None:
        try:
            self._result = self._work(self._progress)
        except BaseException as error:  # noqa: BLE001 - the top of a thread: raised again in FreeCAD's own
            self._error = error

    def _progress(self, share: float) -> None:
        self._share = share
        if self._cancelled:
            raise Cancelled

    def _poll(self) -> None:
        self._bar.setValue(int(1000 * self._share))
        self._cancelled = self._cancelled or self._bar.wasCanceled()
        if self._thread.is_alive():
            return
        self._timer.stop()
        self._bar.close()
        _running.discard(self)
        if self._error is None:
            self._done(self._result)  # type: ignore[arg-type]  # set whenever there is no error
        elif isinstance(self._error, CamTwinError):
            self._failed(str(self._error))
        elif not isinstance(self._error, Cancelled):
            raise self._error


_running: set[BackgroundTask[Any]] = set()  # keeps a task alive until its timer has taken the result


def is_busy() -> bool:
    """Whether a task is still running."""
    return bool(_running)
