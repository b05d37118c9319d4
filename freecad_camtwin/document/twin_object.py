# SPDX-License-Identifier: LGPL-2.1-or-later
"""The twin of a job in the document tree: what it aims at, what it cuts, on which machine, how far it is trusted.

Saved files name this module and its class: never move or rename them. The object links to its job and lies
beside it: FreeCAD's job shows only its own children.
"""

import uuid
from typing import Any

from freecad_camtwin.document import structure, twin_data, views
from freecad_camtwin.document.properties import MARK, ObjectProxy, Property

_GROUP = "CAM Twin"

#: What the plan for a job is to achieve; all within the limits.
OBJECTIVES = ("Shortest time", "Even load", "Least tool wear")

#: How far the twin is trusted: it watches, a person accepts each change, or it acts within its band.
STAGES = ("Shadow", "Reviewed", "Automatic")

PROPERTIES = (
    Property("App::PropertyString", MARK, _GROUP, "Which object of CAM Twin this is", structure.TWIN,
             note=True, read_only=True, hidden=True),
    Property("App::PropertyString", "TwinUUID", _GROUP, "Identity of this twin", "", note=True, read_only=True),
    Property("App::PropertyLink", "Job", _GROUP, "The job that this is the twin of", None),
    Property("App::PropertyEnumeration", "Objective", "Aim", "What the plan is to achieve", OBJECTIVES[0],
             note=True, choices=OBJECTIVES),
    Property("App::PropertyMap", "KPI", "Aim", "Figures to hold the job to, by name with unit, such as 'time [s]'", {},
             note=True),
    Property("App::PropertyString", "Material", "Cut", "Key or name in the table of materials; empty: not known", "",
             note=True),
    Property("App::PropertyString", "Machine", "Cut", "Name or path of a machine profile; empty: not known", "",
             note=True),
    Property("App::PropertyEnumeration", "Stage", "Trust", "How far the twin is trusted", STAGES[0],
             note=True, choices=STAGES),
    Property("App::PropertyLinkList", "Executions", "Runs", "What its machine did, run by run", [], note=True),
    Property("App::PropertyMap", "SignalMap", "Signals", "Signal of the machine, by data item such as LOAD", {},
             note=True),
)  # fmt: skip


class TwinObject(ObjectProxy):
    """Proxy of an ``App::FeaturePython``."""

    properties = PROPERTIES

    def execute(self, _obj: Any) -> None:
        """Nothing depends on a recompute: what is predicted lies beside the document."""


def attach(job: Any) -> Any:
    """The twin of a job, made if it has none; every operation gets its identity."""
    obj = structure.twin(job)
    if obj is None:
        obj = job.Document.addObject("App::FeaturePython", "CamTwin")
        TwinObject(obj)
        obj.Label = f"{job.Label} twin"
        obj.Job = job
        obj.TwinUUID = str(uuid.uuid4())
        views.dress(obj)
        obj.purgeTouched()
    for top in structure.operations(job):
        if structure.is_path(top):
            twin_data.note(structure.root(top))
    return obj


def detach(job: Any) -> None:
    """Take a job's twin away with its executions, and all that it noted on the operations."""
    for top in structure.operations(job):
        if structure.is_path(top):
            twin_data.forget(structure.root(top))
    obj = structure.twin(job)
    if obj is not None:
        for execution in structure.executions(obj):
            job.Document.removeObject(execution.Name)
        job.Document.removeObject(obj.Name)
