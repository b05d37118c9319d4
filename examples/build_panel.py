# SPDX-License-Identifier: LGPL-2.1-or-later
"""Build CAM jobs on the solids of a real document in the FreeCAD that runs this file: 0.20, 1.0 or 1.1.

    CAMTWIN_SOURCE=lathe_els_panel.FCStd CAMTWIN_TARGET=panel.FCStd freecadcmd build_panel.py

Two jobs of the document's author: a panel of aluminum 6061 and its cover glass. Solids, stock, tools, spindle speeds,
feeds, base geometry, depths and strategy of every operation are the author's. The jobs are made anew by this FreeCAD,
because a document of one version loses the proxies of its operations in another version.
"""

import importlib
import os
import sys
import traceback
from typing import Any

import FreeCAD
from FreeCAD import Vector

VERSION = tuple(int(part) for part in FreeCAD.Version()[:2])

#: Short name → (module in 0.20, module since 0.21).
MODULES = {
    "Job": ("PathScripts.PathJob", "Path.Main.Job"),
    "Stock": ("PathScripts.PathStock", "Path.Main.Stock"),
    "Controller": ("PathScripts.PathToolController", "Path.Tool.Controller"),
    "Bit": ("PathScripts.PathToolBit", "Path.Tool.Bit"),
    "Adaptive": ("PathScripts.PathAdaptive", "Path.Op.Adaptive"),
    "Profile": ("PathScripts.PathProfile", "Path.Op.Profile"),
    "Drilling": ("PathScripts.PathDrilling", "Path.Op.Drilling"),
    "Utils": ("PathScripts.PathUtils", "PathScripts.PathUtils"),
}

#: Properties that are copied from the author's operations, if the new operation has them.
PROPERTIES = (
    "StartDepth", "FinalDepth", "ClearanceHeight", "SafeHeight", "StepDown", "StepOver", "Side", "OperationType",
    "StockToLeave", "UseOutline", "FinishingProfile", "ForceInsideOut", "HelixAngle", "HelixConeAngle",
    "HelixDiameterLimit", "KeepToolDownRatio", "LiftDistance", "Tolerance", "Direction", "OffsetExtra", "UseComp",
    "processCircles", "processHoles", "processPerimeter", "PeckEnabled", "PeckDepth",
)  # fmt: skip


def cam(name: str) -> Any:
    """Return a module of the CAM workbench."""
    return importlib.import_module(MODULES[name][0 if VERSION < (0, 21) else 1])


class Chooser:
    """Answers FreeCAD's questions to the user: which tool controller, and which job."""

    def __init__(self, job: Any) -> None:
        self.job = job

    def selectedToolController(self) -> Any:  # noqa: N802 - FreeCAD's name
        """Return the selected controller."""
        return self.job.Tools.Group[0]

    def chooseToolController(self, controllers: list[Any]) -> Any:  # noqa: N802
        """Return the first controller."""
        return controllers[0]

    def chooseJob(self, _jobs: list[Any]) -> Any:  # noqa: N802
        """Return the job that is being built."""
        return self.job


def tool_bit(document: Any, author: Any) -> Any:
    """Make the author's tool anew."""
    shape = "drill.fcstd" if "TipAngle" in author.PropertiesList else "endmill.fcstd"
    if VERSION >= (1, 1):
        made = importlib.import_module("Path.Tool.toolbit").ToolBit.from_shape_id(shape, author.Label)
        bit = made.attach_to_doc(doc=document)
    else:
        bit = cam("Bit").Factory.Create(author.Label, shape)
    bit.Label = author.Label
    for name in ("Diameter", "CuttingEdgeHeight", "Length", "TipAngle"):
        if name in bit.PropertiesList and name in author.PropertiesList:
            setattr(bit, name, getattr(author, name))
    for kind, name in (("App::PropertyInteger", "Flutes"), ("App::PropertyString", "Material")):
        if name not in bit.PropertiesList:
            bit.addProperty(kind, name, "Attributes")
        setattr(bit, name, getattr(author, name))
    return bit


def controller(document: Any, job: Any, author: Any, number: int) -> Any:
    """Make the author's tool controller anew, with spindle speed and feeds."""
    made = cam("Controller").Create(author.Label, tool=tool_bit(document, author.Tool), toolNumber=number)
    for name in ("HorizFeed", "VertFeed", "SpindleSpeed", "SpindleDir"):
        setattr(made, name, getattr(author, name))
    job.Proxy.addToolController(made)
    return made


