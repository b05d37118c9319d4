# SPDX-License-Identifier: LGPL-2.1-or-later
"""The feed dressup: posts the path of the operation under it with the feeds of a plan.

Saved files name this module and its class: never move or rename them.

Writing feeds into an operation's own path would be undone by its next recompute, and changing its tool
controller would recompute all who use it. So the feeds lie on top, and the operation stays as it is. The
plan is keyed to the path it was made for. If that path, its tool or its spindle speed is another now, the
dressup hands the operation's own feeds through and says so: nothing is ever posted faster than planned for.

- The internal name contains "Dressup": FreeCAD finds the operation under a dressup by that.
- ``Active`` and ``CoolantMode`` mirror the operation: posts look only one object deep.
- It is the outermost dressup: FreeCAD's own make their feeds anew from the tool controller.
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
    Property("App::PropertyString", MARK, _GROUP, "Which object of CAM Twin this is", structure.FEED_DRESSUP,
             note=True, read_only=True, hidden=True),
    Property("App::PropertyLink", "Base", "Path", "The operation whose feeds are planned", None),
    Property("App::PropertyBool", "Active", "Path", "Mirrors the operation", True, note=True, read_only=True),
    Property("App::PropertyString", "CoolantMode", "Path", "Mirrors the operation", "None", note=True, read_only=True),
    Property("App::PropertyString", "Plan", _GROUP, "The operation's feed plan, as JSON", "", hidden=True),
    Property("App::PropertyString", "PlannedFor", _GROUP, "Tool and spindle speed that the plan was made for", "",
             read_only=True),
    Property("App::PropertyString", "Status", _GROUP, "Whether the planned feeds are in the path, and if not, why", "",
             note=True, read_only=True),
)  # fmt: skip

APPLIED = "planned feeds"
#: What the label says after the operation's own. Parentheses would end the comment that posts make of it.
_SUFFIX, _STALE_SUFFIX = " feeds", " feeds NOT APPLIED"


class FeedDressup(ObjectProxy):
    """Proxy of a ``Path::FeaturePython``."""

    properties = _PROPERTIES

    def execute(self, obj: Any) -> None:
        """Read the operation's path, put the planned feeds in, and say how it went."""
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
        _say(obj, base, sentence)


def planned_commands(obj: Any) -> tuple[list[tuple[str, dict[str, float]]], str | None]:
    """What a feed dressup posts, and a sentence where these are the operation's own feeds."""
    own = commands_of(structure.below(obj))
    name = structure.root(obj).Label
    if not is_outermost(obj):
        return own, f"another dressup lies on the planned feeds of {name!r}: it keeps its own; plan them again on top"
    if obj.PlannedFor != tools.fingerprint(structure.controller(obj)):
        return own, f"tool or spindle of {name!r} changed after its feeds were planned: it keeps its own; plan again"
    try:
        applied = apply_to_commands(own, OperationPlan.from_json(obj.Plan))
    except PlanError as error:
        return own, f"the feed plan of {name!r} cannot be read, it keeps its own feeds: {error}"
    return applied.commands, applied.sentence


def mirror(obj: Any) -> None:
    """Take over what posts ask of the outermost object."""
    base = structure.below(obj)
    values = {"Active": structure.is_active(base), "CoolantMode": structure.coolant(base)}
    for name, value in values.items():
        if getattr(obj, name) != value:
            setattr(obj, name, value)


def is_outermost(obj: Any) -> bool:
    """Whether no other path is made from this one."""
    return not any(structure.is_path(other) and structure.below(other) == obj for other in obj.InList)


def _say(obj: Any, base: Any, sentence: str | None) -> None:
    """Let status and label tell whether the plan is in the path, and warn where it is not."""
    status = sentence or APPLIED
    if sentence:
        FreeCAD.Console.PrintWarning(f"CAM Twin: {sentence}\n")
    if obj.Status != status:
        obj.Status = status
    ours = (base.Label + _SUFFIX, base.Label + _STALE_SUFFIX)
    label = ours[1] if sentence else ours[0]
    if obj.Label != label and obj.Label.startswith(ours[0]):
        obj.Label = label


def dress(job: Any, top: Any, plan: OperationPlan) -> Any:
    """Lay a plan's feeds over the outermost object of an operation, or renew those that lie there."""
    obj = structure.feed_dressup(top)
    if obj is None:
        obj = _lay_over(job, top)
    obj.Plan = " ".join(plan.to_json().split("\n"))
    obj.PlannedFor = tools.fingerprint(structure.controller(top))
    obj.recompute()  # this object alone: nothing of the user's is made anew
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
    """Let one object take another's place among a job's operations."""
    job.Proxy.addOperation(new, old, True)
    group = [member for member in job.Operations.Group if member != old]
    if group != job.Operations.Group:  # a version that ignores its third argument would post the operation twice
        job.Operations.Group = group


def refresh(job: Any) -> None:
    """Bring the feed dressups of a job up to date with paths that were changed without a recompute."""
    for top in structure.operations(job):
        obj = structure.feed_dressup(top)
        if obj is not None and structure.is_active(top) and not same(planned_commands(obj)[0], commands_of(obj)):
            obj.recompute()


def undress(job: Any) -> int:
    """Take all feed dressups of a job away, and say how many there were; what was under them takes their place."""
    ours = [obj for top in structure.operations(job) for obj in structure.chain(top)]
    ours = [obj for obj in ours if structure.is_marked(obj, structure.FEED_DRESSUP)]
    for obj in ours:
        undress_one(job, obj)
    return len(ours)


def undress_one(job: Any, obj: Any) -> None:
    """Take one feed dressup away."""
    release(job, obj)
    job.Document.removeObject(obj.Name)


def release(job: Any, obj: Any) -> None:
    """Give what is under a feed dressup its place in the job back."""
    base = structure.below(obj)
    if obj in job.Operations.Group:
        _exchange(job, obj, base)
        views.show_object(base)
    for other in obj.InList:
        if structure.is_path(other) and structure.below(other) == obj:
            other.Base = base
    obj.Base = None
