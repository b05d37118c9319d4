# SPDX-License-Identifier: LGPL-2.1-or-later
"""A posted program is a job: its tools, its operations, its lines; and bad files get one sentence."""

import math
import time
from pathlib import Path

import numpy as np
import pytest

from freecad_camtwin.errors import ProgramError
from freecad_camtwin.twin.job.job import Stock
from freecad_camtwin.twin.job.program import read_program
from freecad_camtwin.twin.job.tool import Shape, Tool

DATA = Path(__file__).parent.parent.parent / "data" / "nc"


@pytest.fixture
def write(tmp_path):
    def write(text, name="part.ngc"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_freecads_post_names_its_operations_and_tools():
    job = read_program(DATA / "jantman" / "front_panel.gcode")

    assert [(operation.label, job.tools[operation.tool].number) for operation in job.operations] == [
        ("RampEntryCircle", 2),
        ("Pocket_Shape", 3),
        ("RampEntryPerimeter", 2),
    ]
    assert [job.tools[tool].dc for tool in np.unique(job.toolpath.tool)] == [None, None]
    assert set(job.toolpath.n_rpm) == {12000.0}
    assert job.toolpath.feed[job.toolpath.is_cutting][0] == pytest.approx(100 * 25.4 / 60)
    first = job.toolpath.line[0]
    line = (DATA / "jantman" / "front_panel.gcode").read_text().splitlines()[first - 1]
    assert job.toolpath.end[0] == pytest.approx([float(word[1:]) * 25.4 for word in line.split()[1:4]])
    assert job.warnings == ()


def test_fusions_comment_describes_its_tool():
    job = read_program(DATA / "led_floor" / "1101_bore_tests.nc")

    assert job.tools == (
        Tool(dc=2.0, shape=Shape.FLAT, number=1, label="T1 flat end mill", shape_name="flat end mill"),
    )
    assert [(operation.label, operation.tool) for operation in job.operations] == [("T1", 0)]
    assert set(job.toolpath.tool) == {0}


def test_fusions_other_tools_are_read_in_the_programs_unit(write):
    job = read_program(
        write(
            "(T2 D=0.5 CR=0.0625 - ZMIN=-1 - bull nose end mill)\n(T5 D=0.25 CR=0. TAPER=118deg - ZMIN=-1 - drill)\n"
            "(T7 D=0.5 CR=0.25 - ZMIN=-1 - ball end mill)\n(T9 D=1 CR=0 - ZMIN=-1 - lollipop mill)\nG20 G0 Z1\n"
            "T2 M6\nX1\nT5 M6\nX2\nT7 M6\nX3\nT9 M6\nX4\n"
        )
    )

    bull, drill, ball, unknown = job.tools
    assert (bull.shape, bull.dc, bull.re) == (Shape.BULL, 12.7, 0.0625 * 25.4)
    assert (drill.shape, drill.sig) == (Shape.DRILL, pytest.approx(math.radians(118)))
    assert (ball.shape, ball.re) == (Shape.BALL, 6.35)
    assert (unknown.shape, unknown.shape_name, unknown.dc) == (None, "lollipop mill", 25.4)
    assert [operation.label for operation in job.operations] == ["T5", "T7", "T9"]  # T2's X1 goes nowhere known


def test_given_tools_serve_by_number_and_a_single_one_serves_alone(write):
    program = write("G21 G0 X0 Y0 Z1\nT2 M6\nG1 X1 F60\nT3 M6\nX2\n")
    mill = Tool(dc=6.0, shape=Shape.FLAT, number=3, zefp=2)

    job = read_program(program, tools=[mill])
    assert [(tool.number, tool.dc) for tool in job.tools] == [(2, None), (3, 6.0)]

    job = read_program(write("G21 G0 X0 Y0 Z1\nG1 X1 F60\n"), tools=[Tool(dc=6.0, shape=Shape.FLAT)])
    assert job.toolpath.tool.tolist() == [0]
    assert job.operations[0].tool == 0

    job = read_program(write("G21 T7 M6\nG0 X0 Y0 Z1\nG1 X1 F60\n"), tools=[Tool(dc=6.0, shape=Shape.FLAT)])
    assert [(tool.number, tool.dc) for tool in job.tools] == [(7, 6.0)]


def test_a_program_says_nothing_of_stock_and_may_say_nothing_of_tools_or_units(write):
    stock = Stock((0, 0, -10), (10, 10, 0))

    job = read_program(write("G0 X0 Y0 Z1\nG1 X1 F60\n", "bracket.nc"), stock=stock)

    assert job.stock is stock
    assert job.tools == ()
    assert job.toolpath.tool.tolist() == [-1]
    assert (job.label, job.operations[0].label, job.operations[0].tool) == ("bracket", "bracket", -1)
    assert job.warnings == ("the program has neither G20 nor G21; its lengths were read as mm",)


def test_lines_are_physical_whatever_ends_them(write):
    text = "%\n(head)\n\nN500 G21 G0 X0 Y0 Z1\nN400 G1 X1 F60 (N3)\n\nX2 ; N9\n"
    for line_end in ("\n", "\r\n", "\r"):
        job = read_program(write(text.replace("\n", line_end)))
        assert job.toolpath.line.tolist() == [5, 7]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "part.ngc is empty; post the program again"),
        (b" \r\n\n", "part.ngc is empty; post the program again"),
        (b"PK\x03\x04\0\0binary", "part.ngc is not a program but a binary file"),
        (b"\xff\xd8\xff\xe0 jpeg", "line 1: "),
        (b"Dear customer,\nplease find attached", "line 1: "),
        (b"G21\n(nothing)\nM2\n", "part.ngc makes no move"),
        (b"G21 G0 X0 Y0 Z0\nG1 X1e9\n", "line 2: E is not a word"),
        (b"G21 G0 X0 Y0 Z0\nG1 XNaN\n", "line 2: "),
        (b"G21 G0 X0 Y0 Z0\nG1 X1\nG2 X5 Y0 I1 J0\n", "line 3: the arc's radius at its start"),
        (b"G21 G0 X0 Y0 Z0\nG1 X1\nG999\n", "line 3: G999 "),
    ],
)
def test_a_bad_file_gets_one_sentence(write, content, sentence):
    with pytest.raises(ProgramError) as caught:
        read_program(write(content))

    assert str(caught.value).startswith(sentence)
    assert "\n" not in str(caught.value)


