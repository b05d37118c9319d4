# SPDX-License-Identifier: LGPL-2.1-or-later
"""An execution in the document tree: a summary of one run of the job on its machine.

Saved files name this module and its class: never move or rename them. The twin lists its executions. The values of
every move are in the folder PART.camtwin beside PART.FCStd; the document stores their hash.
"""

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from freecad_camtwin.document import structure, views
from freecad_camtwin.document.commands import stored_hash
from freecad_camtwin.document.properties import MARK, ObjectProxy, Property
from freecad_camtwin.errors import DocumentError

_RUN, _RESULT, _DATA = "Run", "Result", "Data"


def _text(name: str, group: str, doc: str) -> Property:
    return Property("App::PropertyString", name, group, doc, "", note=True, read_only=True)


def _map(name: str, group: str, doc: str) -> Property:
    return Property("App::PropertyMap", name, group, doc, {}, note=True, read_only=True)


_PROPERTIES = (
    Property("App::PropertyString", MARK, "CAM Twin", "Kind of object of CAM Twin", structure.EXECUTION,
             note=True, read_only=True, hidden=True),
    _text("RunName", _RUN, "Name of this run, the same in all copies"),
    _text("Source", _RUN, "The file that the run was read from, and the number of the part"),
    _text("Started", _RUN, "First motion, UTC"),
    _text("Machine", _RUN, "Name of the machine; empty: not known"),
    _text("Operator", _RUN, "Name of the operator; empty: not known"),
    _text("Program", _RUN, "The program that ran"),
    Property("App::PropertyBool", "Simulated", _RUN, "Whether the data are simulated: no machine ran", False,
             note=True, read_only=True),
    _map("KPI", _RESULT, "Figures of the whole run, by name with unit; a missing one is not known"),
    _map("Operations", _RESULT, "Time and load of each operation"),
    _text("Notes", _RESULT, "Remarks on this run"),
    _text("ToolpathHash", _DATA, "Hash of the path that was run"),
    _map("PathHashes", _DATA, "Hash of each operation's stored commands at the run, by the operation's internal name"),
    _text("Sidecar", _DATA, "The file with the values of every move, relative to the document's folder"),
    _text("SidecarHash", _DATA, "SHA-256 of that file"),
)  # fmt: skip


class ExecutionObject(ObjectProxy):
    """Proxy of an ``App::FeaturePython``."""

    properties = _PROPERTIES

    def execute(self, _obj: Any) -> None:
        """Do nothing: a finished run does not depend on a recompute."""


def add(job: Any, summary: Mapping[str, Any]) -> Any:
    """Add an execution to the job's twin and return its object. DocumentError if it is of another path.

    ``summary``: the properties of ``twin.runs.summary``, with the keys ``Sidecar`` and ``SidecarHash``.
    """
    twin = check_execution(job, summary)
    obj = job.Document.addObject("App::FeaturePython", "CamTwinExecution")
    ExecutionObject(obj)
    obj.Label = summary["Label"]
    for row in _PROPERTIES:
        if row.name in summary:
            setattr(obj, row.name, summary[row.name])
    twin.Executions = [*structure.executions(twin), obj]
    views.add_view_provider(obj)
    for each in (obj, twin):
        each.purgeTouched()
    return obj


def check_execution(job: Any, summary: Mapping[str, Any]) -> Any:
    """Return the job's twin; DocumentError if an execution cannot be added to it."""
    twin = structure.twin(job)
    if twin is None:
        raise DocumentError(
            f"job {job.Label!r} has no twin to store the run in; attach one first, with 'camtwin attach DOC -o OUT' "
            "or Attach Twin in the window"
        )
    check_path(job, summary["PathHashes"], summary["Source"])
    if any(each.SidecarHash == summary["SidecarHash"] for each in structure.executions(twin)):
        raise DocumentError(f"{summary['Source']} is in the document already")
    return twin


def check_path(job: Any, ran: Mapping[str, str], source: str) -> None:
    """Raise DocumentError if a run is of another path than the job's; it names the operation.

    ``ran``: the hash of the stored commands of each operation that ran, by internal name.
    """
    if not ran:
        raise DocumentError(
            f"{source} was compared with a program, not with this document; make a package of the document "
            "and of the program that ran"
        )
    now = {top.Name: top for top in structure.operations(job) if structure.is_path(top) and structure.is_active(top)}
    for name in ran:
        if name not in now:
            raise DocumentError(
                f"{source} ran the operation {name!r}, which is missing or switched off in job {job.Label!r}: "
                "the run belongs to another state of the document"
            )
    for name, top in now.items():
        if ran.get(name) != stored_hash(top):
            what = "has changed since the run" if name in ran else "did not run"
            raise DocumentError(
                f"operation {top.Label!r} {what}: {source} is a run of another path than that of job "
                f"{job.Label!r}, and is not stored"
            )


def job_of_execution(obj: Any) -> Any:
    """Return the job whose twin has an execution; DocumentError if the twin or the job was deleted."""
    twin = next((each for each in obj.InList if structure.is_marked(each, structure.TWIN)), None)
    if twin is None or twin.Job is None:
        raise DocumentError(f"{obj.Label!r} belongs to no job: its twin or its job was deleted")
    return twin.Job


def sidecar(obj: Any) -> Path:
    """Return the path of the file with an execution's values; DocumentError if the document was never saved."""
    document = obj.Document
    named = PurePosixPath(obj.Sidecar)
    if not document.FileName:
        raise DocumentError(
            f"document {document.Label!r} was never saved; the values of {obj.Label!r} are stored beside its file"
        )
    if named.is_absolute() or ".." in named.parts or len(named.parts) != 2:
        raise DocumentError(f"the file of {obj.Label!r}, {obj.Sidecar!r}, is not in a folder beside the document")
    return Path(document.FileName).parent / named


def load_kept_execution(obj: Any) -> Any:
    """Read the values of every move of an execution; InputError if its file is missing or has another hash."""
    from freecad_camtwin.twin.runs.file import load_execution  # not above: FreeCAD's Python may lack msgspec

    return load_execution(sidecar(obj), obj.SidecarHash)


def beside(document: str | os.PathLike[str], file: Path) -> str:
    """Return the path of a file relative to the document's folder, with slashes."""
    return file.relative_to(Path(document).parent).as_posix()
