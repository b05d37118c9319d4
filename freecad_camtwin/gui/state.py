# SPDX-License-Identifier: LGPL-2.1-or-later
"""The window's state of each job while FreeCAD runs: the last analysis, and the overlay that shows it."""

from dataclasses import dataclass
from typing import Any

import FreeCAD as App
import numpy as np

from freecad_camtwin.gui.overlay import Overlay, packed, view_of
from freecad_camtwin.report.coloring import by_load
from freecad_camtwin.twin.analysis.analysis import Analysis


@dataclass
class JobState:
    """One job's last analysis, and its overlay."""

    analysis: Analysis | None = None
    overlay: Overlay | None = None

    def show(self, document: Any, analysis: Analysis) -> None:
        """Store an analysis and draw it; without a 3D view it is stored only."""
        self.draw(document, *_lines(analysis))
        self.analysis = analysis

    def draw(self, document: Any, points: Any, rgba: Any, counts: Any) -> None:
        """Replace the drawn lines by others; see ``Overlay.draw``."""
        self.hide()
        view = view_of(document)
        if view is not None:
            self.overlay = Overlay(view)
            self.overlay.draw(points, rgba, counts)

    def hide(self) -> None:
        """Delete the analysis, and remove its overlay from the view."""
        if self.overlay is not None:
            self.overlay.remove()
        self.overlay = self.analysis = None


def _lines(analysis: Analysis) -> tuple[Any, Any, Any]:
    """Return points (2·steps, 3), their colors (2·steps,) and the length of each line (steps,), all 2."""
    cut = analysis.engagement
    points = np.stack([cut.start, cut.end], axis=1).reshape(-1, 3).astype(np.float32)
    rgba = packed(by_load(analysis).rgba)
    return points, np.repeat(rgba, 2), np.full(len(cut.move), 2, np.int32)


_states: dict[tuple[str, str], JobState] = {}


def state_of(job: Any) -> JobState:
    """Return the state of a job, empty at first."""
    return _states.setdefault((job.Document.Name, job.Name), JobState())


class _Closing:
    """Deletes the states of a document's jobs when it is closed: its views are closed, too."""

    def slotDeletedDocument(self, document: Any) -> None:
        for key in [key for key in _states if key[0] == document.Name]:
            del _states[key]


def watch_documents() -> None:
    """Start to observe closed documents; called once, when the workbench is first used."""
    App.addDocumentObserver(_observer)


_observer = _Closing()
