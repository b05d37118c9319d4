# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a CAM job hangs together in a document: jobs, operations, dressups, tool controllers.

Everything is told by stored properties and groups, never by proxies: a document whose proxies are lost
(made by another FreeCAD version) has the same structure.
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
    """Whether an object is one of ours, and of this kind."""
    return has(obj, MARK) and getattr(obj, MARK) == kind


def jobs(document: Any) -> list[Any]:
    """All CAM jobs of a document, in its order."""
    return [obj for obj in document.Objects if has(obj, "Operations", "PostProcessor")]


def find_job(document: Any, word: str | None = None) -> Any:
    """The job called ``word`` (its label or internal name), or the only one. DocumentError names the jobs there are."""
    found = jobs(document)
    if not found:
        raise DocumentError(f"{document.Label} has no CAM job")
    if word is not None:
        named = [job for job in found if word in (job.Label, job.Name)]
        if not named:
            raise DocumentError(f"{document.Label} has no job {word!r}; it has {_names(found)}")
        return named[0]
    if len(found) > 1:
        raise DocumentError(f"{document.Label} has {len(found)} jobs, {_names(found)}: name one")
    return found[0]


def _names(found: list[Any]) -> str:
    return ", ".join(repr(job.Label) for job in found)


def job_of_operation(operation: Any) -> Any | None:
    """The job in whose operations an object stands, itself or beneath a dressup."""
    return next((job for job in jobs(operation.Document) if operation in _reachable(job)), None)


def _reachable(job: Any) -> list[Any]:
    return [obj for top in operations(job) for obj in chain(top)]


def operations(job: Any) -> list[Any]:
    """The outermost object of every operation, in the order in which they are posted."""
    return list(job.Operations.Group) if job.Operations is not None else []


def is_path(obj: Any) -> bool:
    """Whether an object holds a stored path."""
    return bool(obj.isDerivedFrom("Path::Feature"))


def below(obj: Any) -> Any | None:
    """What a dressup dresses; None for an operation, whose Base lists faces of the model."""
    base = getattr(obj, "Base", None)
    if isinstance(base, list | tuple | str) or base is None or not hasattr(base, "isDerivedFrom"):
        return None
    return base if is_path(base) else None


def chain(obj: Any) -> Iterator[Any]:
    """A dressup, what it dresses, and so on down to the operation."""
    seen: set[str] = set()
    at: Any | None = obj
    while at is not None and at.Name not in seen:
        seen.add(at.Name)
        yield at
        at = below(at)


def root(obj: Any) -> Any:
    """The operation under all dressups."""
    return list(chain(obj))[-1]


def is_active(obj: Any) -> bool:
    """Whether an operation is posted: neither it nor a dressup of it is switched off."""
    return all(getattr(part, "Active", True) is not False for part in chain(obj))


def controller(obj: Any) -> Any | None:
    """The tool controller of an operation, whatever dressups it wears."""
    for part in chain(obj):
        found = getattr(part, "ToolController", None)
        if found is not None:
            return found
    members = getattr(root(obj), "Base", None)  # an array of operations has their list as its base
    if isinstance(members, list | tuple):
        for member in members:
            if hasattr(member, "isDerivedFrom") and is_path(member):
                return controller(member)
    return None


def coolant(obj: Any) -> str:
    """The operation's coolant mode: "None", "Mist" or "Flood"."""
    return str(getattr(root(obj), "CoolantMode", "None"))


def feed_dressup(obj: Any) -> Any | None:
    """Our feed dressup on top of an operation, if there is one."""
    return obj if is_marked(obj, FEED_DRESSUP) else None


def planned(obj: Any) -> Any:
    """The object whose path a feed plan is keyed to: the outermost one that is not ours."""
    return next(part for part in chain(obj) if not is_marked(part, FEED_DRESSUP))


def twin(job: Any) -> Any | None:
    """The twin of a job, if one is attached."""
    for obj in job.Document.Objects:
        if is_marked(obj, TWIN) and obj.Job == job:
            return obj
    return None


def executions(twin: Any) -> list[Any]:
    """The executions that a twin keeps, in the order in which they came."""
    return [obj for obj in getattr(twin, "Executions", []) if is_marked(obj, EXECUTION)]