def test_a_missing_file_or_a_folder_gets_one_sentence(tmp_path):
    with pytest.raises(ProgramError, match=r"gone\.ngc cannot be read: No such file"):
        read_program(tmp_path / "gone.ngc")
    with pytest.raises(ProgramError, match="cannot be read"):
        read_program(tmp_path)


def test_an_absurd_coordinate_is_named_by_its_line(write):
    with pytest.raises(Exception, match="line 2 goes to a coordinate that no machine reaches"):
        read_program(write("G21 G0 X0 Y0 Z0\nG1 X123456789\n"))


def test_a_large_program_is_read_in_a_fraction_of_its_running_time(write):
    points = np.random.default_rng(1).uniform(-50, 50, (100_000, 3))
    lines = "\n".join(f"G1 X{x:.4f} Y{y:.4f} Z{z:.4f} F1200.0" for x, y, z in points)
    program = write(f"G21 G90\nT1 M6\nG0 X0 Y0 Z0\n{lines}\nM2\n")
    read_program(program)  # compiles

    spent = []
    for _ in range(3):
        begin = time.process_time()
        job = read_program(program)
        spent.append(time.process_time() - begin)

    assert np.allclose(job.toolpath.end[-100_000:], points, atol=5e-5)
    assert sorted(spent)[1] < 0.5  # s of CPU time; 0.05 is usual


def test_a_tool_without_a_number_stands_for_all_that_nothing_describes(tmp_path):
    path = tmp_path / "two.ngc"
    path.write_text("G21 G90\n(T2 D=3. CR=0. - ZMIN=-5. - flat end mill)\nT2 M6\nG1 X1 F60\nT3 M6\nG1 X2\nM2\n")
    job = read_program(path, tools=[Tool(dc=6.0, shape=Shape.FLAT)])
    assert [(tool.number, tool.dc) for tool in job.tools] == [(2, 3.0), (3, 6.0)]
