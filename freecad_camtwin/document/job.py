# SPDX-License-Identifier: LGPL-2.1-or-later
"""A CAM job of a FreeCAD document as the twin's ``Job``, from what the document stores.

Nothing is recomputed and nothing is written: the paths that were saved are the paths that are posted. So a
document whose proxies are lost, because another FreeCAD version made it, is read like any other.
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
    """Read a job object. ``bare`` reads what lies under our feed dressups: what a new plan is made for."""
    return interpret_stored(read_stored(job, bare=bare))


def read_stored(
    job: Any, *, bare: bool = False, file: stored.StoredDocument | None = None, source: str | None = None
) -> StoredJob:
    """Take a job out of its document, not yet followed as moves; this needs numpy alone.

    ``file``, ``source``: what the document's file says and where it lies, if FreeCAD has opened a copy of it.
    """
    document = job.Document
    if file is None:
        file = stored_document(document)
    tool_index: dict[str, int] = {}
    found: list[Tool] = []
    operations: list[StoredOperation] = []
    warnings: list[str] = []
    for top in structure.operations(job):
        if not structure.is_path(top):
            warnings.append(f"{top.Label!r} stands among the operations but has no path; it is left out")
        elif not structure.is_active(top):
            warnings.append(f"operation {top.Label!r} is inactive and left out")
        else:
            operations.append(_operation(top, bare, file, tool_index, found, warnings))
    stock, sentence = read_stock(job)
    if sentence:
        warnings.append(sentence)
    lost = lost_proxies(document, file)
    twin = structure.twin(job)
    return StoredJob(
        label=job.Label,
        operations=tuple(operations),
        tools=tuple(found),
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
    """What a document's file says; nothing where it was never saved."""
    name = document.FileName
    return stored.inspect(name) if name and Path(name).is_file() else stored.StoredDocument()


def lost_proxies(document: Any, file: stored.StoredDocument) -> list[str]:
    """The modules of the proxies that the file names and this FreeCAD could not restore."""
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
    found: list[Tool],
    warnings: list[str],
) -> StoredOperation:
    base = structure.planned(top)
    read = base if bare else top
    commands = commands_of(read)
    controller = structure.controller(top)
    tool = _tool(controller, tool_index, found)
    root = structure.root(top)
    if read is not base and structure.is_marked(read, structure.FEED_DRESSUP):
        wanted, sentence = dressup.planned_commands(read)
        if sentence or not same(wanted, commands):
            warnings.append(sentence or f"the stored path of {top.Label!r} is not that of its plan: recompute it")
    if any(name in _FEED_MOVES for name, _ in commands):
        _report(top, commands, controller, tool, found, warnings)
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
    """FreeCAD's stored estimate of an operation's time [s]; None where it is a word such as "Cycletime Error", or 0."""
    clock = re.fullmatch(r"(\d+):(\d\d):(\d\d)", str(getattr(operation, "CycleTime", "")))
    if clock is None:
        return None
    hours, minutes, seconds = map(int, clock.groups())
    return float(3600 * hours + 60 * minutes + seconds) or None


def _tool(controller: Any | None, index: dict[str, int], found: list[Tool]) -> int:
    """The index of a controller's tool among those found; -1 where there is none."""
    if controller is None:
        return -1
    if controller.Name not in index:
        tool = tools.read_tool(controller)
        if tool is None:
            return -1
        index[controller.Name] = len(found)
        found.append(tool)
    return index[controller.Name]


def _report(
    top: Any,
    commands: list[tuple[str, dict[str, float]]],
    controller: Any | None,
    tool: int,
    found: list[Tool],
    warnings: list[str],
) -> None:
    """Say what the document does not."""
    name = repr(top.Label)
    if controller is None:
        warnings.append(f"operation {name} has no tool controller: neither tool nor spindle speed is known")
        return
    if tool < 0:
        warnings.append(f"the tool controller {controller.Label!r} of operation {name} holds no tool that can be read")
    elif found[tool].shape is None:
        word = found[tool].shape_name
        what = f"the shape {word!r}, which is not known here" if word else "no shape"
        warnings.append(f"tool {found[tool].name!r} of operation {name} has {what}")
    if math.isnan(tools.spindle_speed(controller)):
        warnings.append(f"operation {name} has no spindle speed: its controller {controller.Label!r} says 0")
    elif tools.is_reversed(controller):
        warnings.append(f"operation {name} turns its spindle counter-clockwise (M4)")
    feeds = [parameters["F"] for word, parameters in commands if word in _FEED_MOVES and "F" in parameters]
    if not feeds or min(feeds) <= 0:
        warnings.append(f"operation {name} has feed moves without a feed: its controller {controller.Label!r} says 0")


def _type(root: Any, file: stored.StoredDocument) -> str:
    """What kind of operation it is, by the module that makes it; by its internal name where that is not known."""
    module = file.proxies.get(root.Name) or type(getattr(root, "Proxy", None)).__module__
    if module.startswith(("Path.", "PathScripts.")):
        word = module.split(".")[-1].removeprefix("Path")
    else:
        word = re.sub(r"[\d_]+$", "", root.Name)
    return {"PocketShape": "Pocket", "Pocket_Shape": "Pocket"}.get(word, word)


def open_document(path: str) -> Any:
    """Open a file as it lies. DocumentError where FreeCAD cannot."""
    import FreeCAD

    try:
        document = FreeCAD.openDocument(path)
    except (OSError, RuntimeError, ValueError) as error:
        raise DocumentError(f"FreeCAD cannot open {Path(path).name}: {error}") from error
    if document is None:
        raise DocumentError(f"FreeCAD cannot open {Path(path).name}")
    return document
