# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every word that docs/programs.md says is refused is refused with its line and a way out; nothing is skipped."""

import pytest

from freecad_camtwin.errors import ProgramError
from freecad_camtwin.twin.job.rs274 import interpret_program

#: The table of docs/programs.md, row by row: blocks that have such a word → what the sentence says of it.
ROWS = {
    "parameters, expressions, subprograms": [
        *((block, "parameters") for block in ("#1=5", "G1 X#1 F100", "#<depth>=-3")),
        *((block, "expression") for block in ("G1 X[1+2] F100",)),
        *((block, "o-word") for block in ("O100 SUB", "O100 CALL")),
        *((block, "subprogram") for block in ("M98 P1000", "M99")),
    ],
    "rotary and secondary axes": [
        *((f"G1 X1 {axis}90 F100", "rotary axis") for axis in "ABC"),
        *((f"G1 {axis}1 F100", "secondary axis") for axis in "UVW"),
    ],
    "polar coordinates": [("G1 @10 ^45 F100", ""), ("G0 @10", "")],
    "cutter compensation": [(f"{word} D1", "cutter compensation") for word in ("G41", "G42", "G41.1", "G42.1")],
    "moves with the spindle's angle": [
        *((f"{word} Z-1 K1", "spindle's angle") for word in ("G33", "G33.1", "G76")),
        *((f"{word} X1 Z-1 R1", "spindle's angle") for word in ("G74", "G84")),
    ],
    "probing": [(f"G38.{tenth} Z-1 F50", "probe") for tenth in range(2, 10)],
    "holes that need the spindle or the operator": [
        (f"{word} X1 Z-1 R1", "G81, G82, G85 or G89") for word in ("G86", "G87", "G88")
    ],
    "splines, lathe modes, inputs, programs of the machine": [
        *((f"{word} X1 I1 J1", "spline") for word in ("G5", "G5.1", "G5.2")),
        ("G5.3", "not a code that is followed"),
        ("G7", "lathe"),
        ("G96 S200", "spindle speed with X"),
        ("M66 P0", "input"),
        *((f"M{number}", "not a code that is followed") for number in (70, 71, 72, 73)),
        *((f"M{number}", "program of the machine's own") for number in (100, 150, 199)),
    ],
    "any other word": [
        ("G123", "not a code that is followed"), ("M77", "not a code that is followed"), ("M200", "not a code"),
        ("G1 X1 E3 F100", "E is not a word"), ("hello world", "not a word of G-code"), ("G1 X1 F100 !", ""),
    ],
}  # fmt: skip
BLOCKS = [(block, why) for rows in ROWS.values() for block, why in rows]


@pytest.mark.parametrize(("block", "why"), BLOCKS)
@pytest.mark.parametrize("before", [0, 7])
def test_a_word_that_is_not_followed_is_refused_with_its_line_and_a_way_out(block, why, before):
    program = "G21 G90\nT1 M6\nG0 X0 Y0 Z5\n" + "G1 X1 F100\n" * before + f"{block}\nG1 X9 F100\nM2\n"
    with pytest.raises(ProgramError) as caught:
        interpret_program(program.encode(), start=(0, 0, 0))
    sentence = str(caught.value)
    assert sentence.startswith(f"line {4 + before}: ")
    assert why in sentence
    assert ";" in sentence


@pytest.mark.parametrize("way_there", ["G28", "G30", "G28 Z0", "G53 G0 Z0", "G91 G28 Z0"])
@pytest.mark.parametrize("move", ["G91 G0 Z-1", "G91 G1 Z-1 F100", "G91 G3 X0 Y0 Z-1 I5 J0 F100"])
def test_an_incremental_move_from_the_machines_reference_point_is_refused(way_there, move):
    program = f"G21 G90\nG0 X0 Y0 Z5\n{way_there}\n{move}\nM2\n"
    with pytest.raises(ProgramError, match=r"^line 4: .*reference point.*; go to an absolute point \(G90\) first"):
        interpret_program(program.encode(), start=(0, 0, 0))
    interpret_program(program.replace(move, f"G90 G0 X0 Y0 Z5\n{move}").encode(), start=(0, 0, 0))
