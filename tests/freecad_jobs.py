# SPDX-License-Identifier: LGPL-2.1-or-later
"""Jobs built natively, as a user of each FreeCAD version would build them, without a window."""

import importlib
import re

import FreeCAD as App
import Part

from freecad_camtwin.document import structure
from freecad_camtwin.document.commands import commands_of, stored_hash
from freecad_camtwin.twin.feeds.plan import Change, FeedPlan, OperationPlan

VERSION = tuple(int(part) for part in App.Version()[:2])

#: (in 0.20, later)
MODULES = {
    "Job": ("PathScripts.PathJob", "Path.Main.Job"),
    "Controller": ("PathScripts.PathToolController", "Path.Tool.Controller"),
    "Utils": ("PathScripts.PathUtils", "PathScripts.PathUtils"),
    "Profile": ("PathScripts.PathProfile", "Path.Op.Profile"),
    "Pocket": ("PathScripts.PathPocketShape", "Path.Op.PocketShape"),
    "Adaptive": ("PathScripts.PathAdaptive", "Path.Op.Adaptive"),
    "Drilling": ("PathScripts.PathDrilling", "Path.Op.Drilling"),
    "Stock": ("PathScripts.PathStock", "Path.Main.Stock"),
    "RampEntry": ("PathScripts.PathDressupRampEntry", "Path.Dressup.Gui.RampEntry"),
}


def cam(name):
    return importlib.import_module(MODULES[name][0 if VERSION < (0, 21) else 1])


def tool_bit(document, shape, label, **dimensions):
    if VERSION >= (1, 1):
        from Path.Tool.toolbit import ToolBit

        bit = ToolBit.from_shape_id(f"{shape}.fcstd", label).attach_to_doc(doc=document)
    else:
        module = "PathScripts.PathToolBit" if VERSION < (0, 21) else "Path.Tool.Bit"
        bit = importlib.import_module(module).Factory.Create(label, f"{shape}.fcstd")
    bit.Label = label
    for name, value in dimensions.items():
        setattr(bit, name, value)
    return bit


def controller(job, bit, number, n_rpm, feed, plunge):
    """A tool controller; feeds in mm/min."""
    made = cam("Controller").Create(f"TC {bit.Label}", tool=bit, toolNumber=number)
    made.HorizFeed, made.VertFeed = f"{feed} mm/min", f"{plunge} mm/min"
    made.SpindleSpeed, made.SpindleDir = float(n_rpm), "Forward"
    job.Proxy.addToolController(made)
    return made


class _Answers:
    """Stands in for the dialogs that choose a job or a tool controller."""

    def __init__(self, job, made):
        self.job, self.made = job, made

    def selectedToolController(self):  # noqa: N802
        return self.made

    def chooseToolController(self, _among):  # noqa: N802
        return self.made

    def chooseJob(self, _among):  # noqa: N802
        return self.job


def operation(kind, job, made, base=None, **settings):
    utils = cam("Utils")
    before, utils.UserInput = utils.UserInput, _Answers(job, made)
    try:
        # Up to 1.0, Drilling fails with a parent job given: it looks for holes before it knows the model.
        known = {} if kind == "Drilling" and VERSION < (1, 1) else {"parentJob": job}
        obj = cam(kind).Create(kind, **known)
    finally:
        utils.UserInput = before
    obj.ToolController = made
    if base:
        obj.Base = base
    for name, value in settings.items():
        obj.setExpression(name, None)  # else the expression wins at the next recompute
        setattr(obj, name, value)
    return obj


def block_with_pocket():
    """100 × 60 × 20 mm with a pocket of 40 × 25 × 10 mm and four holes of 6 mm."""
    pocket = Part.makeBox(40, 25, 10, App.Vector(15, 18, 10))
    pocket = pocket.makeFillet(4, [edge for edge in pocket.Edges if abs(edge.BoundBox.ZLength - 10) < 1e-6])
    solid = Part.makeBox(100, 60, 20).cut(pocket)
    for x, y in ((8, 8), (92, 8), (92, 52), (8, 52)):
        solid = solid.cut(Part.makeCylinder(3, 20, App.Vector(x, y, 0)))
    return solid


def build_job(document, *, whole=False):
    """A job with a profile, and with pocket, adaptive and drilling if it is to be whole."""
    part = document.addObject("Part::Feature", "Part")
    part.Shape = block_with_pocket()
    document.recompute()
    job = cam("Job").Create("Job", [part])
    job.Stock.ExtZpos = 1.0
    job.SetupSheet.HorizRapid, job.SetupSheet.VertRapid = "6000 mm/min", "3000 mm/min"
    mill = controller(job, tool_bit(document, "endmill", "EM6", Diameter=6.0, Flutes=3), 2, 12000, 1200, 300)
    operation("Profile", job, mill, StepDown=5.0)
    if whole:
        drill = controller(job, tool_bit(document, "drill", "D6", Diameter=6.0, Flutes=2), 3, 3000, 200, 150)
        model = job.Model.Group[0]
        faces = list(enumerate(model.Shape.Faces, 1))
        floor = [
            f"Face{i}" for i, face in faces if face.BoundBox.ZLength < 1e-6 and abs(face.BoundBox.ZMax - 10) < 1e-6
        ]
        holes = [f"Face{i}" for i, face in faces if abs(getattr(face.Surface, "Radius", 0) - 3) < 1e-6]
        operation("Pocket", job, mill, [(model, floor)], StepDown=2.0, StepOver=40)
        operation("Adaptive", job, mill, [(model, floor)], StepDown=5.0, StepOver=20)
        drilling = operation("Drilling", job, drill, [(model, holes)], PeckDepth=3.0)
        drilling.PeckEnabled = True
        drilling.CoolantMode = "Flood"
    document.recompute()
    return job


def plan_for(job, factor):
    """A plan that multiplies the feed of every G1 on the first half of the move, and of every drilling cycle."""
    operations = []
    for top in structure.operations(job):
        base = structure.planned(top)
        changes = []
        for index, (name, parameters) in enumerate(commands_of(base)):
            if name in ("G1", "G83", "G81", "G73") and "F" in parameters:
                end = 0.5 if name == "G1" else 1.0
                after = parameters["F"] * factor
                changes.append(Change(index, -1, index, 0.0, end, parameters["F"], after, "user cap"))
        operations.append(OperationPlan(base.Label, base.Name, None, stored_hash(base), tuple(changes)))
    return FeedPlan("0" * 64, tuple(operations))


def alike(one, other):
    """Whether two posted programs are the same up to one unit of their last decimal, comments left out.

    Paths in memory have all their digits, saved ones six: a post that writes three may round the other way.
    """
    rows = [[line for line in program.splitlines() if not line.startswith("(")] for program in (one, other)]
    return len(rows[0]) == len(rows[1]) and all(_alike(*pair) for pair in zip(*rows, strict=True))


def _alike(one, other):
    words = [re.findall(r"([A-Z])(-?[\d.]+)", line) for line in (one, other)]
    return [letter for letter, _ in words[0]] == [letter for letter, _ in words[1]] and all(
        abs(float(a) - float(b)) < 1.1e-3 for (_, a), (_, b) in zip(*words, strict=True)
    )
