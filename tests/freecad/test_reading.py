# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading a job from what its document stores."""

import importlib
import math

import FreeCAD as App
import numpy as np
import Part
import pytest

import freecad_camtwin as camtwin
from freecad_camtwin.document import structure, tools
from freecad_camtwin.document.job import read_job, read_stored
from freecad_camtwin.document.stock import read_stock
from freecad_camtwin.errors import DocumentError, ToolError
from freecad_camtwin.twin.job.program import read_program
from freecad_camtwin.twin.job.tool import Shape
from freecad_camtwin.twin.job.toolpath import EventKind, MoveKind
from freecad_jobs import VERSION, block_with_pocket, build_job, cam, controller, plan_for, tool_bit

numba = pytest.importorskip("numba")


def test_a_native_job_is_read_as_it_was_built(whole_job):
    job = read_job(whole_job)
    assert [item.type for item in job.operations] == ["Profile", "Pocket", "Adaptive", "Drilling"]
    assert [tool.name for tool in job.tools] == ["EM6", "D6"]
    mill, drill = job.tools
    assert (mill.dc, mill.zefp, mill.re, mill.shape, mill.number) == (6.0, 3, 0.0, Shape.FLAT, 2)
    assert (drill.dc, drill.shape) == (6.0, Shape.DRILL)
    assert drill.sig == pytest.approx(math.radians(119))
    cutting = job.toolpath.is_cutting
    assert set(np.round(job.toolpath.feed[cutting] * 60)) <= {300, 1200, 150}
    assert set(job.toolpath.n_rpm[cutting]) == {12000.0, 3000.0}
    assert job.stock.kind == "box"
    assert job.stock.upper == pytest.approx((101, 61, 21))
    assert job.can_be_saved
    assert not job.warnings


def test_the_read_job_is_the_program_that_freecad_posts(whole_job, tmp_path):
    file = tmp_path / "posted.ngc"
    file.write_text(camtwin.post(whole_job, "linuxcnc"))
    job = read_job(whole_job)
    program = read_program(file, tools=job.tools, stock=job.stock)
    ours, posted = (path.end[path.is_cutting] for path in (job.toolpath, program.toolpath))
    assert ours.shape == posted.shape
    assert np.abs(ours - posted).max() < 6e-4  # a post writes three decimals
    feeds = (path.feed[path.is_cutting] for path in (job.toolpath, program.toolpath))
    assert np.abs(np.subtract(*feeds)).max() < 1e-4


def test_tool_changes_spindle_and_coolant_are_events(whole_job):
    events = read_job(whole_job).toolpath.events
    assert [event.value for event in events if event.kind is EventKind.TOOL_CHANGE] == [2, 3]
    assert {event.value for event in events if event.kind is EventKind.SPINDLE} == {12000, 3000}
    assert [event.value for event in events if event.kind is EventKind.COOLANT] == [2, 0]


def test_every_move_knows_its_command(whole_job):
    path = read_job(whole_job).toolpath
    for top, index in zip(structure.operations(whole_job), range(4), strict=True):
        commands = top.Path.Commands
        for move in np.flatnonzero((path.operation == index) & (path.kind == MoveKind.LINE))[:50]:
            command = commands[path.command[move]]
            if command.X is not None and not path.cycle[move]:
                assert path.end[move, 0] == pytest.approx(command.X, abs=1e-9)


def test_reading_recomputes_and_touches_nothing(whole_job):
    document = whole_job.Document
    for obj in document.Objects:
        obj.purgeTouched()
    recomputed = []

    class Watch:
        def slotRecomputedObject(self, obj):  # noqa: N802
            recomputed.append(obj.Name)

        def slotChangedObject(self, obj, name):  # noqa: N802
            recomputed.append((obj.Name, name))

    watch = Watch()
    App.addDocumentObserver(watch)
    try:
        read_job(whole_job)
        read_job(whole_job, bare=True)
        camtwin.post(whole_job, "linuxcnc")
    finally:
        App.removeDocumentObserver(watch)
    assert recomputed == []
    assert not any("Touched" in obj.State for obj in document.Objects)


def test_inactive_operations_are_left_out_and_named(whole_job):
    structure.operations(whole_job)[1].Active = False
    whole_job.Document.recompute()
    job = read_job(whole_job)
    assert [item.type for item in job.operations] == ["Profile", "Adaptive", "Drilling"]
    assert any("'Pocket' is inactive" in sentence for sentence in job.warnings)


