# SPDX-License-Identifier: LGPL-2.1-or-later
"""From a posted program to a job: its moves, its operations, and the tools that its comments describe."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from freecad_camtwin.errors import ProgramError
from freecad_camtwin.twin.base.arrays import Ints
from freecad_camtwin.twin.job.job import Job, Operation, Stock
from freecad_camtwin.twin.job.rs274 import Interpreter, interpret_program
from freecad_camtwin.twin.job.tool import Shape, Tool
from freecad_camtwin.twin.job.toolpath import EventKind

Point = tuple[float, float, float]

_LARGEST_FILE = 512 * 2**20
#: The comment that FreeCAD's postprocessors write before an operation.
_BEGIN = re.compile(r"\s*begin operation:\s*(.+?)\s*$", re.IGNORECASE)
#: The comment that Fusion's postprocessors write for a tool: "T1 D=3.175 CR=0 - ZMIN=-1 - flat end mill", in some cases
#: with TAPER=118deg.
_FUSION_TOOL = re.compile(
    r"\s*T(?P<number>\d+)\s+D=(?P<dc>[\d.]+)(?:\s+CR=(?P<re>[\d.]+))?(?:\s+TAPER=(?P<taper>[\d.]+)deg)?"
    r".*-\s*(?P<shape>[a-z][a-z ]*?)\s*$",
    re.IGNORECASE,
)
_FUSION_SHAPES = {
    "flat end mill": Shape.FLAT,
    "face mill": Shape.FLAT,
    "bull nose end mill": Shape.BULL,
    "ball end mill": Shape.BALL,
    "drill": Shape.DRILL,
    "spot drill": Shape.DRILL,
    "chamfer mill": Shape.CHAMFER,
}


def read_program(
    path: str | Path,
    *,
    tools: Sequence[Tool] = (),
    stock: Stock | None = None,
    start: Point | None = None,
    machine: Point | None = None,
) -> Job:
    """Read a posted program as a job. Every move keeps its physical line, counted from 1.

    tools: the known tools, by number; a single tool without a number is used for every tool of the program that
        no number and no comment describes
    stock: the raw workpiece, which a program does not state
    start: first position of the tool [mm]; None if unknown (see ``rs274.record``)
    machine: machine zero in work coordinates [mm], for G28, G30 and G53; None if unknown

    Raises ProgramError, one sentence with the line, for code that is not supported (docs/programs.md has the list).
    """
    path = Path(path)
    return job_of_text(_read(path), path, tools=tools, stock=stock, start=start, machine=machine)


def job_of_text(
    text: bytes,
    path: Path,
    *,
    tools: Sequence[Tool] = (),
    stock: Stock | None = None,
    start: Point | None = None,
    machine: Point | None = None,
) -> Job:
    """Read the text of a program as ``read_program`` reads the file; ``path`` is only its name."""
    run = interpret_program(text, start=start, machine=machine)
    if run.record.made == 0:
        raise ProgramError(f"{path.name} makes no move; check that it is the program you mean")
    changes = _tool_changes(run)
    used_tools = _tools(run, sorted({number for _, number in changes} - {0}), tools)
    index = {tool.number: at for at, tool in enumerate(used_tools)}
    alone = 0 if len(used_tools) == 1 and used_tools[0].number is None else -1
    tool = _value_by_block([(block, index.get(number, alone)) for block, number in changes], len(run.blocks), alone)
    operations, operation = _operations(run, changes, tool, path.stem)
    toolpath = run.record.toolpath(line=np.arange(1, len(run.blocks) + 1), tool=tool, operation=operation)
    return Job(
        label=path.stem,
        toolpath=toolpath,
        tools=used_tools,
        operations=tuple(operations),
        stock=stock,
        warnings=_warnings(run),
        source=str(path),
    )


def _read(path: Path) -> bytes:
    """Return the text of the program; ProgramError if the file cannot be one."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ProgramError(f"{path.name} is larger than 512 MB; split the program")
        text = path.read_bytes()
    except OSError as error:
        raise ProgramError(f"{path.name} cannot be read: {error.strerror}") from error
    if not text.strip():
        raise ProgramError(f"{path.name} is empty; post the program again")
    if b"\0" in text[:65536]:
        raise ProgramError(f"{path.name} is not a program but a binary file; give a posted program (.ngc, .nc, .gcode)")
    return text


