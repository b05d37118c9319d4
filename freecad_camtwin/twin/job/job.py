# SPDX-License-Identifier: LGPL-2.1-or-later
"""The data of one CAM job: toolpath, tools, operations and stock; None where the source has no value."""

from dataclasses import dataclass, field

from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.job.tool import Tool
from freecad_camtwin.twin.job.toolpath import Toolpath


@dataclass(frozen=True, slots=True)
class Limits:
    """Values that a cut must not exceed; None sets no limit. Twin metadata, a machine profile or a user gives them."""

    h_ex_max: float | None = None  #: largest chip thickness [mm]
    h_ex_min: float | None = None  #: least chip thickness; below it the edge rubs [mm]
    force: float | None = None  #: peak resultant in the working plane [N]
    torque: float | None = None  #: peak spindle torque [N·mm]
    power: float | None = None  #: mean net spindle power [W]
    deflection: float | None = None  #: static deflection at the tip [mm]
    feed_min: float | None = None  #: vf [mm/s]
    feed_max: float | None = None  #: vf [mm/s]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the job: the outermost dressup in a document, a stretch between tool changes in a program."""

    label: str
    type: str  #: the source's word: "Profile", "Adaptive", "Drilling"; "Program" for a posted program
    tool: int = -1  #: index into the job's tools, -1 for none
    name: str | None = None  #: FreeCAD's internal name of the outermost object
    base_name: str | None = None  #: internal name of the object whose path a feed plan is keyed to
    base_hash: str | None = None  #: hash of that object's stored commands (see ``twin.plan``)
    uuid: str | None = None  #: stable identity, once a twin is attached
    limits: Limits = field(default_factory=Limits)
    freecad_time: float | None = None  #: FreeCAD's own estimate of its time [s]


@dataclass(frozen=True, slots=True)
class Stock:
    """The raw workpiece in the toolpath's coordinates: a box, a standing cylinder, or a solid as triangles."""

    lower: tuple[float, float, float]  #: least corner of the bounding box [mm]
    upper: tuple[float, float, float]  #: greatest corner [mm]
    kind: str = "box"  #: "box", "cylinder" (about the box's vertical axis) or "solid"
    triangles: Floats | None = None  #: (triangles, 3, 3) [mm] of a solid, else None


@dataclass(frozen=True, slots=True)
class Job:
    """All data that an analysis of one job needs."""

    label: str
    toolpath: Toolpath
    tools: tuple[Tool, ...]
    operations: tuple[Operation, ...]
    stock: Stock | None = None  #: None if the source has none (a program)
    material: str | None = None  #: key into the materials table
    machine: str | None = None  #: path or name of a machine profile
    name: str | None = None  #: FreeCAD's internal name of the job object
    warnings: tuple[str, ...] = ()  #: one sentence each: problems found while reading
    source: str = ""  #: the file it came from
    freecad_version: str | None = None  #: of the FreeCAD that read it
    can_be_saved: bool = True  #: False if the document's proxies are lost: saving would destroy it
    mends_with: str | None = None  #: which FreeCAD can save such a document
    objective: str = "auto"  #: what a feed plan holds to: "auto", "limits" or "programmed" (docs/feeds.md)
