# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two toolpaths that differ only in feeds and split points are told from two that differ in their way."""

import math
import random

import numpy as np
import pytest

from freecad_camtwin.twin.feeds.proof import compare
from freecad_camtwin.twin.job.rs274 import interpret_program


def read(lines):
    run = interpret_program("\n".join(lines).encode(), start=(0, 0, 0))
    return run.record.toolpath(line=np.arange(1, len(run.blocks) + 1))


ORIGINAL = [
    "T1 M6",
    "S9000 M3",
    "F600",
    "G0 Z5",
    "G1 Z-1",
    "G1 X10 Y0",
    "G3 X10 Y20 I0 J10 F300",
    "G1 X0",
    "G2 I5 Z-2",
    "G4 P1",
    "G1 Y0",
    "G0 Z5",
]


def mend(replacements):
    return [line for number, old in enumerate(ORIGINAL, 1) for line in replacements.get(number, [old])]


def test_a_path_is_the_same_as_itself():
    same = compare(read(ORIGINAL), read(ORIGINAL))

    assert (same.deviation, same.splits, same.feed_changes, same.parts_at, same.differences) == (0, 0, 0, None, ())
    assert same.same_geometry


def test_splits_and_feeds_are_counted():
    half = 10 * math.sqrt(0.5)
    mended = mend(
        {
            6: ["G1 X2.5 Y0 F500", "X7.5 F700", "X10 F600"],
            7: [f"G3 X{10 + half:.6f} Y{10 - half:.6f} I0 J10 F300", f"X{10:.6f} Y20 I{-half:.6f} J{half:.6f} F250"],
            9: ["G2 X10 Y20 I5 Z-1.5", "X0 I-5 Z-2"],
        }
    )

    found = compare(read(ORIGINAL), read(mended))

    assert found.parts_at is None
    assert found.splits == 4
    assert found.deviation < 1e-9
    assert found.split_deviation < 1e-5
    assert found.same_geometry
    assert found.feed_changes == 5  # the split line, the split arc, and the three after it, which keep its F250
    assert np.diff(found.pieces).tolist() == [1, 1, 3, 2, 1, 2, 1, 1]
    assert found.differences == ()


@pytest.mark.parametrize(
    ("number", "lines"),
    [
        (6, ["G1 X5 Y0.5", "X10 Y0"]),  # a detour
        (6, ["G1 X8 Y0", "X4", "X10"]),  # back and forth
        (6, ["G1 X5 Y0", "G0 X10"]),  # half of it as a rapid
        (11, []),  # missing
        (6, ["G1 X10 Y0", "X12", "X10"]),  # more
        (7, ["G1 X20 Y10", "X10 Y20"]),  # a chord for an arc
        (7, ["G2 X10 Y20 I0 J10"]),  # the other way round
        (7, ["G3 X10 Y20 I0 J10 P2"]),  # a turn more
        (9, ["G2 X10 Y20 I5 Z-1.7", "X0 I-5 Z-2"]),  # not on the helix
        (12, []),  # the end missing
        (12, ["G0 Z5", "X3"]),  # more at the end
    ],
)
def test_another_way_is_not_taken_for_the_same(number, lines):
    found = compare(read(ORIGINAL), read(mend({number: lines})))

    assert not found.same_geometry
    assert found.parts_at is not None


def test_a_shifted_point_is_measured():
    found = compare(read(ORIGINAL), read(mend({6: ["G1 X10 Y0.002"], 7: ["G3 X10 Y20 I0 J9.998 F300"]})))

    assert found.deviation == pytest.approx(0.002)
    assert not found.same_geometry


def test_what_else_differs_is_said():
    original = read(ORIGINAL)

    assert "spindle speed" in compare(original, read(mend({2: ["S8000 M3"]}))).differences[0]
    assert compare(original, read(mend({10: ["G4 P2"]}))).differences
    assert "DWELL" in compare(original, read(mend({10: [], 11: ["G1 Y0", "G4 P1"]}))).differences[0]
    assert compare(original, read([*ORIGINAL, "M0"])).differences


def test_a_long_path_with_many_splits_is_matched_point_by_point():
    chance = random.Random(3)
    whole, cut, here, splits = ["F600"], ["F600"], (0.0, 0.0), 0
    for _ in range(3000):
        there = (round(chance.uniform(-50, 50), 3), round(chance.uniform(-50, 50), 3))
        if math.dist(here, there) < 1:
            continue
        whole.append(f"G1 X{there[0]} Y{there[1]}")
        for share in sorted(chance.uniform(0.1, 0.9) for _ in range(chance.choice([0, 0, 0, 1, 3]))):
            x, y = (a + share * (b - a) for a, b in zip(here, there, strict=True))
            cut.append(f"G1 X{x:.4f} Y{y:.4f} F{chance.randint(100, 900)}")
            splits += 1
        cut.append(f"G1 X{there[0]} Y{there[1]} F{chance.randint(100, 900)}")
        here = there

    found = compare(read(whole), read(cut))

    assert found.parts_at is None
    assert found.splits == splits
    assert found.deviation < 1e-9
    assert found.split_deviation < 1e-4