def fitting(operation: Any, name: str, value: Any) -> Any:
    """Convert an enumeration to this FreeCAD's words: 1.x uses Climb and Conventional instead of CW and CCW."""
    if operation.getTypeIdOfProperty(name) != "App::PropertyEnumeration":
        return value
    words = operation.getEnumerationsOfProperty(name)
    if value in words:
        return value
    outside = getattr(operation, "Side", "Outside") == "Outside"
    return "Climb" if (value == "CW") == outside else "Conventional"


def build_operation(job: Any, author: Any, model: Any, made_controller: Any) -> Any:
    """Make one of the author's operations anew, on the same faces and edges."""
    kind = type_of(author)
    # Up to 1.0 drilling fails with the argument parentJob; without it, it asks ``Chooser`` for the job.
    parent = {} if VERSION < (1, 1) and kind == "Drilling" else {"parentJob": job}
    operation = cam(kind).Create(author.Name, **parent)
    operation.Label = author.Label
    operation.ToolController = made_controller
    operation.Base = [(model, names) for _, names in author.Base]
    for name in PROPERTIES:
        if name in operation.PropertiesList and name in author.PropertiesList:
            operation.setExpression(name, None)  # an expression would override the value
            setattr(operation, name, fitting(operation, name, getattr(author, name)))
    return operation


def type_of(operation: Any) -> str | None:
    """Return the kind of an author's operation, from its name: its proxy may be lost."""
    return next((kind for kind in ("Adaptive", "Profile", "Drilling") if operation.Name.startswith(kind)), None)


def build_job(document: Any, author: Any, label: str, operations: list[Any]) -> Any:
    """Make one of the author's jobs anew: model, stock, tool controllers and operations."""
    clone = author.Model.Group[0]
    model = document.addObject("Part::Feature", "Solid")
    model.Shape = clone.Shape.copy()
    model.Label = f"{label}, solid"
    document.recompute()
    job = cam("Job").Create("Job", [model])
    job.Label = label
    job.PostProcessor = "linuxcnc"
    job.SetupSheet.HorizRapid = "1980 mm/min"
    job.SetupSheet.VertRapid = "1200 mm/min"
    box = author.Stock.Shape.BoundBox
    corner = FreeCAD.Placement(Vector(box.XMin, box.YMin, box.ZMin), FreeCAD.Rotation())
    replaced = job.Stock
    job.Stock = cam("Stock").CreateBox(job, Vector(box.XLength, box.YLength, box.ZLength), corner)
    document.removeObject(replaced.Name)
    cam("Utils").UserInput = Chooser(job)
    built = {}
    for operation in operations:
        used = operation.ToolController
        if used.Name not in built:
            built[used.Name] = controller(document, job, used, len(built) + 1)
        build_operation(job, operation, job.Model.Group[0], built[used.Name])
    for spare in [each for each in job.Tools.Group if each not in built.values()]:
        job.Tools.removeObject(spare)
        document.removeObject(spare.Name)
    return job


def build(source: str, target: str) -> int:
    """Build both jobs and save them; return how many commands they have."""
    author = FreeCAD.openDocument(source)
    document = FreeCAD.newDocument("panel")
    jobs = []
    for name, label in (("Job", "Panel"), ("Job001", "Cover glass")):
        original = author.getObject(name)
        operations = [each for each in original.Operations.Group if type_of(each) is not None]
        jobs.append(build_job(document, original, label, operations))
    document.recompute()
    made = [each for job in jobs for each in job.Operations.Group]
    bad = [each.Label for each in made if not each.isValid() or len(each.Path.Commands) < 5]
    if bad:
        raise RuntimeError(f"FreeCAD made no path for {', '.join(bad)}")
    document.saveAs(target)
    return sum(len(each.Path.Commands) for each in made)


# FreeCAD imports this file instead of running it, and runs it twice if it raises.
try:
    commands = build(os.environ["CAMTWIN_SOURCE"], os.environ["CAMTWIN_TARGET"])
    sys.stdout.write(f"\nbuilt {commands} commands\n")
    code = 0
except BaseException:  # noqa: BLE001 - the top of the process
    traceback.print_exc()
    code = 3
sys.stdout.flush()
sys.stderr.flush()
os._exit(code)
