# SPDX-License-Identifier: LGPL-2.1-or-later
"""The twin of a job in the document tree: objective of the feed plans, material, machine and runs.

Saved files name this module and its class: never move or rename them. The object links to its job and is beside it
in the tree: FreeCAD's job shows only its own children.
"""

import uuid
from typing import Any

from freecad_camtwin.document import structure, twin_data, views
from freecad_camtwin.document.properties import MARK, ObjectProxy, Property
from freecad_camtwin.twin.feeds.plan import OBJECTIVES

_GROUP = "CAM Twin"

_PROPERTIES = (
    Property("App::PropertyString", MARK, _GROUP, "Kind of object of CAM Twin", structure.TWIN,
             note=True, read_only=True, hidden=True),
    Property("App::PropertyString", "TwinUUID", _GROUP, "Identity of this twin", "", note=True, read_only=True),
    Property("App::PropertyLink", "Job", _GROUP, "The job of this twin", None),
    Property("App::PropertyEnumeration", "Objective", "Aim",
             "Feed plans stay within: limits, the load of the programmed feeds, or (auto) limits if one is stated",
             OBJECTIVES[0], note=True, choices=OBJECTIVES),
    Property("App::PropertyString", "Material", "Cut", "Key or name in the table of materials; empty: not known", "",
             note=True),
    Property("App::PropertyString", "Machine", "Cut", "Name or path of a machine profile; empty: not known", "",
             note=True),
    Property("App::PropertyLinkList", "Executions", "Runs", "The runs of this job on its machine", [], note=True),
)  # fmt: skip


class TwinObject(ObjectProxy):
    """Proxy of an ``App::FeaturePython``."""

    properties = _PROPERTIES

    def execute(self, _obj: Any) -> None:
        """Do nothing: no property depends on a recompute."""

    def onDocumentRestored(self, obj: Any) -> None:
        # Version 0.1 had other objectives, which no plan used.
        if getattr(obj, "Objective", OBJECTIVES[0]) not in OBJECTIVES:
            obj.Objective = list(OBJECTIVES)
            obj.Objective = OBJECTIVES[0]
        super().onDocumentRestored(obj)


def attach_twin(job: Any) -> Any:
    """Return the twin of a job, made if it has none; every operation gets its identity."""
    obj = structure.twin(job)
    if obj is None:
        obj = job.Document.addObject("App::FeaturePython", "CamTwin")
        TwinObject(obj)
        obj.Label = f"{job.Label} twin"
        obj.Job = job
        obj.TwinUUID = str(uuid.uuid4())
        views.add_view_provider(obj)
        obj.purgeTouched()
    for top in structure.operations(job):
        if structure.is_path(top):
            twin_data.declare_operation(structure.root(top))
    return obj


def detach(job: Any) -> None:
    """Remove a job's twin, its executions, and its properties of the operations."""
    for top in structure.operations(job):
        if structure.is_path(top):
            twin_data.forget(structure.root(top))
    obj = structure.twin(job)
    if obj is not None:
        for execution in structure.executions(obj):
            job.Document.removeObject(execution.Name)
        job.Document.removeObject(obj.Name)
