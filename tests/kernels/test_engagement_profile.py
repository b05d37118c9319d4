# SPDX-License-Identifier: LGPL-2.1-or-later
"""A cutter given by a table cuts, and is loaded, as the shape that the table draws."""

import math

import numpy as np
import pytest

from freecad_camtwin.errors import ToolError
from freecad_camtwin.twin.cut.cutters import cutters_of
from freecad_camtwin.twin.cut.engagement import engage
from freecad_camtwin.twin.cut.load import LoadModel
from freecad_camtwin.twin.cut.reduced import reduce
from freecad_camtwin.twin.job.tool import Shape, Tool, read_profile
from freecad_camtwin.twin.job.toolpath import MoveKind
from freecad_camtwin.twin.shop.material import find_material
from reference_engagement import heights, job, mean_forces, toolpath

ALUMINIUM = find_material("6061")
#: Down a ramp, along, up again, and back beside it; the tip stays in the stock.
PATH = [(8, 20, 1), (16, 20, -2), (30, 24, -1.5), (44, 20, -2.5), (44, 22, -2.5), (10, 22, -2)]


def table(shape, points=60):
    """The outline of a ball of 6 mm, of a bull nose, or of a cone of 60° with a flat tip, in straight pieces."""
    turn = np.linspace(0, math.pi / 2, points).tolist()
    corner = {"ball": 3.0, "bull": 1.0}.get(shape, 0.0)
    if corner:
        return tuple((3 - corner + corner * math.sin(a), corner * (1 - math.cos(a))) for a in turn)
    return ((0.5, 0.0), (3.0, 2.5 / math.tan(math.radians(30))))


