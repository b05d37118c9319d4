# SPDX-License-Identifier: LGPL-2.1-or-later
"""LinuxCNC's own interpreter as a peer, twice: its stand-alone program ``rs274``, and its Python module ``gcode``.

``rs274`` prints canonical calls with the N word of their block in front. So every block is given its physical line as
N word, and every call comes back with its line. It prints four decimals of the program's unit: enough for mm.
The module has full precision (``gcode_module.py``).
"""

import json
import math
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROGRAM = shutil.which("rs274")
SYSTEM_PYTHON = "/usr/bin/python3"  # the module belongs to the system's Python
_CALL = re.compile(r"\s*\d+\s+N(\d+|\.+)\s+(\w+)\((.*)\)\s*$")
_NUMBERED = re.compile(r"^\s*(/?)\s*[nN]\s*\d+(?:\.\d*)?")


@dataclass
class CanonicalMove:
    """One straight or circular move as rs274 prints it, in mm, before any zero but the machine's."""

    kind: str  # "rapid", "line" or "arc"
    line: int
    end: tuple[float, float, float]
    feed: float  # mm/s
    centre: tuple[float, float] = (0.0, 0.0)  # in the order of the plane's axes
    turns: int = 0  # positive counter-clockwise
    plane: int = 0


@dataclass
class CanonicalRun:
    """What rs274 makes of a program: its moves, or the error that it stops with."""

    moves: list[CanonicalMove] = field(default_factory=list)
    error: str | None = None


def run(text: bytes) -> CanonicalRun:
    """Let rs274 interpret a program; skips the test where LinuxCNC is not installed."""
    if PROGRAM is None:
        pytest.fail("LinuxCNC's rs274 is not installed: the reader was not held against it")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in.ngc")
        source.write_text(_with_line_numbers(text), encoding="latin-1")
        variables, tools = Path(folder, "v.var"), Path(folder, "t.tbl")
        variables.touch()
        tools.write_text("".join(f"T{number} P{number} Z0.0 D1.0\n" for number in range(1, 100)), encoding="utf-8")
        done = subprocess.run(
            [PROGRAM, "-g", "-v", str(variables), "-t", str(tools), str(source)],
            capture_output=True, stdin=subprocess.DEVNULL, cwd=folder, timeout=120, check=False,
            env=os.environ | {"HOME": folder},  # where it leaves a tool table
        )  # fmt: skip
    result = _follow(done.stdout.decode("latin-1"))
    if done.returncode != 0:
        said = [line for line in done.stderr.decode("latin-1").splitlines() if line.strip() not in ("", "executing")]
        result.error = said[0] if said else "no reason given"
    return result