def test_the_order_is_that_of_the_operations_group(whole_job):
    whole_job.Operations.Group = list(reversed(whole_job.Operations.Group))
    assert [item.type for item in read_job(whole_job).operations] == ["Drilling", "Adaptive", "Pocket", "Profile"]


def test_what_is_posted_is_read_and_bare_is_what_a_plan_is_made_for(job):
    bare = read_job(job)
    camtwin.apply(job, plan_for(job, 0.5))
    dressed, again = read_job(job), read_job(job, bare=True)
    assert again.toolpath.hash == bare.toolpath.hash
    assert again.operations[0].base_hash == bare.operations[0].base_hash
    assert dressed.toolpath.moves > bare.toolpath.moves
    assert dressed.toolpath.feed[dressed.toolpath.is_cutting].min() == pytest.approx(2.5)


def test_a_stale_dressup_is_reported(job):
    (dressup,) = camtwin.apply(job, plan_for(job, 0.5))
    structure.planned(dressup).StepDown = 3.0
    job.Document.recompute()
    assert any("planned for" in sentence for sentence in read_job(job).warnings)


def test_what_the_controller_does_not_say_is_unknown_and_reported(job):
    structure.controller(structure.operations(job)[0]).SpindleSpeed = 0.0
    structure.controller(structure.operations(job)[0]).HorizFeed = 0.0
    structure.controller(structure.operations(job)[0]).VertFeed = 0.0
    job.Document.recompute()
    read = read_job(job)
    assert np.isnan(read.toolpath.n_rpm).all()
    assert np.isnan(read.toolpath.feed[read.toolpath.is_cutting]).all()
    assert any("no spindle speed" in sentence for sentence in read.warnings)
    assert any("without a feed" in sentence for sentence in read.warnings)


def test_a_speed_is_not_carried_over_to_a_controller_that_says_none(whole_job):
    structure.controller(structure.operations(whole_job)[3]).SpindleSpeed = 0.0
    whole_job.Document.recompute()
    path = read_job(whole_job).toolpath
    assert np.isnan(path.n_rpm[path.operation == 3]).all()
    assert (path.n_rpm[path.operation == 2] == 12000).all()


def test_no_flutes_is_unknown(document):
    job = build_job(document)
    structure.controller(structure.operations(job)[0]).Tool.Flutes = 0
    assert read_job(job).tools[0].zefp is None


def test_a_tool_without_a_diameter_is_refused(job):
    structure.controller(structure.operations(job)[0]).Tool.Diameter = 0.0
    with pytest.raises(ToolError, match="EM6 has dc = 0 mm"):
        read_job(job)


def test_a_job_without_operations_is_refused(job):
    job.Operations.Group = []
    with pytest.raises(DocumentError, match="no active operation"):
        read_job(job)


SHAPES = [
    ("endmill", Shape.FLAT, {"re": 0.0}),
    ("ballend", Shape.BALL, {"re": 2.5}),
    ("bullnose", Shape.BULL, {"re": 1.0 if VERSION < (1, 1) else 1.5}),
    ("chamfer", Shape.CHAMFER, {"sig": math.radians(60), "tip_dc": 5.0}),
    ("v-bit", Shape.CHAMFER, {"sig": math.radians(90), "tip_dc": 1.0}),
    ("drill", Shape.DRILL, {"sig": math.radians(119)}),
    ("probe", None, {}),
    ("slittingsaw", None, {}),
    ("thread-mill", None, {}),
]


@pytest.mark.parametrize(("shape", "known", "dimensions"), SHAPES)
def test_the_shapes_that_freecad_ships(document, shape, known, dimensions):
    job = build_job(document)
    made = controller(job, tool_bit(document, shape, "a tool"), 5, 1000, 100, 100)
    tool = tools.read_tool(made)
    assert tool.shape is known
    assert tool.shape_name
    for name, value in dimensions.items():
        assert getattr(tool, name) == pytest.approx(value)


def test_a_shape_that_is_not_known_is_named_and_not_guessed(document):
    job = build_job(document)
    made = controller(job, tool_bit(document, "thread-mill", "TM"), 5, 1000, 100, 100)
    structure.operations(job)[0].ToolController = made
    document.recompute()
    read = read_job(job)
    assert read.tools[0].shape is None
    assert any("thread" in sentence.lower() and "not supported" in sentence for sentence in read.warnings)


