# SPDX-License-Identifier: LGPL-2.1-or-later
"""A cutter's outline comes from the command line, from a document and from a job file, and is never guessed."""

import math
from types import SimpleNamespace

import pytest

from freecad_camtwin.cli.options import parse_tool
from freecad_camtwin.document.tools import fingerprint, read_tool
from freecad_camtwin.errors import ToolError
from freecad_camtwin.twin.job.job_file import load_job, save_job
from freecad_camtwin.twin.job.supply import supply
from freecad_camtwin.twin.job.tool import Shape, Tool, tapered_ball
from reference_engagement import job, toolpath

STEPPED = ((0.0, 0.0), (2.0, 0.0), (2.0, 3.0), (4.0, 5.0))
PATH = toolpath([(0, 0, 0), (9, 9, -1)])


def controller(**bit):
    """A tool controller as FreeCAD's documents have it, with what tool bits of all generations share."""
    known = {"Label": "form cutter", "ShapeName": "custom", "ShapeID": "formed", "Flutes": 2, "Diameter": 8.0}
    return SimpleNamespace(Label="TC", ToolNumber=3, Tool=SimpleNamespace(**known | bit), SpindleSpeed=9000.0)


def test_the_command_line_draws_a_tool():
    said = parse_tool("T=2,z=3,profile=0:0 2:0 2:3 4:5")
    tool = said.tool(2)
    assert (tool.shape, tool.dc, tool.zefp, tool.profile) == (Shape.PROFILE, 8.0, 3, STEPPED)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("T=1,shape=profile", "shape=profile goes with profile="),
        ("T=1,shape=flat,profile=0:0 2:1", "shape=profile goes with profile="),
        ("T=1,profile=0:0", "give two points or more as radius:height"),
        ("T=1,profile=0:0 2:one", "'one' is not a number"),
        ("T=1,D=5,profile=0:0 2:1", "is 5 mm wide, but its profile 4 mm"),
    ],
)
def test_an_outline_that_makes_no_sense_is_refused_in_words(text, words):
    with pytest.raises((ValueError, ToolError), match=words):
        parse_tool(text)


def test_an_outline_fills_a_gap_and_replaces_no_shape():
    told = (parse_tool("profile=0:0 2:0 2:3 4:5"),)
    unknown, known = Tool(8.0, None, number=1, shape_name="formed"), Tool(8.0, Shape.FLAT, number=2, zefp=2)
    filled, supplied = supply(job(PATH, unknown, known), tools=told)
    assert (filled.tools[0].shape, filled.tools[0].profile) == (Shape.PROFILE, STEPPED)
    assert filled.tools[1] == known
    assert any("shape of T1" in sentence for sentence in supplied)


def test_a_document_draws_a_tool_in_a_text_property():
    tool = read_tool(controller(Profile="0:0 2:0 2:3 4:5"))
    assert (tool.shape, tool.dc, tool.profile) == (Shape.PROFILE, 8.0, STEPPED)
    assert fingerprint(controller(Profile="0:0 4:5")) != fingerprint(controller(Profile="0:0 4:6"))
    with pytest.raises(ToolError, match="form cutter has a Profile that cannot be read"):
        read_tool(controller(Profile="0:0 4"))
    assert read_tool(controller()).shape is None
    flat = read_tool(controller(ShapeName="endmill", Profile="0:0 4:5"))
    assert (flat.shape, flat.profile) == (Shape.FLAT, ())


def test_a_tapered_ball_nose_is_a_ball_that_goes_over_into_its_cone():
    """A tip of 2 mm, 20° between its sides, 6 mm at the top: tangent at r = cos 10° and 1 - sin 10° above the tip."""
    tool = read_tool(controller(ShapeName="TaperedBallNose", Diameter=2.0, TaperAngle=20.0, TaperDiameter=6.0))
    lean = math.radians(10)
    assert tool.shape is Shape.PROFILE
    assert tool.dc == pytest.approx(6.0)
    *ball, (radius, height) = tool.profile
    assert ball[-1] == pytest.approx((math.cos(lean), 1 - math.sin(lean)))
    assert (radius, height) == pytest.approx((3.0, ball[-1][1] + (3 - ball[-1][0]) / math.tan(lean)))
    for r, z in ball:
        assert math.hypot(r, 1 - z) == pytest.approx(1.0)
    assert tapered_ball(2.0, 2 * lean, None, None)[-1] == pytest.approx(ball[-1])
    assert tapered_ball(2.0, 2 * lean, 6.0, 5.0)[-1][1] == pytest.approx(5.0)  # no higher than its cutting edge


def test_a_job_file_keeps_the_outline(tmp_path):
    drawn = job(PATH, Tool(None, Shape.PROFILE, profile=STEPPED, zefp=2))
    save_job(drawn, tmp_path / "job.npz")
    assert load_job(tmp_path / "job.npz").tools == drawn.tools
