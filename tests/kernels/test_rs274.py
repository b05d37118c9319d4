# SPDX-License-Identifier: LGPL-2.1-or-later
"""The fast reader of plain blocks, against Python's own number and word reading."""

import math
import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from camtwin_kernels import rs274

WORD = re.compile(r"([A-Z])([+-]?(?:\d+\.?\d*|\.\d+))")


def scan(text):
    lines = text.count(b"\n") + 1
    values, motion = np.full((lines, rs274.WORDS), np.nan), np.full(lines, -1, np.int8)
    starts, plain = np.empty(lines + 1, np.int64), np.empty(lines, np.uint8)
    rs274.scan(np.frombuffer(text, np.uint8), starts, values, motion, plain)
    return starts, values, motion, plain


def slow_line(line):
    """Read a line by the book: (values, motion), or None if it is not plain."""
    values, motion, code, at = [math.nan] * rs274.WORDS, -1, re.sub(r"[ \t]", "", line).upper(), 0
    while at < len(code):
        match = WORD.match(code, at)
        if match is None or len(re.sub(r"\D", "", match[2])) > 15:
            return None
        letter, number = match[1], float(match[2])
        if letter == "G":
            if motion >= 0 or number not in (0, 1, 2, 3):
                return None
            motion = int(number)
        elif letter == "N":
            if at > 0:
                return None
        else:
            column = "XYZIJKRF".find(letter)
            if column < 0 or not math.isnan(values[column]):
                return None
            values[column] = number
        at = match.end()
    return values, motion


numbers = st.one_of(
    st.floats(-1e4, 1e4).map(lambda value: f"{value:.4f}"),
    st.integers(0, 5).map(str),
    st.sampled_from(
        [".5", "-.25", "+3.", "007", "1.2.3", "", "-", "--1", "+-1", "1 2", "- 3 . 5", "123456789012345678"]
    ),
)
words = st.tuples(st.sampled_from("XYZIJKRFGNgxyzfnMSTP(;/%A#"), numbers).map("".join)
lines = st.lists(words, max_size=6).map(" ".join)


@settings(deadline=None, max_examples=300)
@given(st.lists(lines, min_size=1, max_size=5))
def test_scanning_reads_what_slow_reading_reads(text):
    starts, values, motion, plain = scan("\n".join(text).encode())

    for at, line in enumerate(text):
        expected = slow_line(line)
        assert bool(plain[at]) == (expected is not None), line
        if expected is not None:
            assert values[at].tobytes() == np.array(expected[0]).tobytes() or np.array_equal(
                values[at], expected[0], equal_nan=True
            )
            assert motion[at] == expected[1]
    assert starts[-1] == len("\n".join(text)) + 1


@settings(deadline=None)
@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(0, 15))
def test_every_short_decimal_is_read_as_python_reads_it(mantissa, decimals):
    digits = f"{abs(mantissa):016d}"[1:]
    text = f"{'-' if mantissa < 0 else ''}{digits[: 15 - decimals]}.{digits[15 - decimals :]}"

    _, values, _, plain = scan(f"X{text}".encode())

    assert plain[0]
    assert values[0, rs274.X] == float(text)


def follow(text, **modes):
    """Follow plain text from zero: the moves, and why it stopped."""
    _, values, motion, plain = scan(text.encode())
    state = rs274.first_modes(False, 0.03)
    for name, value in modes.items():
        state[getattr(rs274, name)] = value
    position, cursor = np.zeros(3), np.array([0, len(plain), 0])
    moves, kinds = np.empty((len(plain), rs274.COLUMNS)), np.empty(len(plain), np.int8)
    blocks = np.empty(len(plain), np.int32)
    status = rs274.follow_program(values, motion, plain, state, position, np.zeros(3), cursor, moves, kinds, blocks)
    return moves[: cursor[2]], status, position


@settings(deadline=None, max_examples=50)
@given(
    st.floats(0, 2 * math.pi),
    st.floats(0.01, 1).map(lambda share: share * 2 * math.pi),
    st.floats(0.5, 50),
    st.booleans(),
)
def test_an_arc_turns_by_the_angle_between_its_spokes(first, angle, radius, clockwise):
    last = first - angle if clockwise else first + angle
    start, end = (radius * np.array([math.cos(a), math.sin(a)]) for a in (first, last))
    moves, status, _ = follow(
        f"G0 X{start[0]:.9f} Y{start[1]:.9f}\nG{2 if clockwise else 3} X{end[0]:.9f} Y{end[1]:.9f} "
        f"I{-start[0]:.9f} J{-start[1]:.9f} F60"
    )

    assert status == rs274.DONE
    sweep = moves[-1, rs274.SWEEP]
    assert math.isclose(abs(sweep), angle, abs_tol=1e-6)
    assert (sweep < 0) == clockwise
    assert moves[-1, rs274.SPEED] == 1.0


def test_following_stops_where_a_block_is_not_for_it():
    for text, why in {
        "G1 X1\nG90": rs274.NOT_PLAIN,
        "X1": rs274.NOT_PLAIN,
        "G2 X1 Y1": rs274.NO_CENTRE,
        "G2 X1 I.0001": rs274.NO_RADIUS,
        "G2 X1 I2": rs274.RADII_DIFFER,
        "G2 X10 R4": rs274.OUT_OF_REACH,
        "G2 X0 R4": rs274.SAME_POINT,
        "G2 X2 I1 K1": rs274.OFF_PLANE,
        "G1 X1 I1": rs274.UNUSED,
    }.items():
        assert follow(text)[1] == why, text


def test_a_full_turn_is_not_no_turn():
    moves, _, position = follow("G3 I5\nG2 I5\nG2 X10 I5\nG1 X10")

    assert np.allclose(moves[:, rs274.SWEEP], [2 * math.pi, -2 * math.pi, -math.pi])
    assert position.tolist() == [10, 0, 0]