class _LegacyTool:
    """What 0.18 kept in a controller; no FreeCAD at hand still makes it."""

    Name, ToolType, Material = "old one", "BallEndMill", "Carbide"
    Diameter, CornerRadius, FlatRadius, CuttingEdgeAngle, CuttingEdgeHeight = 8.0, 0.0, 0.0, 180.0, 20.0


class _LegacyController:
    Label, ToolNumber, Tool, SpindleSpeed = "TC", 7, _LegacyTool(), 900.0


def test_a_tool_of_the_oldest_generation():
    tool = tools.read_tool(_LegacyController())
    assert (tool.shape, tool.dc, tool.re, tool.apmx, tool.number) == (Shape.BALL, 8.0, 4.0, 20.0, 7)
    assert tool.zefp is None


@pytest.mark.skipif(
    VERSION >= (0, 21), reason="FreeCAD 0.21 took Path.Tool away: none can be made here; the run in 0.20 tests it"
)
def test_a_tool_that_0_20_made_in_the_old_way():
    import Path

    class Controller(_LegacyController):
        Tool = Path.Tool("drill", "Drill", "HighSpeedSteel", 5.0)

    Controller.Tool.CuttingEdgeAngle = 118
    tool = tools.read_tool(Controller())
    assert (tool.shape, tool.dc) == (Shape.DRILL, 5.0)
    assert tool.sig == pytest.approx(math.radians(118))


class TestStock:
    """What the raw workpiece can be."""

    def test_a_box(self, job):
        job.Stock = cam("Stock").CreateBox(job, App.Vector(120, 80, 30))
        job.Document.recompute()
        stock, _ = read_stock(job)
        assert stock.kind == "box"
        assert np.subtract(stock.upper, stock.lower) == pytest.approx((120, 80, 30))

    def test_a_cylinder(self, job):
        job.Stock = cam("Stock").CreateCylinder(job, 70, 30)
        job.Document.recompute()
        stock, _ = read_stock(job)
        assert stock.kind == "cylinder"
        assert np.subtract(stock.upper, stock.lower) == pytest.approx((140, 140, 30))

    def test_a_lying_cylinder_is_a_solid(self, job):
        stock = job.Document.addObject("Part::Feature", "Round")
        stock.Shape = Part.makeCylinder(10, 50, App.Vector(), App.Vector(1, 0, 0))
        job.Stock = stock
        read, _ = read_stock(job)
        assert read.kind == "solid"
        assert _volume(read.triangles) == pytest.approx(math.pi * 100 * 50, rel=0.02)

    def test_a_solid(self, job):
        stock = job.Document.addObject("Part::Feature", "Casting")
        stock.Shape = block_with_pocket()
        job.Stock = stock
        read, _ = read_stock(job)
        assert read.kind == "solid"
        assert _volume(read.triangles) == pytest.approx(stock.Shape.Volume, rel=1e-3)

    def test_none_is_reported(self, job):
        job.Stock = None
        stock, sentence = read_stock(job)
        assert stock is None
        assert "has no stock" in sentence

    def test_a_stock_that_was_never_computed_is_taken_from_its_properties(self, job):
        job.Stock = cam("Stock").CreateBox(job, App.Vector(120, 80, 30))
        job.Stock.Shape = Part.Shape()
        stock, _ = read_stock(job)
        assert np.subtract(stock.upper, stock.lower) == pytest.approx((120, 80, 30))


def _volume(triangles):
    """Volume inside closed triangles that are turned outwards, by the divergence theorem."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def test_an_operation_without_a_controller_is_reported(job):
    structure.operations(job)[0].ToolController = None
    stored = read_stored(job)
    assert stored.operations[0].operation.tool == -1
    assert any("no tool controller" in sentence for sentence in stored.warnings)


def test_stops_and_comments_among_the_operations_are_followed(job):
    name = "PathScripts.PathStop" if VERSION < (0, 21) else "Path.Op.Gui.Stop"
    stop = job.Document.addObject("Path::FeaturePython", "Stop")
    importlib.import_module(name).Stop(stop)
    job.Proxy.addOperation(stop)
    job.Document.recompute()
    assert EventKind.STOP in {event.kind for event in read_job(job).toolpath.events}
