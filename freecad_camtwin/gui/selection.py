# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which job the user means: the selected one, the one a selected object belongs to, or the only one."""

from typing import Any

import FreeCAD as App
import FreeCADGui as Gui

from freecad_camtwin.document import structure
from freecad_camtwin.errors import DocumentError


def selected_job() -> Any:
    """Return the job object that a command should work on; DocumentError says why there is none."""
    document = App.ActiveDocument
    if document is None:
        raise DocumentError("Open a document with a CAM job first.")
    found = structure.jobs(document)
    for obj in Gui.Selection.getSelection(document.Name):
        if obj in found:
            return obj
        owner = _owner(obj, found)
        if owner is not None:
            return owner
    if not found:
        raise DocumentError("This document has no CAM job.")
    if len(found) > 1:
        raise DocumentError("This document has several CAM jobs: select the one you mean.")
    return found[0]


def _owner(obj: Any, found: list[Any]) -> Any | None:
    link = getattr(obj, "Job", None)  # a twin names its job
    return link if link in found else structure.job_of_operation(obj)