KNOWN = {
    "ball": Tool(6.0, Shape.BALL, zefp=2),
    "bull": Tool(6.0, Shape.BULL, re=1.0, zefp=2),
    "cone": Tool(6.0, Shape.CHAMFER, sig=math.radians(60), tip_dc=1.0, zefp=2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", KNOWN)
def test_a_table_that_draws_a_known_shape_cuts_and_is_loaded_as_it(name):
    drawn = Tool(None, Shape.PROFILE, zefp=2, profile=table(name))
    works = [job(toolpath(PATH), tool) for tool in (KNOWN[name], drawn)]
    (known, left), (found, left_drawn) = (engage(work, cell=0.1, slices=1) for work in works)
    assert drawn.dc == pytest.approx(6.0)
    np.testing.assert_allclose(heights(left_drawn), heights(left), atol=0.004)  # a bull nose's slack and its polyline
    np.testing.assert_allclose(found.volume, known.volume, rtol=4e-3, atol=0.02)
    cuts = known.ap > 0.3
    # At a step or two another cell of the edge is the outermost that counts.
    for column in ("phi_st", "phi_ex"):
        apart = np.abs(getattr(found, column) - getattr(known, column))[cuts]
        assert np.quantile(apart, 0.98) < 0.02
    matrices = reduce(found, works[1])[cuts], reduce(known, works[0])[cuts]
    assert np.quantile(np.abs(matrices[0] - matrices[1]).max(axis=(1, 2)), 0.98) < 0.03
    loads = [LoadModel(cut, work, ALUMINIUM).at() for cut, work in zip((known, found), works, strict=True)]
    for column in ("torque", "force"):
        ratio = getattr(loads[1], column)[cuts] / getattr(loads[0], column)[cuts]
        assert np.quantile(np.abs(ratio - 1), 0.98) < 0.02


@pytest.mark.slow
def test_each_slice_of_a_round_over_has_the_radius_and_the_lean_of_its_height():
    quarter = tuple((3 - 2 * math.cos(a), 2 * math.sin(a)) for a in np.linspace(0, math.pi / 2, 40).tolist())
    tool = Tool(None, Shape.PROFILE, profile=quarter, zefp=2)
    work = job(toolpath([(-8, 20, -2.5), (68, 20, -2.5)]), tool)
    found, _ = engage(work, cell=0.1, slices=4)
    step = found.steps // 2
    z = found.slice_z[step].astype(float)
    np.testing.assert_allclose(z, [0.25, 0.75, 1.25, 2.0], atol=0.01)  # the last up to the stock's top
    np.testing.assert_allclose(found.slice_phi_ex[step], math.pi, atol=1e-6)
    np.testing.assert_allclose(found.slice_phi_st[step], 0.0, atol=1e-6)
    ap = found.slice_ap[step].astype(float)
    k = (700.0, 200.0, 150.0, 12.0, 9.0, 2.0)
    expected = np.zeros(4)
    for middle, thick in zip(z, ap, strict=True):
        radius = 3 - math.sqrt(max(4 - min(middle, 2) ** 2, 0.0))
        for height in middle + thick * ((np.arange(60) + 0.5) / 60 - 0.5):
            lean = math.pi / 2 if height >= 2 else math.acos(min(height / 2, 1.0))  # of the hollow quarter
            expected += mean_forces(0.0, math.pi, thick / 60, max(lean, 1e-3), radius, 0.05, k)
    matrix = reduce(found, work)[step].astype(float)
    got = 0.05 * matrix[:, :3] @ k[:3] + matrix[:, 3:] @ k[3:]
    np.testing.assert_allclose(got, expected, rtol=0.03, atol=0.3)


@pytest.mark.slow
def test_an_arc_and_a_helix_of_a_stepped_cutter_leave_their_steps():
    tool = Tool(None, Shape.PROFILE, profile=((2.0, 0.0), (2.0, 1.0), (3.0, 1.0)))
    path = toolpath(
        [(30, 20, 2), (30, 20, -2), (36, 20, -2), (36, 20, -3)],
        kind=np.array([MoveKind.LINE, MoveKind.LINE, MoveKind.ARC]),
        centre=np.array([[np.nan] * 3, [np.nan] * 3, [30.0, 20.0, -2.0]]),
        sweep=np.array([0, 0, 4 * math.pi]),
    )
    field = engage(job(path, tool), cell=0.1)[1]
    top = field.grid()
    row = top[200]  # y = 20, from the axis of the helix along x
    at = {x: float(row[int((30 + x) / 0.1)]) for x in (7.5, 8.5, 9.5)}
    # A turn of the helix sinks 0.5 mm: on the second the tip comes to x+ 0.5 mm before its end, at its end to -3.
    assert at[7.5] == pytest.approx(-3.0, abs=1e-3)
    assert at[8.5] == pytest.approx(-2.0, abs=1e-3)
    assert at[9.5] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.slow
def test_a_table_beside_other_tools_changes_nothing_of_theirs():
    flat, drawn = Tool(6.0, Shape.FLAT), Tool(None, Shape.PROFILE, profile=table("cone"))
    path = toolpath(PATH, tool=np.array([0, 0, 0, 1, 1]))
    mixed, lone = job(path, flat, drawn), job(toolpath(PATH[:4]), flat)
    both, _ = engage(mixed, cell=0.2, slices=3)
    alone, _ = engage(lone, cell=0.2, slices=3)
    first = both.move < 3
    np.testing.assert_array_equal(both.volume[first], alone.volume)
    np.testing.assert_allclose(reduce(both, mixed)[first], reduce(alone, lone), rtol=1e-5, atol=1e-6)
    assert len(set(cutters_of(mixed, []).size[1, 4:].tolist())) == 4


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (
            ((0, 0), (4, 4), (2, 5)),
            "Tool cannot be simulated: its radius shrinks from 4 to 2 mm above 4 mm",
        ),
        (
            ((0, 1), (2, 0), (3, 0)),
            "Tool cannot be simulated: its profile goes down from 1 to 0 mm",
        ),
    ],
)
def test_a_cutter_that_undercuts_is_refused_by_name(profile, words):
    tool = Tool(None, Shape.PROFILE, label="Tool", profile=profile)
    with pytest.raises(ToolError, match=words):
        engage(job(toolpath(PATH), tool), cell=0.5)


@pytest.mark.parametrize(
    ("profile", "dc", "words"),
    [
        (((0, 0), (math.nan, 1)), None, "no length"),
        (((0, 0), (-1, 1)), None, "no length"),
        (((0, 0), (0, 1)), None, "without a radius above 0"),
        (((0, 0), (3, 1)), 5.0, "is 5 mm wide, but its profile 6 mm"),
    ],
)
def test_a_table_that_cannot_be_is_refused(profile, dc, words):
    with pytest.raises(ToolError, match=words):
        Tool(dc, Shape.PROFILE, profile=profile)


def test_a_table_is_read_from_words():
    assert read_profile("0:0 3:0  5:2.5") == ((0, 0), (3, 0), (5, 2.5))
    for text in ("", "0:0", "0:0 3", "0:0 3:x", "0:0 3:1:2"):
        with pytest.raises(ValueError, match=r"profile|could not convert"):
            read_profile(text)
