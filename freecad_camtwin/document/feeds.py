# SPDX-License-Identifier: LGPL-2.1-or-later
"""Apply a feed plan to a job and remove it again: every check comes before the first change."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from freecad_camtwin.document import dressup, structure
from freecad_camtwin.document.commands import commands_of, path_of
from freecad_camtwin.document.twin_data import uuid_of
from freecad_camtwin.errors import DocumentError, PlanError
from freecad_camtwin.twin.feeds.into_commands import apply_to_commands
from freecad_camtwin.twin.feeds.plan import FeedPlan, OperationPlan, commands_hash

PlannedOperation = tuple[Any, OperationPlan]


@contextmanager
def transaction(document: Any, name: str) -> Iterator[None]:
    """Make the block one undo step, or part of the caller's step; after an exception the step is undone."""
    if document.HasPendingTransaction:
        yield
        return
    document.openTransaction(name)
    is_complete = False
    try:
        yield
        is_complete = True
    finally:
        (document.commitTransaction if is_complete else document.abortTransaction)()


def planned_operations(job: Any, plan: FeedPlan) -> list[PlannedOperation]:
    """Return the outermost object of each operation that the plan changes; PlanError if one is missing or changed."""
    tops = [top for top in structure.operations(job) if structure.is_path(top)]
    planned = [(_find(job, tops, item), item) for item in plan.operations if item.changes]
    for top, item in planned:
        if commands_hash(commands_of(structure.planned(top))) != item.base_hash:
            if structure.feed_dressup(top) and commands_hash(commands_of(top)) == item.base_hash:
                raise PlanError(
                    f"the plan of operation {top.Label!r} was made with planned feeds in its path; "
                    "read the job bare, or clear it, and plan again"
                )
            raise PlanError(f"operation {top.Label!r} has changed since its feeds were planned; plan them again")
    return planned


def _find(job: Any, tops: list[Any], item: OperationPlan) -> Any:
    by_uuid = [top for top in tops if item.uuid and uuid_of(structure.root(top)) == item.uuid]
    by_name = [top for top in tops if item.name in [part.Name for part in structure.chain(top)]]
    for top in by_uuid + by_name:
        return top
    raise PlanError(f"the plan is for an operation {item.label!r} that is missing in job {job.Label!r}")


def apply_plan(job: Any, plan: FeedPlan) -> list[Any]:
    """Add the plan's feeds to the operations that it changes; feed dressups of an earlier plan are replaced."""
    if job.Proxy is None:
        raise DocumentError(f"job {job.Label!r} was made by another FreeCAD version; only that version can change it")
    planned = planned_operations(job, plan)
    kept = {top.Name for top, _ in planned}
    for top in structure.operations(job):
        if structure.feed_dressup(top) is not None and top.Name not in kept:
            dressup.undress_one(job, top)
    return [dressup.dress(job, top, item) for top, item in planned]


def apply_in_memory(job: Any, plan: FeedPlan) -> int:
    """Write the plan's feeds into the paths of the open document, which is posted and then discarded.

    For documents that must not be saved with this FreeCAD, because their proxies are lost.
    """
    planned = planned_operations(job, plan)
    for top, item in planned:
        applied = apply_to_commands(commands_of(structure.planned(top)), item)
        if applied.sentence:
            raise PlanError(applied.sentence)
        top.Path = path_of(applied.commands)
    return len(planned)