def _warnings(run: Interpreter) -> tuple[str, ...]:
    warnings = list(run.warnings)
    if run.units is None:
        warnings.insert(0, "the program has neither G20 nor G21; its lengths were read as mm")
    return tuple(warnings)


def _tool_changes(run: Interpreter) -> list[tuple[int, int]]:
    """Return block and tool number of every tool change. Without any M6, T itself is the change."""
    changes = [(event.line - 1, int(event.value)) for event in run.record.events if event.kind == EventKind.TOOL_CHANGE]
    return changes or run.selected


def _value_by_block(changes: Sequence[tuple[int, int]], blocks: int, first: int) -> Ints:
    """Return the value in force in each block, given (block, value) of each change in order, and the first value."""
    starts = [0, *(block for block, _ in changes)]
    values = [first, *(value for _, value in changes)]
    return np.repeat(np.array(values, np.int32), np.diff([*starts, blocks]))


def _tools(run: Interpreter, numbers: Sequence[int], given: Sequence[Tool]) -> tuple[Tool, ...]:
    """Return the tools that the program uses: as given, else as a comment describes it, else only with a number."""
    by_number = {tool.number: tool for tool in given}
    if not numbers:
        return tuple(given[:1])
    described = _described_tools(run)
    otherwise = by_number.get(None) or Tool(dc=None, shape=None)
    return tuple(
        by_number.get(number) or described.get(number) or replace(otherwise, number=number) for number in numbers
    )


def _described_tools(run: Interpreter) -> dict[int, Tool]:
    """Return the tools that the program's comments describe, by number."""
    described: dict[int, Tool] = {}
    for _, comment in run.comments:
        match = _FUSION_TOOL.match(comment)
        if match:
            tool = _fusion_tool(match, run.units or 1.0)
            described.setdefault(int(match["number"]), tool)
    return described


def _fusion_tool(match: re.Match[str], scale: float) -> Tool:
    word = match["shape"].lower()
    shape = _FUSION_SHAPES.get(word)
    dc = float(match["dc"]) * scale
    corner = float(match["re"] or 0.0) * scale
    taper = float(match["taper"] or 0.0)
    return Tool(
        dc=dc if dc > 0 else None,
        shape=shape,
        number=int(match["number"]),
        label=f"T{match['number']} {word}",
        shape_name=word,
        re=corner if shape in (Shape.BULL, Shape.BALL) and 0 < corner <= dc / 2 else None,
        sig=math.radians(taper) if shape is Shape.DRILL and 0 < taper < 180 else None,
    )


def _operations(
    run: Interpreter, changes: Sequence[tuple[int, int]], tool: Ints, name: str
) -> tuple[list[Operation], Ints]:
    """Return the program's operations, and the index of the operation of every block.

    An operation begins at a tool change, or at FreeCAD's comment "begin operation: …", which gives its label; else
    the tool gives it, and before the first of both the name of the program's file.
    """
    labels = {0: name}
    tools = [0, *(number for _, number in changes)]
    labels.update(
        {block: f"T{number}" for before, (block, number) in zip(tools, changes, strict=False) if number != before}
    )
    for block, comment in run.comments:
        match = _BEGIN.match(comment)
        if match:
            labels[block] = match[1]
    begins = np.array(sorted(labels))
    stretch = np.searchsorted(begins, np.arange(len(run.blocks)), side="right") - 1
    moving = np.unique(stretch[run.record.blocks[: run.record.made]])
    operations = [Operation(labels[int(block)], "Program", tool=int(tool[block])) for block in begins[moving]]
    # A stretch without moves is not an operation: only the others are numbered. (No move uses the index of its blocks.)
    return operations, np.searchsorted(moving, stretch).astype(np.int32)
