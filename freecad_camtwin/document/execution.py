# SPDX-License-Identifier: LGPL-2.1-or-later
"""An execution in the document tree: one run of the job on its machine, in a few figures; its arrays lie beside it.

Saved files name this module and its class: never move or rename them. The twin lists its executions. The figures of
every move are in the folder PART.camtwin beside PART.FCStd, and referred to by their hash.
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
    Property("App::PropertyString", MARK, "CAM Twin", "Which object of CAM Twin this is", structure.EXECUTION,
             note=True, read_only=True, hidden=True),
    _text("RunName", _RUN, "Names this run wherever it is copied to"),
    _text("Source", _RUN, "The file that the run was read from, and which part of it"),
    _text("Started", _RUN, "First motion, UTC"),
    _text("Machine", _RUN, "The machine that ran; empty: not known"),
    _text("Operator", _RUN, "Who ran it; empty: not known"),
    _text("Program", _RUN, "The program that ran"),
    Property("App::PropertyBool", "Simulated", _RUN, "Whether no machine ran: the data are a simulation", False,
             note=True, read_only=True),
    _map("KPI", _RESULT, "Figures of the whole run, by name with unit; what is not there is not known"),
    _map("Operations", _RESULT, "What each operation took and how hard it cut"),
    _text("Notes", _RESULT, "What is to be known of this run"),
    _text("ToolpathHash", _DATA, "Of the path that it ran along"),
    _map("PathHashes", _DATA, "Of each operation's stored commands, by its internal name, when it ran"),
    _text("Sidecar", _DATA, "The file with all figures, from the document's folder on"),
    _text("SidecarHash", _DATA, "SHA-256 of that file"),
)  # fmt: skip


class ExecutionObject(ObjectProxy):
    """Proxy of an ``App::FeaturePython``."""

    properties = _PROPERTIES

    def execute(self, _obj: Any) -> None:
        """Nothing depends on a recompute: a run is over."""


def add(job: Any, summary: Mapping[str, Any]) -> Any:
    """Put an execution under the job's twin and return it. DocumentError where it belongs to another path.

    ``summary``: what ``twin.execution_summary`` says of it, with the keys ``Sidecar`` and ``SidecarHash``.
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
    """Return the job's twin; DocumentError, one sentence, where an execution cannot be put under it."""
    twin = structure.twin(job)
    if twin is None:
        raise DocumentError(
            f"job {job.Label!r} has no twin to keep the run under: attach one first, by 'camtwin attach DOC -o OUT' "
            "or Attach Twin in the window"
        )
    check_path(job, summary["PathHashes"], summary["Source"])
    if any(each.SidecarHash == summary["SidecarHash"] for each in structure.executions(twin)):
        raise DocumentError(f"{summary['Source']} is in the document already")
    return twin


def check_path(job: Any, ran: Mapping[str, str], source: str) -> None:
    """Refuse a run that went along another path than a job's; DocumentError names the operation.

    ``ran``: the hash of the stored commands of each operation that ran, by internal name.
    """
    if not ran:
        raise DocumentError(
            f"{source} was held against a program, and not against this document: package the document, "
            "with the program that ran"
        )
    now = {top.Name: top for top in structure.operations(job) if structure.is_path(top) and structure.is_active(top)}
    for name in ran:
        if name not in now:
            raise DocumentError(
                f"{source} ran the operation {name!r}, which job {job.Label!r} does not have or has "
                "switched off: the run belongs to another state of the document"
            )
    for name, top in now.items():
        if ran.get(name) != stored_hash(top):
            what = "has changed since it ran" if name in ran else "did not run"
            raise DocumentError(
                f"operation {top.Label!r} {what}: {source} went along another path than that of job "
                f"{job.Label!r}, and is not kept with it"
            )


def job_of_execution(obj: Any) -> Any:
    """Return the job whose twin keeps an execution; DocumentError where none does any more."""
    twin = next((each for each in obj.InList if structure.is_marked(each, structure.TWIN)), None)
    if twin is None or twin.Job is None:
        raise DocumentError(f"{obj.Label!r} belongs to no job any more: its twin or its job was deleted")
    return twin.Job


def sidecar(obj: Any) -> Path:
    """Return where the figures of an execution lie; DocumentError where the document has no place yet."""
    document = obj.Document
    named = PurePosixPath(obj.Sidecar)
    if not document.FileName:
        raise DocumentError(
            f"document {document.Label!r} was never saved: the figures of {obj.Label!r} lie beside its file"
        )
    if named.is_absolute() or ".." in named.parts or len(named.parts) != 2:
        raise DocumentError(f"{obj.Label!r} names {obj.Sidecar!r} as its figures, which is no file beside the document")
    return Path(document.FileName).parent / named


def load_kept_execution(obj: Any) -> Any:
    """Read the figures of every move of an execution; InputError where its file is missing or not the one it was."""
    from freecad_camtwin.twin.runs.file import load_execution  # not above: FreeCAD's Python may lack msgspec

    return load_execution(sidecar(obj), obj.SidecarHash)


def beside(document: str | os.PathLike[str], file: Path) -> str:
    """Return how a document names a file in its folder: with slashes, from its own folder on."""
    return file.relative_to(Path(document).parent).as_posix()
