# SPDX-License-Identifier: LGPL-2.1-or-later
"""G-code means the same however it is written, and what is not understood is refused by name."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freecad_camtwin.errors import ProgramError, ToolpathError
from freecad_camtwin.twin.job.rs274 import Stream, interpret_program, interpret_streams
from freecad_camtwin.twin.job.toolpath import EventKind, MoveKind, Plane


def read(text, **known):
    run = interpret_program(text.encode() if isinstance(text, str) else text, **known)
    return run.record.toolpath(line=np.arange(1, len(run.blocks) + 1))


# -- random moves, written and read back ------------------------------------------------------------------------

thousandths = st.integers(-200_000, 200_000).map(lambda value: value / 1000)
points = st.tuples(thousandths, thousandths, thousandths)
moves = st.lists(st.tuples(st.sampled_from(["G0", "G1"]), points), min_size=1, max_size=30)


def write(moves, scale=1.0, incremental=False, decimals=3):
    lines, here = ["F600"], (0.0, 0.0, 0.0)
    for motion, point in moves:
        words = [
            f"{axis}{(b - a * incremental) / scale:.{decimals}f}" for axis, a, b in zip("XYZ", here, point, strict=True)
        ]
        lines.append(" ".join([motion, *words]))
        here = point
    return "\n".join(lines)


def really_moving(moves):
    kept, here = [], (0.0, 0.0, 0.0)
    for motion, point in moves:
        if point != here:
            kept.append((motion, point))
        here = point
    return kept


@settings(deadline=None, max_examples=60)
@given(moves)
def test_what_is_written_is_read(moves):
    path = read(write(moves), start=(0, 0, 0))

    expected = really_moving(moves)
    assert path.end.tolist() == [list(point) for _, point in expected]
    assert path.kind.tolist() == [int(motion == "G1") for motion, _ in expected]
    assert path.start[1:].tolist() == path.end[:-1].tolist()
    assert np.isnan(path.feed[path.kind == MoveKind.RAPID]).all()
    assert (path.feed[path.kind == MoveKind.LINE] == 10.0).all()


@settings(deadline=None, max_examples=40)
@given(moves)
def test_inch_and_mm_and_absolute_and_incremental_mean_the_same(moves):
    mm = read("G21 G90\n" + write(moves), start=(0, 0, 0))
    for text in (
        "G20 G90\n" + write(moves, scale=25.4, decimals=9).replace("F600", f"F{600 / 25.4:.9f}"),
        "G21 G91\n" + write(moves, incremental=True),
        "G20 G91\n" + write(moves, scale=25.4, incremental=True, decimals=9).replace("F600", f"F{600 / 25.4:.9f}"),
    ):
        other = read(text, start=(0, 0, 0))
        assert other.kind.tolist() == mm.kind.tolist()
        assert np.allclose(other.end, mm.end, atol=1e-6)
        assert np.allclose(other.feed, mm.feed, atol=1e-6, equal_nan=True)


@settings(deadline=None, max_examples=40)
@given(moves)
def test_blanks_case_numbers_comments_and_line_ends_mean_nothing(moves):
    plain = write(moves)
    decorated = "%\r\nO0001 (name)\r\n" + "\r\n".join(
        f"N{10 * at} {line.lower().replace(' ', '  ').replace('x', 'x ')} (to {at}) ; so"
        for at, line in enumerate(plain.split("\n"))
    )

    assert read(decorated, start=(0, 0, 0)).end.tolist() == read(plain, start=(0, 0, 0)).end.tolist()
    assert read(plain.replace("\n", "\r"), start=(0, 0, 0)).line.tolist() == read(plain, start=(0, 0, 0)).line.tolist()


@settings(deadline=None, max_examples=40)
@given(
    st.floats(0.1, 6.2), st.floats(1, 50), st.sampled_from(["17", "18", "19"]), st.sampled_from("23"), st.floats(-5, 5)
)
def test_an_arc_by_radius_is_the_arc_by_its_centre(angle, radius, plane, motion, rise):
    (a, i), (b, j), normal = {"17": ("XI", "YJ", "Z"), "18": ("ZK", "XI", "Y"), "19": ("YJ", "ZK", "X")}[plane]
    turn = -angle if motion == "2" else angle
    du, dv = radius * (math.cos(turn) - 1), radius * math.sin(turn)
    end = f"G{plane} G{motion} F60 {a}{du:.9f} {b}{dv:.9f} {normal}{rise:.9f}"
    by_centre = read(f"{end} {i}{-radius:.9f} {j}0", start=(0, 0, 0))
    by_radius = read(f"{end} R{radius if angle < math.pi else -radius:.9f}", start=(0, 0, 0))

    assert by_centre.sweep[0] == pytest.approx(turn, abs=1e-6)
    assert by_radius.sweep[0] == pytest.approx(turn, abs=1e-4)
    assert by_centre.plane[0] == {"17": Plane.XY, "18": Plane.ZX, "19": Plane.YZ}[plane]
    assert by_centre.length[0] == pytest.approx(math.hypot(radius * angle, rise), abs=1e-5)


# -- what the machine does between moves ------------------------------------------------------------------------


def test_events_come_in_order_and_before_the_right_move():
    path = read(
        "T3 M6\nS9000 M3 M8\nG64 P.01 Q.02\nG1 F600 X1 Y0 Z0\nX2\nG4 P.5\nX3\nM5 M9\nM0\nG61.1\nM30\nX99",
        start=(0, 0, 0),
    )

    assert [(event.before, event.kind, event.value) for event in path.events] == [
        (0, EventKind.TOOL_CHANGE, 3),
        (0, EventKind.SPINDLE, 9000),
        (0, EventKind.COOLANT, 2),
        (0, EventKind.PATH_MODE, 64),
        (2, EventKind.DWELL, 0.5),
        (3, EventKind.SPINDLE, 0),
        (3, EventKind.COOLANT, 0),
        (3, EventKind.STOP, 0),
        (3, EventKind.PATH_MODE, 61.1),
        (3, EventKind.END, 30),
    ]
    assert (path.events[3].tolerance, path.events[3].naive) == (0.01, 0.02)
    assert path.n_rpm.tolist() == [9000] * 3
    assert path.line.tolist() == [4, 5, 7]


def test_feed_per_revolution_follows_the_spindle_and_inverse_time_the_length():
    path = read("S600 M3\nG95 F.5 G1 X10\nS1200\nX20\nG93 X30 F2\nG94 X40 F60", start=(0, 0, 0))

    assert path.feed.tolist() == pytest.approx([5, 10, 20 / 60, 1])


def test_an_unknown_speed_or_feed_stays_unknown():
    path = read("M3 S0\nG1 X1\nF0 X2\nF60 S100 X3", start=(0, 0, 0))

    assert np.isnan(path.n_rpm[:2]).all()
    assert np.isnan(path.feed[:2]).all()
    assert (path.n_rpm[2], path.feed[2]) == (100, 1)


# -- where the tool is ------------------------------------------------------------------------------------------


def test_before_its_first_word_an_axis_makes_no_travel():
    path = read("G0 Z5\nX10 Y20\nG1 F60 Z-1\nX12")

    assert path.start[0].tolist() == [10, 20, 5]
    assert path.end.tolist() == [[10, 20, -1], [12, 20, -1]]


def test_the_way_to_the_machines_reference_point_is_left_out_and_seen_as_clear_of_the_work():
    run = interpret_program(b"G0 X0 Y0 Z5\nG1 F60 Z-3\nG91 G28 Z0\nG90 G0 X50\nZ2\nG1 Z-3")
    path = run.record.toolpath()

    assert path.end.tolist() == [[0, 0, -3], [50, 0, 5], [50, 0, 2], [50, 0, -3]]
    assert run.warnings == ("line 3 goes to a machine position that is unknown; the motion to it is left out",)
    with pytest.raises(ProgramError, match="line 4: an incremental move or an arc starts from the machine's reference"):
        interpret_program(b"G0 X0 Y0 Z5\nG91\nG28 Z0\nG0 Z-5")


def test_with_the_machines_zero_known_the_tool_goes_there():
    path = read("G0 X0 Y0 Z5\nG53 G0 Z0", start=(0, 0, 0), machine=(-100, -200, 80))

    assert path.end[-1].tolist() == [0, 0, 80]


# -- stored commands --------------------------------------------------------------------------------------------


def test_stored_commands_know_their_operation_tool_and_command():
    drilling = [
        ("(Drilling)", {}),
        ("G90", {}),
        ("G98", {}),
        ("G0", {"Z": 10.0, "F": 50.0}),
        ("G0", {"X": 1.0, "Y": 2.0, "F": 50.0}),
        ("G83", {"X": 1.0, "Y": 2.0, "Z": -3.0, "R": 1.0, "Q": 2.0, "F": 5.0}),
        ("G80", {}),
    ]
    profile = [("G1", {"X": 9.0}), ("G3", {"X": 9.0, "Y": 2.0, "I": 3.0, "J": 0.0, "K": 0.0, "Z": -4.0, "F": 20.0})]

    path, warnings = interpret_streams(
        [
            Stream([("M6", {"T": 4})], "TC", -1),
            Stream(drilling, "Drilling", 0, 1, 3000.0),
            Stream(profile, "Profile", 1, 0),
        ]
    )

    assert warnings == ()
    assert path.operation.tolist() == [0] * (path.moves - 2) + [1, 1]
    assert path.tool.tolist() == [1] * (path.moves - 2) + [0, 0]
    assert path.command.tolist() == [5] * (path.moves - 2) + [0, 1]
    assert path.cycle.tolist() == [83] * (path.moves - 2) + [0, 0]
    assert path.end[:-2, 2].tolist() == [1, -1, 1, -0.746, -3, 10]
    assert path.feed[:-2][path.kind[:-2] == MoveKind.LINE].tolist() == [5, 5]
    assert path.feed[-2:].tolist() == [5, 20]
    assert path.n_rpm[0] == 3000
    assert math.isnan(path.n_rpm[-1])
    assert path.sweep[-1] == pytest.approx(2 * math.pi)
    assert (path.line == -1).all()
    assert path.events[0].value == 4


def test_a_stored_rapids_own_feed_is_not_the_feed_of_what_follows():
    path, _ = interpret_streams(
        [Stream([("G1", {"X": 1.0, "F": 5.0}), ("G0", {"X": 2.0, "F": 70.0}), ("G1", {"X": 3.0})], "P", 0)],
        start=(0, 0, 0),
    )

    assert path.feed.tolist() == [5, 70, 5]


def test_what_is_wrong_with_a_stored_command_names_it():
    for commands, sentence in (
        ([("G1", {"X": math.nan})], "command 0 of 'Profile': X is not a number"),
        ([("G0", {"X": 0.0}), ("G41", {"D": 1})], "command 1 of 'Profile': G41 is cutter compensation"),
        ([("G1", {"X": 1.0, "A": 3.0})], "command 0 of 'Profile': the path moves a rotary axis"),
        ([("Foo", {})], "command 0 of 'Profile': 'FOO' is not a word"),
    ):
        with pytest.raises(ProgramError) as caught:
            interpret_streams([Stream(commands, "Profile", 0)])
        assert str(caught.value).startswith(sentence)
    with pytest.raises(ToolpathError, match="no machine reaches"):
        interpret_streams([Stream([("G0", {"X": 1e7})], "Profile", 0)], start=(0, 0, 0))


# -- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("#1=5", "parameters"),
        ("G1 X#1", "parameters"),
        ("G1 X[1+2]", "expression"),
        ("O100 sub", "o-word"),
        ("G1 X1 A90", "rotary axis"),
        ("G1 U1", "secondary axis"),
        ("G41 D1", "cutter compensation"),
        ("G33 Z1 K1", "spindle's angle"),
        ("G84 X1 Z-1 R1", "tap"),
        ("G38.2 Z-1", "probe"),
        ("G5 X1 I1 J1", "spline"),
        ("G123", "not a code that is followed"),
        ("M66 P0", "waits for an input"),
        ("M98 P1000", "subprogram"),
        ("M101", "program of the machine's own"),
        ("G10 L1 P1 Z3", "L2 and L20"),
        ("G0 X1 X2", "given twice"),
        ("G0 E1", "E is not a word"),
        ("hello world", "not a word of G-code"),
        ("G0 X", "not a word of G-code"),
        ("X1", "without a motion"),
        ("G4", "G4 has no duration"),
        ("G81 X1 Z-1", "needs R"),
        ("G83 X1 Z-1 R1", "needs Q"),
        ("G83 X1 Z-1 R1 Q0", "needs Q"),
        ("G83 X1 Z-9 R1 Q.00001", "pecks a hole is out of range"),
        ("G81 X1 Z-9 R1 L2000000000", "pecks a hole is out of range"),
        ("G81 X1 Z-9 R1 L0", "pecks a hole is out of range"),
        ("G81 X1 Z1 R-1", "below the hole's bottom"),
        ("G91 G53 G0 X1", "G53 needs G0 or G1"),
        ("G93 G1 X1", "needs its own F"),
        ("G2 X1 Y1", "neither a center"),
        ("G2 X10 I4", "not the one at its end"),
        ("G1 X1 R1", "straight move"),
    ],
)
def test_what_is_not_followed_is_refused_with_its_line(line, why):
    with pytest.raises(ProgramError) as caught:
        interpret_program(f"G21\n\nG0 Z1\nG80\n{line}\n".encode(), start=(0, 0, 0))

    assert str(caught.value).startswith("line 5: ")
    assert why in str(caught.value)
    assert ";" in str(caught.value)  # the way out
