# SPDX-License-Identifier: LGPL-2.1-or-later
"""Choose the job of a command: the selected job, the job of a selected object, or the only job."""

from typing import Any

import FreeCAD as App
import FreeCADGui as Gui

from freecad_camtwin.document import structure
from freecad_camtwin.errors import DocumentError


def selected_job() -> Any:
    """Return the job object that a command should work on; DocumentError if there is none or no unique one."""
    document = App.ActiveDocument
    if document is None:
        raise DocumentError("Open a document with a CAM job first.")
    jobs = structure.jobs(document)
    for obj in Gui.Selection.getSelection(document.Name):
        if obj in jobs:
            return obj
        owner = _owner(obj, jobs)
        if owner is not None:
            return owner
    if not jobs:
        raise DocumentError("This document has no CAM job.")
    if len(jobs) > 1:
        raise DocumentError("This document has several CAM jobs: select one of them.")
    return jobs[0]


def _owner(obj: Any, jobs: list[Any]) -> Any | None:
    link = getattr(obj, "Job", None)  # a twin links to its job
    return link if link in jobs else structure.job_of_operation(obj)
