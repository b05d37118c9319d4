# SPDX-License-Identifier: LGPL-2.1-or-later
"""The structure of a CAM job in a document: jobs, operations, dressups, tool controllers.

All functions read stored properties and groups, never proxies: they also work on a document whose proxies are lost
because another FreeCAD version made it.
"""

from collections.abc import Iterator
from typing import Any

from freecad_camtwin.document.properties import MARK
from freecad_camtwin.errors import DocumentError

FEED_DRESSUP = "FeedDressup"
TWIN = "Twin"
EXECUTION = "Execution"


def has(obj: Any, *names: str) -> bool:
    """Whether an object has all these properties."""
    return all(name in obj.PropertiesList for name in names)


def is_marked(obj: Any, kind: str) -> bool:
    """Whether an object is CAM Twin's and of this kind."""
    return has(obj, MARK) and getattr(obj, MARK) == kind


def jobs(document: Any) -> list[Any]:
    """Return all CAM jobs of a document, in its order."""
    return [obj for obj in document.Objects if has(obj, "Operations", "PostProcessor")]


def find_job(document: Any, word: str | None = None) -> Any:
    """Return the job with the label or internal name ``word``, or the only job; DocumentError lists the jobs."""
    present = jobs(document)
    if not present:
        raise DocumentError(f"{document.Label} has no CAM job")
    if word is not None:
        named = [job for job in present if word in (job.Label, job.Name)]
        if not named:
            raise DocumentError(f"{document.Label} has no job {word!r}; it has {_names(present)}")
        return named[0]
    if len(present) > 1:
        raise DocumentError(f"{document.Label} has {len(present)} jobs, {_names(present)}: name one")
    return present[0]


def _names(jobs: list[Any]) -> str:
    return ", ".join(repr(job.Label) for job in jobs)


def job_of_operation(operation: Any) -> Any | None:
    """Return the job that has an object among its operations, directly or under a dressup."""
    return next((job for job in jobs(operation.Document) if operation in _reachable(job)), None)


def _reachable(job: Any) -> list[Any]:
    return [obj for top in operations(job) for obj in chain(top)]


def operations(job: Any) -> list[Any]:
    """Return the outermost object of every operation, in the order in which they are posted."""
    return list(job.Operations.Group) if job.Operations is not None else []


def is_path(obj: Any) -> bool:
    """Whether an object holds a stored path."""
    return bool(obj.isDerivedFrom("Path::Feature"))


def below(obj: Any) -> Any | None:
    """Return the object under a dressup; None for an operation, whose Base lists faces of the model."""
    base = getattr(obj, "Base", None)
    if isinstance(base, list | tuple | str) or base is None or not hasattr(base, "isDerivedFrom"):
        return None
    return base if is_path(base) else None


def chain(obj: Any) -> Iterator[Any]:
    """Yield a dressup, the object under it, and so on down to the operation."""
    seen: set[str] = set()
    part: Any | None = obj
    while part is not None and part.Name not in seen:
        seen.add(part.Name)
        yield part
        part = below(part)


def root(obj: Any) -> Any:
    """Return the operation under all dressups."""
    return list(chain(obj))[-1]


def is_active(obj: Any) -> bool:
    """Whether an operation is posted: neither it nor a dressup of it is switched off."""
    return all(getattr(part, "Active", True) is not False for part in chain(obj))


def controller(obj: Any) -> Any | None:
    """Return the tool controller of an operation, through all its dressups."""
    for part in chain(obj):
        tool_controller = getattr(part, "ToolController", None)
        if tool_controller is not None:
            return tool_controller
    members = getattr(root(obj), "Base", None)  # an array of operations has their list as its base
    if isinstance(members, list | tuple):
        for member in members:
            if hasattr(member, "isDerivedFrom") and is_path(member):
                return controller(member)
    return None


def coolant(obj: Any) -> str:
    """Return the operation's coolant mode: "None", "Mist" or "Flood"."""
    return str(getattr(root(obj), "CoolantMode", "None"))


def feed_dressup(obj: Any) -> Any | None:
    """Return the outermost object of an operation if it is a feed dressup, else None."""
    return obj if is_marked(obj, FEED_DRESSUP) else None


def planned(obj: Any) -> Any:
    """Return the object whose path a feed plan is keyed to: the outermost one that is not a feed dressup."""
    return next(part for part in chain(obj) if not is_marked(part, FEED_DRESSUP))


def twin(job: Any) -> Any | None:
    """Return the twin of a job, if one is attached."""
    for obj in job.Document.Objects:
        if is_marked(obj, TWIN) and obj.Job == job:
            return obj
    return None


def executions(twin: Any) -> list[Any]:
    """Return the executions of a twin, in the order in which they were added."""
    return [obj for obj in getattr(twin, "Executions", []) if is_marked(obj, EXECUTION)]
