# SPDX-License-Identifier: LGPL-2.1-or-later
"""A feed plan onto a job and off it again: every check comes before the first change."""

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
    """One undo step, or part of the caller's; what went wrong half-way is undone."""
    if document.HasPendingTransaction:
        yield
        return
    document.openTransaction(name)
    whole = False
    try:
        yield
        whole = True
    finally:
        (document.commitTransaction if whole else document.abortTransaction)()


def planned_operations(job: Any, plan: FeedPlan) -> list[PlannedOperation]:
    """The outermost object of each operation that the plan changes; PlanError where one is gone or another now."""
    tops = [top for top in structure.operations(job) if structure.is_path(top)]
    found = [(_find(job, tops, item), item) for item in plan.operations if item.changes]
    for top, item in found:
        if commands_hash(commands_of(structure.planned(top))) != item.base_hash:
            if structure.feed_dressup(top) and commands_hash(commands_of(top)) == item.base_hash:
                raise PlanError(
                    f"operation {top.Label!r} had planned feeds on when it was planned; read it bare, or clear it"
                )
            raise PlanError(f"operation {top.Label!r} has changed since its feeds were planned; plan them again")
    return found


def _find(job: Any, tops: list[Any], item: OperationPlan) -> Any:
    by_uuid = [top for top in tops if item.uuid and uuid_of(structure.root(top)) == item.uuid]
    by_name = [top for top in tops if item.name in [part.Name for part in structure.chain(top)]]
    for top in by_uuid + by_name:
        return top
    raise PlanError(f"the plan is for an operation {item.label!r}, which job {job.Label!r} does not have")


def apply_plan(job: Any, plan: FeedPlan) -> list[Any]:
    """Lay the plan's feeds over the operations that it changes, instead of any feeds that we laid there before."""
    if job.Proxy is None:
        raise DocumentError(f"job {job.Label!r} was made by another FreeCAD version, which alone can change it")
    found = planned_operations(job, plan)
    kept = {top.Name for top, _ in found}
    for top in structure.operations(job):
        if structure.feed_dressup(top) is not None and top.Name not in kept:
            dressup.undress_one(job, top)
    return [dressup.dress(job, top, item) for top, item in found]


def apply_in_memory(job: Any, plan: FeedPlan) -> int:
    """Write the plan's feeds into the open paths themselves, to be posted and thrown away.

    For documents that must not be saved here, because their proxies are lost.
    """
    found = planned_operations(job, plan)
    for top, item in found:
        applied = apply_to_commands(commands_of(structure.planned(top)), item)
        if applied.sentence:
            raise PlanError(applied.sentence)
        top.Path = path_of(applied.commands)
    return len(found)
