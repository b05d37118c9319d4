# SPDX-License-Identifier: LGPL-2.1-or-later
"""The reader moves as LinuxCNC's own interpreter does, on real programs and on random ones."""

import math
import random
import re
from pathlib import Path

import numpy as np
import pytest

from controllers import rs274
from freecad_camtwin.errors import ProgramError
from freecad_camtwin.twin.job.rs274 import interpret_program

DATA = Path(__file__).parent.parent.parent.parent / "data" / "nc"
SHARED = DATA.parent.parent.parent.parent / "shared" / "data" / "nc"
SUFFIXES = {".nc", ".ngc", ".gcode", ".mpf"}
#: Why a program that LinuxCNC follows may be refused here (docs/programs.md).
REASONS = ("parameters", "expression", "o-word", "rotary", "secondary", "polar", "compensation")


def programs(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix in SUFFIXES)


def read(text):
    """Read a program as of a machine that starts at its zero and has its reference point there, as rs274 does."""
    run = interpret_program(text, start=(0, 0, 0), machine=(0, 0, 0))
    return run.record.toolpath(line=np.arange(1, len(run.blocks) + 1))


def ended(peer):
    """Whether the peer followed the program to its end; that it lacks an M2 is no matter here."""
    return peer.error is None or peer.error.startswith("File ended with no percent sign")


def refusal(text):
    """The sentence with which a program is refused here, None if it is read."""
    try:
        read(text)
    except ProgramError as error:
        return str(error)
    return None


def hold_against_linuxcnc(text):
    """Return what became of a program: "agrees", or who refused it."""
    peer = rs274.run(text)
    sentence = refusal(text)
    if sentence is not None:
        assert re.match(r"line \d+: ", sentence)
        assert not ended(peer) or any(reason in sentence for reason in REASONS), sentence
        return "refused here"
    if not ended(peer):
        return "refused by LinuxCNC"
    toolpath, precise = read(text), rs274.run_precisely(text)
    assert ended(precise)
    assert rs274.deviation(precise.moves, toolpath) < 1e-6
    # rs274 itself prints four decimals of the program's unit.
    assert rs274.deviation(peer.moves, toolpath) < (0.003 if b"20" in text else 1e-4)
    return "agrees"


@pytest.mark.parametrize("name", programs(DATA))
def test_a_program_of_this_repository_moves_as_in_linuxcnc(name):
    fate = hold_against_linuxcnc((DATA / name).read_bytes())

    assert fate == ("refused here" if Path(name).stem in FAULTY else "agrees")


FAULTY = {"full-circle-without-xyz", "Circle_Diamond_Square_Calibration"}  # an arc without centre, an uneven arc


@pytest.mark.parametrize("name", programs(SHARED) if SHARED.is_dir() else ["absent"])
def test_a_real_program_moves_as_in_linuxcnc_or_is_refused_for_a_documented_reason(name, shared_data):
    hold_against_linuxcnc((shared_data / "nc" / name).read_bytes())


def test_series_of_canned_cycles_move_as_in_linuxcnc():
    chance = random.Random(5)
    lines = ["F100", "G0 X0 Y0 Z9"]
    for _ in range(250):
        number = chance.choice([73, 81, 82, 83, 85, 89])
        extra = {73: " Q1.3", 83: f" Q{chance.choice([0.7, 2])}", 82: " P.1", 89: " P.1"}.get(number, "")
        mode = chance.choice(["", "", "G98 ", "G99 "])
        r = chance.choice([0.5, 1, 2, 3, 8, 12])
        lines.append(f"{mode}G{number} X{chance.randint(0, 9)} Z-{chance.randint(1, 5)} R{r}{extra}")
        lines.append(
            chance.choice(["", "", "G80", "G0 Y3", "Y4", "X3 R4", f"G0 Z{chance.choice([-1, 2, 5, 10])}", "G4 P.1"])
        )
    text = "\n".join([*lines, "M2"]).encode()

    peer = rs274.run_precisely(text)

    assert peer.error is None
    assert rs274.deviation(peer.moves, read(text)) < 1e-9


def straight(chance, x, y, z):
    words = chance.sample([f"X{x}", f"y{y}", f"Z {z}"], chance.randint(1, 3))
    return chance.choice(["G0", "g1", "G 01", "g1."]) + " ".join(words)


def circle(chance, x, y, _z):
    plane, (a, b) = chance.choice([("17", "IJ"), ("18", "KI"), ("19", "JK")])
    return f"G{plane} G{chance.choice('23')} {a}{x} {b}{y} P{chance.randint(1, 3)}"


def arc_by_radius(chance, x, y, _z):
    plane, (a, b) = chance.choice([("17", "XY"), ("18", "ZX"), ("19", "YZ")])
    radius = round(math.hypot(x, y), 3) * chance.choice([1, -1])
    return f"G{plane} G91 G{chance.choice('23')} {a}{x} {b}{y} R{radius}\nG90"


def shift(chance, x, y, z):
    return chance.choice([f"G92 X{x} Z{z}", "G92.1", f"G52 Y{y}", "G92.2", "G92.3"])


def system(chance, x, y, z):
    return chance.choice([f"G10 L2 P2 X{x} Y{y}", f"G10 L20 P1 Z{z}", "G55", "G54", "G59.1"])


def way_out(chance, x, y, z):
    return chance.choice([f"G91 G1 X{x}\nY{y}\nG90", f"G28 Z{z}", f"G53 G0 X{x}", f"G93 G1 Y{y} F3\nG94 F90"])


def unit(chance, _x, _y, _z):
    return chance.choice(["G21", "G20"])


def random_program(chance):
    """A program of straight moves, arcs, planes, units and offsets in all the ways to write them."""
    lines = ["G21 G90 G17 F300", "G0 X0 Y0 Z0"]
    for _ in range(200):
        x, y, z = (round(chance.uniform(-20, 20), 4) for _ in "XYZ")
        kind = chance.choices([straight, circle, arc_by_radius, shift, system, way_out, unit], [7, 4, 3, 2, 2, 1, 1])[0]
        lines.append(kind(chance, x, y, z))
    return "\n".join([*lines, "M30"]).encode()


@pytest.mark.parametrize("seed", range(8))
def test_random_programs_move_as_in_linuxcnc(seed):
    text = random_program(random.Random(seed))

    peer = rs274.run_precisely(text)

    assert peer.error is None, peer.error
    assert rs274.deviation(peer.moves, read(text)) < 1e-6
