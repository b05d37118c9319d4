# SPDX-License-Identifier: LGPL-2.1-or-later
"""Make the document that this folder keeps: a job with its twin, planned feeds and a run, saved from a window.

    .ci/freecad 1.1 windowed tests/data/saved/make.py

``.ci/freecad`` runs tests, so this is one; the document and the figures of its run go to ``build/saved/VERSION``.
"""

import shutil
from pathlib import Path

import FreeCAD as App
import FreeCADGui as Gui

import freecad_camtwin as camtwin
from follow import follow
from freecad_camtwin.document import structure
from freecad_jobs import VERSION, build_job, operation

try:
    from freecad_camtwin.twin.package.package import make_package
except ImportError:  # where it was at 925d4b4, which made the documents of this folder
    from freecad_camtwin.twin.package import make_package

FOLDER = Path(__file__).resolve().parents[3] / "build" / "saved" / ".".join(str(part) for part in VERSION)

#: What a user sets, and nothing of it a default.
ATTACHED = {"material": "6061", "machine": "vmc"}
NOTED = {
    "Objective": "Even load",
    "Stage": "Reviewed",
    "KPI": {"time [s]": "120"},
    "SignalMap": {"LOAD": "ns=2;s=spindle.load"},
}
LIMITS = {"CamTwinForce": 250.0, "CamTwinFeedMax": 20.0}


def test_a_document_is_made_and_saved(tmp_path):
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    App.ParamGet("User parameter:BaseApp/Preferences/Document").SetBool("SaveThumbnail", False)  # the larger half
    Gui.activateWorkbench("CamTwinWorkbench")
    document = App.newDocument("box")
    job = build_job(document)
    job.PostProcessor = "linuxcnc"
    profile = structure.operations(job)[0]
    model = job.Model.Group[0]
    floor = [f"Face{i}" for i, face in enumerate(model.Shape.Faces, 1) if is_floor(face)]
    operation("Pocket", job, profile.ToolController, [(model, floor)], StepDown=5.0, StepOver=60)
    document.recompute()

    twin = camtwin.attach(job, **ATTACHED)
    for name, value in NOTED.items():
        if name not in twin.PropertiesList:
            continue  # only 0.1 had it
        choices = twin.getEnumerationsOfProperty(name)
        setattr(twin, name, value if choices is None or value in choices else choices[-1])
    for name, value in LIMITS.items():
        setattr(profile, name, value)
    dressups = camtwin.apply(job, camtwin.plan_feeds(job))
    assert dressups
    document.recompute()

    document.saveAs(str(FOLDER / "box.FCStd"))
    package = make_package(camtwin.analyze(job))
    run = follow(tmp_path / "monday.run", package, machine="Mill 3", operator="Ö. Ünal", program="box.ngc")
    (execution,) = camtwin.import_run(job, run, package)
    assert all(each.ViewObject.Proxy for each in (twin, execution, *dressups))
    document.save()
    App.closeDocument(document.Name)
    for backup in [*FOLDER.glob("*.FCBak"), *FOLDER.glob("*.FCStd1")]:
        backup.unlink()


def is_floor(face):
    """Whether a face is the floor of the block's pocket."""
    return face.BoundBox.ZLength < 1e-6 and abs(face.BoundBox.ZMax - 10) < 1e-6
