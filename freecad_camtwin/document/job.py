# SPDX-License-Identifier: LGPL-2.1-or-later
"""Read a CAM job of a FreeCAD document as the twin's ``Job``, from the stored properties and paths.

Nothing is recomputed and nothing is written: the stored paths are the paths that are posted. So a document whose
proxies are lost, because another FreeCAD version made it, is read like any other.
"""

import math
import re
from pathlib import Path
from typing import Any

from freecad_camtwin.document import dressup, stored, structure, tools, twin_data, versions
from freecad_camtwin.document.commands import commands_of, same
from freecad_camtwin.document.stock import read_stock
from freecad_camtwin.errors import DocumentError
from freecad_camtwin.twin.feeds.plan import OBJECTIVES, commands_hash
from freecad_camtwin.twin.job.job import Job, Operation
from freecad_camtwin.twin.job.stored_job import StoredJob, StoredOperation, interpret_stored
from freecad_camtwin.twin.job.tool import Tool

_FEED_MOVES = ("G1", "G01", "G2", "G02", "G3", "G03")


def read_job(job: Any, *, bare: bool = False) -> Job:
    """Read a job object. ``bare`` reads the paths under the feed dressups, for which a new plan is made."""
    return interpret_stored(read_stored(job, bare=bare))


def read_stored(
    job: Any, *, bare: bool = False, file: stored.StoredDocument | None = None, source: str | None = None
) -> StoredJob:
    """Read a job's stored commands, tools and stock, without interpreting them as moves; this needs numpy only.

    ``file``, ``source``: content and path of the document's own file, if FreeCAD has opened a copy of it.
    """
    document = job.Document
    if file is None:
        file = stored_document(document)
    tool_index: dict[str, int] = {}
    read_tools: list[Tool] = []
    operations: list[StoredOperation] = []
    warnings: list[str] = []
    for top in structure.operations(job):
        if not structure.is_path(top):
            warnings.append(f"{top.Label!r} is among the operations but has no path; it is left out")
        elif not structure.is_active(top):
            warnings.append(f"operation {top.Label!r} is inactive and left out")
        else:
            operations.append(_operation(top, bare, file, tool_index, read_tools, warnings))
    stock, sentence = read_stock(job)
    if sentence:
        warnings.append(sentence)
    lost = lost_proxies(document, file)
    twin = structure.twin(job)
    return StoredJob(
        label=job.Label,
        operations=tuple(operations),
        tools=tuple(read_tools),
        stock=stock,
        material=twin_data.text(twin, "Material"),
        machine=twin_data.text(twin, "Machine"),
        objective=twin_data.choice(twin, "Objective", OBJECTIVES),
        name=job.Name,
        warnings=tuple(warnings),
        source=document.FileName if source is None else source,
        freecad_version=versions.version_text(),
        can_be_saved=not lost,
        mends_with=stored.needs(lost, file.wrote) if lost else None,
    )


def stored_document(document: Any) -> stored.StoredDocument:
    """Return the data of a document's file; an empty StoredDocument if it was never saved."""
    name = document.FileName
    return stored.inspect(name) if name and Path(name).is_file() else stored.StoredDocument()


def lost_proxies(document: Any, file: stored.StoredDocument) -> list[str]:
    """Return the modules of the proxies that the file names and this FreeCAD could not restore."""
    lost = []
    for name, module in file.proxies.items():
        obj = document.getObject(name)
        if obj is not None and getattr(obj, "Proxy", module) is None:
            lost.append(module)
    return lost


