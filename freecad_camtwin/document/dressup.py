# SPDX-License-Identifier: LGPL-2.1-or-later
"""The feed dressup: posts the path of the operation under it with the feeds of a plan.

Saved files name this module and its class: never move or rename them.

Feeds written into an operation's own path would be lost at its next recompute, and a change of its tool
controller would recompute every operation that uses it. So the feeds are in a dressup, and the operation is not
changed. The plan is keyed to the path it was made for. If that path, its tool or its spindle speed has changed, the
dressup posts the operation's own feeds and reports this in its status: no cut is posted faster than it was planned.

- The internal name contains "Dressup": FreeCAD finds the operation under a dressup by this name.
- ``Active`` and ``CoolantMode`` mirror the operation: post processors read them from the outermost object only.
- It is the outermost dressup: FreeCAD's own dressups set their feeds again from the tool controller.
"""

from typing import Any

import FreeCAD
import Path

from freecad_camtwin.document import structure, tools, views
from freecad_camtwin.document.commands import commands_of, path_of, same
from freecad_camtwin.document.properties import MARK, ObjectProxy, Property
from freecad_camtwin.errors import DocumentError, PlanError
from freecad_camtwin.twin.feeds.into_commands import apply_to_commands
from freecad_camtwin.twin.feeds.plan import OperationPlan

_GROUP = "CAM Twin"

_PROPERTIES = (
    Property("App::PropertyString", MARK, _GROUP, "Kind of object of CAM Twin", structure.FEED_DRESSUP,
             note=True, read_only=True, hidden=True),
    Property("App::PropertyLink", "Base", "Path", "The operation whose feeds are planned", None),
    Property("App::PropertyBool", "Active", "Path", "Mirrors the operation", True, note=True, read_only=True),
    Property("App::PropertyString", "CoolantMode", "Path", "Mirrors the operation", "None", note=True, read_only=True),
    Property("App::PropertyString", "Plan", _GROUP, "The operation's feed plan, as JSON", "", hidden=True),
    Property("App::PropertyString", "PlannedFor", _GROUP, "Tool and spindle speed that the plan was made for", "",
             read_only=True),
    Property("App::PropertyString", "Status", _GROUP, "Whether the planned feeds are in the path, or why not", "",
             note=True, read_only=True),
)  # fmt: skip

APPLIED = "planned feeds"
#: Added to the operation's label. Parentheses would end the comment that post processors make of the label.
_SUFFIX, _STALE_SUFFIX = " feeds", " feeds NOT APPLIED"


class FeedDressup(ObjectProxy):
    """Proxy of a ``Path::FeaturePython``."""

    properties = _PROPERTIES

    def execute(self, obj: Any) -> None:
        """Read the operation's path, write the planned feeds into it, and set the status."""
        base = structure.below(obj)
        if base is None:
            obj.Path = Path.Path()
            return
        mirror(obj)
        if not obj.Active:
            obj.Path = Path.Path("(inactive operation)")
            return
        commands, sentence = planned_commands(obj)
        obj.Path = path_of(commands)
        _report(obj, base, sentence)


def planned_commands(obj: Any) -> tuple[list[tuple[str, dict[str, float]]], str | None]:
    """Return the commands that a feed dressup posts, and a sentence if they have the operation's own feeds."""
    own = commands_of(structure.below(obj))
    name = structure.root(obj).Label
    if not is_outermost(obj):
        return own, (
            f"another dressup lies over the planned feeds of {name!r}: the operation's own feeds are used; "
            "plan again on top of it"
        )
    if obj.PlannedFor != tools.fingerprint(structure.controller(obj)):
        return own, (
            f"tool or spindle of {name!r} changed after its feeds were planned: the operation's own feeds are used; "
            "plan again"
        )
    try:
        applied = apply_to_commands(own, OperationPlan.from_json(obj.Plan))
    except PlanError as error:
        return own, f"the feed plan of {name!r} cannot be read, its own feeds are used: {error}"
    return applied.commands, applied.sentence


def mirror(obj: Any) -> None:
    """Copy the properties that post processors read from the outermost object."""
    base = structure.below(obj)
    values = {"Active": structure.is_active(base), "CoolantMode": structure.coolant(base)}
    for name, value in values.items():
        if getattr(obj, name) != value:
            setattr(obj, name, value)


def is_outermost(obj: Any) -> bool:
    """Whether no other path is made from this one."""
    return not any(structure.is_path(other) and structure.below(other) == obj for other in obj.InList)


def _report(obj: Any, base: Any, sentence: str | None) -> None:
    """Set status and label, and print a warning if the plan is not in the path."""
    status = sentence or APPLIED
    if sentence:
        FreeCAD.Console.PrintWarning(f"CAM Twin: {sentence}\n")
    if obj.Status != status:
        obj.Status = status
    applied, stale = base.Label + _SUFFIX, base.Label + _STALE_SUFFIX
    label = stale if sentence else applied
    if obj.Label != label and obj.Label.startswith(applied):
        obj.Label = label


def dress(job: Any, top: Any, plan: OperationPlan) -> Any:
    """Add a plan's feeds over the outermost object of an operation, or replace the feeds of its feed dressup."""
    obj = structure.feed_dressup(top)
    if obj is None:
        obj = _lay_over(job, top)
    obj.Plan = " ".join(plan.to_json().split("\n"))
    obj.PlannedFor = tools.fingerprint(structure.controller(top))
    obj.recompute()  # this object only: no object of the user is recomputed
    if obj.Status != APPLIED:
        raise PlanError(obj.Status)
    return obj


def _lay_over(job: Any, top: Any) -> Any:
    if top not in structure.operations(job):
        raise DocumentError(f"{top.Label!r} is not among the operations of job {job.Label!r}")
    obj = job.Document.addObject("Path::FeaturePython", "CamTwinFeedDressup")
    FeedDressup(obj)
    obj.Base = top
    obj.Label = top.Label + _SUFFIX
    _exchange(job, top, obj)
    views.add_view_provider(obj)
    views.hide(top)
    return obj


def _exchange(job: Any, old: Any, new: Any) -> None:
    """Replace one object by another among a job's operations."""
    job.Proxy.addOperation(new, old, True)
    group = [member for member in job.Operations.Group if member != old]
    if group != job.Operations.Group:  # a FreeCAD that ignores the third argument would post the operation twice
        job.Operations.Group = group


def refresh(job: Any) -> None:
    """Update the feed dressups of a job whose paths were changed without a recompute."""
    for top in structure.operations(job):
        obj = structure.feed_dressup(top)
        if obj is not None and structure.is_active(top) and not same(planned_commands(obj)[0], commands_of(obj)):
            obj.recompute()


def undress(job: Any) -> int:
    """Remove all feed dressups of a job, put the operations under them in their place, and return their number."""
    chained = [obj for top in structure.operations(job) for obj in structure.chain(top)]
    dressups = [obj for obj in chained if structure.is_marked(obj, structure.FEED_DRESSUP)]
    for obj in dressups:
        undress_one(job, obj)
    return len(dressups)


def undress_one(job: Any, obj: Any) -> None:
    """Remove one feed dressup."""
    release(job, obj)
    job.Document.removeObject(obj.Name)


def release(job: Any, obj: Any) -> None:
    """Put the operation under a feed dressup back in the dressup's place in the job."""
    base = structure.below(obj)
    if obj in job.Operations.Group:
        _exchange(job, obj, base)
        views.show_object(base)
    for other in obj.InList:
        if structure.is_path(other) and structure.below(other) == obj:
            other.Base = base
    obj.Base = None
