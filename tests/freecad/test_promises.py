# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a document does not say is unknown, what is switched off is not posted, and a mended document is whole."""

import zipfile
from xml.etree import ElementTree

import FreeCAD as App
import Part
import pytest

import freecad_camtwin as camtwin
from freecad_camtwin.document import child, structure
from freecad_camtwin.document.job import _estimate, read_stored
from freecad_camtwin.document.stock import read_stock
from freecad_jobs import cam, operation, plan_for

MARGINS = {"ExtXneg": 1.0, "ExtXpos": 2.0, "ExtYneg": 3.0, "ExtYpos": 4.0, "ExtZneg": 5.0, "ExtZpos": 6.0}


class _Operation:
    """An operation as far as its estimate goes."""

    def __init__(self, said):
        if said is not None:
            self.CycleTime = said


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("00:00:07", 7.0),
        ("00:01:05", 65.0),
        ("1:02:03", 3723.0),
        ("30:00:00", 108000.0),
        ("00:00:00", None),  # FreeCAD could not tell it
        ("Cycletime Error", None),
        ("", None),
        ("7", None),
        ("00:07", None),
        (None, None),
    ],
)
def test_an_estimate_that_freecad_does_not_have_is_unknown_and_not_0(said, seconds):
    assert _estimate(_Operation(said)) == seconds


def test_a_stock_around_the_model_is_larger_by_each_margin_on_its_own_side(job):
    """The part is a block of 100 × 60 × 20 mm at the origin."""
    for name, margin in MARGINS.items():
        setattr(job.Stock, name, margin)
    job.Document.recompute()
    for shape in (job.Stock.Shape, Part.Shape()):  # computed, and never computed
        job.Stock.Shape = shape
        stock, sentence = read_stock(job)
        assert sentence is None
        assert stock.kind == "box"
        assert stock.lower == pytest.approx((-1.0, -3.0, -5.0))
        assert stock.upper == pytest.approx((102.0, 64.0, 26.0))


@pytest.mark.parametrize("depth", ["operation", "FreeCAD's dressup", "feed dressup"])
def test_an_operation_is_posted_only_if_nothing_under_or_on_it_is_switched_off(job, depth):
    """Posts look one object deep; the operation that a dressup dresses may be switched off all the same."""
    top = structure.operations(job)[0]
    operation("Profile", job, structure.controller(top), StepDown=10.0)
    ramp = job.Document.addObject("Path::FeaturePython", "RampEntryDressup")
    proxy = cam("RampEntry").ObjectDressup(ramp)
    ramp.Base = top
    job.Proxy.addOperation(ramp, top, True)
    proxy.setup(ramp)
    job.Document.recompute()
    camtwin.apply(job, plan_for(job, 0.5))
    dressed = next(each for each in structure.operations(job) if structure.root(each) == top)
    chain = dict(zip(("feed dressup", "FreeCAD's dressup", "operation"), structure.chain(dressed), strict=True))
    assert structure.is_active(dressed)
    assert len(read_stored(job).operations) == 2
    if depth == "FreeCAD's dressup" and "Active" not in chain[depth].PropertiesList:
        chain[depth].addProperty("App::PropertyBool", "Active", "Path", "")
    chain[depth].Active = False
    assert not structure.is_active(dressed)
    stored = read_stored(job)
    assert [each.operation.label for each in stored.operations] != []
    assert len(stored.operations) == 1
    assert any(f"operation {dressed.Label!r} is inactive and left out" in sentence for sentence in stored.warnings)


@pytest.mark.parametrize("action", ["attach", "apply"])
def test_a_document_that_was_mended_is_not_saved_as_touched(whole_job, tmp_path, capfd, action):
    """Else FreeCAD would make all paths anew as soon as somebody opens it and recomputes."""
    source, target, plan = tmp_path / "whole.FCStd", tmp_path / "mended.FCStd", tmp_path / "plan.json"
    whole_job.Document.recompute()
    whole_job.Document.saveCopy(str(source))
    plan.write_text(plan_for(whole_job, 0.5).to_json(), encoding="utf-8")
    App.closeDocument(whole_job.Document.Name)
    before = _touched(source)
    request = {"action": action, "document": str(source), "output": str(target), "plan": str(plan)}
    assert child.answer(request)["saved"]
    capfd.readouterr()
    ours = {name for name in _names(target) if "CamTwin" in name}
    assert ours
    assert _touched(target) == before
    assert not ours & _touched(target)


def _objects(path):
    with zipfile.ZipFile(path) as archive:
        return ElementTree.fromstring(archive.read("Document.xml")).find("Objects").findall("Object")


def _names(path):
    return {element.get("name") for element in _objects(path)}


def _touched(path):
    return {element.get("name") for element in _objects(path) if element.get("Touched")}


def test_planned_feeds_never_touch_rapids_spindle_speeds_or_tool_controllers(job):
    """Changing a controller would make the paths of all operations that use it anew."""
    controllers = {structure.controller(top).Name for top in structure.operations(job)}
    names = ("HorizFeed", "VertFeed", "HorizRapid", "VertRapid", "SpindleSpeed", "SpindleDir", "ToolNumber")

    def settings():
        made = (job.Document.getObject(name) for name in controllers)
        return {(each.Name, name): str(getattr(each, name)) for each in made for name in names}

    def words(program, *kept):
        return [line for line in program.splitlines() if line.split(" ")[0] in kept]

    before, said = camtwin.post(job, "linuxcnc"), settings()
    camtwin.apply(job, plan_for(job, 0.5))
    after = camtwin.post(job, "linuxcnc")
    assert settings() == said
    assert not [name for name in controllers if "Touched" in job.Document.getObject(name).State]
    for kept in ("G0", "M3", "M5", "M6"):
        assert words(before, kept) == words(after, kept), kept
    assert words(before, "G0")
    assert words(before, "M3")
    assert words(before, "G1") != words(after, "G1")