def _operation(
    top: Any,
    bare: bool,
    file: stored.StoredDocument,
    tool_index: dict[str, int],
    read_tools: list[Tool],
    warnings: list[str],
) -> StoredOperation:
    base = structure.planned(top)
    read = base if bare else top
    commands = commands_of(read)
    controller = structure.controller(top)
    tool = _tool(controller, tool_index, read_tools)
    root = structure.root(top)
    if read is not base and structure.is_marked(read, structure.FEED_DRESSUP):
        expected, sentence = dressup.planned_commands(read)
        if sentence or not same(expected, commands):
            warnings.append(sentence or f"the stored path of {top.Label!r} is not that of its plan: recompute it")
    if any(name in _FEED_MOVES for name, _ in commands):
        _warn(top, commands, controller, tool, read_tools, warnings)
    operation = Operation(
        label=base.Label,
        type=_type(root, file),
        tool=tool,
        name=read.Name,
        base_name=read.Name,
        base_hash=commands_hash(commands),
        uuid=twin_data.uuid_of(root),
        limits=twin_data.limits_of(root),
        freecad_time=_estimate(root),
    )
    n_rpm = tools.spindle_speed(controller) if controller is not None else math.nan
    return StoredOperation(
        operation, commands, n_rpm, controller is not None and tools.is_reversed(controller), structure.coolant(top)
    )


def _estimate(operation: Any) -> float | None:
    """Return FreeCAD's stored estimate of an operation's time [s]; None if it is 0 or text ("Cycletime Error")."""
    clock = re.fullmatch(r"(\d+):(\d\d):(\d\d)", str(getattr(operation, "CycleTime", "")))
    if clock is None:
        return None
    hours, minutes, seconds = map(int, clock.groups())
    return float(3600 * hours + 60 * minutes + seconds) or None


def _tool(controller: Any | None, index: dict[str, int], read_tools: list[Tool]) -> int:
    """Return the index of a controller's tool in ``read_tools``, to which it is added; -1 if it has no tool."""
    if controller is None:
        return -1
    if controller.Name not in index:
        tool = tools.read_tool(controller)
        if tool is None:
            return -1
        index[controller.Name] = len(read_tools)
        read_tools.append(tool)
    return index[controller.Name]


def _warn(
    top: Any,
    commands: list[tuple[str, dict[str, float]]],
    controller: Any | None,
    tool: int,
    read_tools: list[Tool],
    warnings: list[str],
) -> None:
    """Add a warning for each value of an operation that the document lacks."""
    name = repr(top.Label)
    if controller is None:
        warnings.append(f"operation {name} has no tool controller: neither tool nor spindle speed is known")
        return
    if tool < 0:
        warnings.append(f"the tool controller {controller.Label!r} of operation {name} has no tool that can be read")
    elif read_tools[tool].shape is None:
        word = read_tools[tool].shape_name
        what = f"the shape {word!r}, which is not supported" if word else "no shape"
        warnings.append(f"tool {read_tools[tool].name!r} of operation {name} has {what}")
    if math.isnan(tools.spindle_speed(controller)):
        warnings.append(f"operation {name} has no spindle speed: in its controller {controller.Label!r} it is 0")
    elif tools.is_reversed(controller):
        warnings.append(f"operation {name} turns its spindle counter-clockwise (M4)")
    feeds = [parameters["F"] for word, parameters in commands if word in _FEED_MOVES and "F" in parameters]
    if not feeds or min(feeds) <= 0:
        warnings.append(
            f"operation {name} has feed moves without a feed: in its controller {controller.Label!r} it is 0"
        )


def _type(root: Any, file: stored.StoredDocument) -> str:
    """Return the kind of an operation, from its proxy's module; from its internal name if the module is unknown."""
    module = file.proxies.get(root.Name) or type(getattr(root, "Proxy", None)).__module__
    if module.startswith(("Path.", "PathScripts.")):
        word = module.split(".")[-1].removeprefix("Path")
    else:
        word = re.sub(r"[\d_]+$", "", root.Name)
    return {"PocketShape": "Pocket", "Pocket_Shape": "Pocket"}.get(word, word)


def open_document(path: str) -> Any:
    """Open a document without recomputing it. DocumentError if FreeCAD cannot open it."""
    import FreeCAD

    try:
        document = FreeCAD.openDocument(path)
    except (OSError, RuntimeError, ValueError) as error:
        raise DocumentError(f"FreeCAD cannot open {Path(path).name}: {error}") from error
    if document is None:
        raise DocumentError(f"FreeCAD cannot open {Path(path).name}")
    return document
