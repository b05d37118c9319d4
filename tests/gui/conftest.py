# SPDX-License-Identifier: LGPL-2.1-or-later
"""A job in a window, and the patience to wait for work beside it."""

import time

import FreeCAD as App
import FreeCADGui as Gui
import pytest
from PySide import QtGui

from freecad_jobs import build_job


@pytest.fixture
def idle():
    """Lets the window do its own delayed work, on objects that a test made, before they are gone again."""

    def work(seconds=0.3):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            QtGui.QApplication.processEvents()
            time.sleep(0.01)

    return work


@pytest.fixture
def job(idle):
    """A profile in a document of its own, in an isometric view."""
    Gui.activateWorkbench("CamTwinWorkbench")
    document = App.newDocument("Window")
    document.UndoMode = 1
    made = build_job(document)
    made.PostProcessor = "linuxcnc"
    Gui.getDocument("Window").activeView().viewIsometric()
    idle()
    yield made
    for name in list(App.listDocuments()):
        App.closeDocument(name)


@pytest.fixture
def settle():
    """Waits until no work runs beside the window, and returns the longest time for which the window stood still [s]."""

    def wait():
        from freecad_camtwin.gui.background import is_busy

        longest, deadline = 0.0, time.monotonic() + 120
        while is_busy():
            before = time.monotonic()
            QtGui.QApplication.processEvents()
            longest = max(longest, time.monotonic() - before)
            assert time.monotonic() < deadline, "the work beside the window did not end"
            time.sleep(0.01)
        return longest

    return wait