def run_precisely(text: bytes) -> CanonicalRun:
    """Let the module ``gcode`` interpret a program; skips the test where LinuxCNC is not installed."""
    if PROGRAM is None or not Path(SYSTEM_PYTHON).exists():
        pytest.fail("LinuxCNC's module gcode is not installed: the reader was not held against it")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in.ngc")
        source.write_bytes(_with_newlines(text))
        done = subprocess.run(
            [SYSTEM_PYTHON, str(Path(__file__).with_name("gcode_module.py")), str(source), folder],
            capture_output=True, stdin=subprocess.DEVNULL, cwd=folder, timeout=120, check=False,
            env=os.environ | {"HOME": folder},  # where it leaves a tool table
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        answer = json.loads(Path(folder, "moves.json").read_text(encoding="utf-8"))
    planes = {1: 0, 3: 1, 2: 2}  # CANON_PLANE_XY, XZ, YZ
    moves = [
        _move(call, line, numbers, shift, planes[plane], feed / 60)
        for call, line, numbers, plane, feed, shift in answer["moves"]
    ]
    return CanonicalRun(moves, answer["error"])


def _with_newlines(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _with_line_numbers(text: bytes) -> str:
    lines = _with_newlines(text).decode("latin-1").split("\n")
    numbered = []
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        if not bare or bare[0] in "(;%oO":
            numbered.append(line)
        else:
            numbered.append(f"N{number} {_NUMBERED.sub('', bare).lstrip('/ ')}")
    return "\n".join(numbered) + "\n"


def _follow(listing: str) -> CanonicalRun:
    """Follow the canonical calls' units, offsets and plane, so that every move stands in one frame, in mm."""
    result = CanonicalRun()
    scale, feed, plane = 1.0, 0.0, 0
    offsets = {"SET_G5X_OFFSET": [0.0] * 3, "SET_G92_OFFSET": [0.0] * 3}
    for row in listing.splitlines():
        line, call, words = _call(row)
        if call == "USE_LENGTH_UNITS":
            scale = 25.4 if "INCHES" in words[0] else 1.0
        elif call == "SELECT_PLANE":
            plane = {"XY": 0, "XZ": 1, "YZ": 2}[words[0].rsplit("_", 1)[1]]
        elif call == "SET_FEED_RATE":
            feed = float(words[0]) * scale / 60
        elif call in offsets:
            offsets[call] = [float(word) * scale for word in words[call == "SET_G5X_OFFSET" :][:3]]
        elif call in ("STRAIGHT_TRAVERSE", "STRAIGHT_FEED", "ARC_FEED"):
            shift = [a + b for a, b in zip(*offsets.values(), strict=True)]
            numbers = [float(word) * scale for word in words]
            if call == "ARC_FEED":
                numbers[4] = float(words[4])  # turns
            result.moves.append(_move(call, line, numbers, shift, plane, feed))
    return result


def _call(row):
    match = _CALL.match(row)
    if match is None:
        return -1, "", []
    return int(match[1]) if match[1].isdigit() else -1, match[2], match[3].replace(",", " ").split()


def _move(call, line, numbers, shift, plane, feed):
    if call != "ARC_FEED":
        end = tuple(a + b for a, b in zip(numbers, shift, strict=False))
        return CanonicalMove("rapid" if call == "STRAIGHT_TRAVERSE" else "line", line, end, feed)
    a, b, normal = ((0, 1, 2), (2, 0, 1), (1, 2, 0))[plane]
    end = [0.0] * 3
    end[a], end[b], end[normal] = numbers[0] + shift[a], numbers[1] + shift[b], numbers[5] + shift[normal]
    centre = numbers[2] + shift[a], numbers[3] + shift[b]
    return CanonicalMove("arc", line, tuple(end), feed, centre, round(numbers[4]), plane)


def without_standing_still(moves):
    """Drop straight moves that go nowhere, as a toolpath does; the machine starts at zero."""
    kept, here = [], (0.0, 0.0, 0.0)
    for move in moves:
        if move.kind == "arc" or max(abs(a - b) for a, b in zip(move.end, here, strict=True)) >= 1e-9:
            kept.append(move)
        here = move.end
    return kept


def deviation(moves, toolpath, centres=True):
    """Hold a toolpath against canonical moves of a machine that starts at zero: the largest distance of an end or a
    centre [mm]. Fails where number, kinds, lines, planes, turns or feeds are not the same."""
    moves = without_standing_still(moves)
    assert len(moves) == toolpath.moves
    assert [move.kind for move in moves] == [("rapid", "line", "arc")[kind] for kind in toolpath.kind]
    assert [move.line for move in moves] == toolpath.line.tolist()
    largest = 0.0
    for at, move in enumerate(moves):
        largest = max(largest, math.dist(move.end, toolpath.end[at]))
        if move.kind != "rapid" and not math.isnan(toolpath.feed[at]):
            assert toolpath.feed[at] == pytest.approx(move.feed, rel=1e-4, abs=1e-4), f"line {move.line}"
        if move.kind == "arc":
            a, b = ((0, 1), (2, 0), (1, 2))[move.plane]
            assert toolpath.plane[at] == move.plane
            assert (toolpath.sweep[at] > 0) == (move.turns > 0)
            assert math.ceil(abs(toolpath.sweep[at]) / (2 * math.pi) - 1e-6) == abs(move.turns), f"line {move.line}"
            if centres:
                largest = max(largest, math.dist(move.centre, toolpath.centre[at][[a, b]]))
    return largest
