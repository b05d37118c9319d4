# SPDX-License-Identifier: LGPL-2.1-or-later
"""RS-274/NGC, the language of G-code, as LinuxCNC understands it: from text or stored commands to a toolpath.

``blocks`` splits a program or a list of commands into blocks, ``interpreter`` executes them, ``frame`` holds position
and offsets, ``cycles`` expands canned cycles, ``record`` collects the moves, ``refusals`` lists unsupported codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from freecad_camtwin.twin.job.command import PathCommand
from freecad_camtwin.twin.job.rs274.blocks import blocks_of_commands, blocks_of_text
from freecad_camtwin.twin.job.rs274.interpreter import Interpreter
from freecad_camtwin.twin.job.toolpath import Toolpath

__all__ = ["Interpreter", "Stream", "blocks_of_text", "interpret_program", "interpret_streams"]


@dataclass(frozen=True, slots=True)
class Stream:
    """The stored commands of one operation, with its tool and spindle speed in the document."""

    commands: Sequence[PathCommand]  #: (name, parameters) of each ``Path.Command``, in order
    label: str  #: name of the operation in a sentence
    operation: int  #: index into the job's operations, -1 for none (a tool change, a fixture)
    tool: int = -1  #: index into the job's tools, -1 for none
    n_rpm: float | None = None  #: the tool controller's spindle speed; None: the S words of the commands


def interpret_streams(
    streams: Sequence[Stream], *, start: tuple[float, float, float] | None = None
) -> tuple[Toolpath, tuple[str, ...]]:
    """Run FreeCAD's stored commands, stream after stream, and return the toolpath and warnings.

    Commands are as in ``Path.Command``: coordinates in mm, F in mm/s, arcs by I, J, K from their start,
    G90 unless a command says G91, comments as commands named "(text)". F of a G0 is that rapid's own speed and not
    the feed of later moves; an F of 0 is an unknown feed, an S of 0 an unknown speed. The modal state (position,
    motion, G98/G99, feed) continues from one stream to the next, as in the posted program; a stream without
    commands is allowed.

    Every move carries the operation and tool of its stream and the index of its command in ``commands`` (several
    moves share it where a canned cycle was expanded; those have ``cycle`` set). Canned cycles are G73, G81, G82,
    G83, G85 and G89. ``line`` is -1.

    start: first position of the tool [mm]. None: unknown; X and Y are then the first ones stated, Z the highest.

    Raises ProgramError "command 12 of 'Profile': …" for an unsupported command, ToolpathError for moves that no
    machine could make.
    """
    commands = [command for stream in streams for command in stream.commands]
    sizes = [len(stream.commands) for stream in streams]
    starts = np.cumsum([0, *sizes])
    owner = np.repeat(np.arange(len(streams)), sizes)

    def where(block: int) -> str:
        return f"command {block - starts[owner[block]]} of {streams[owner[block]].label!r}"

    interpreter = Interpreter(blocks_of_commands(commands, where), start=start)
    interpreter.run()
    operation = np.array([stream.operation for stream in streams], np.int32)[owner] if commands else owner
    command = np.arange(len(commands)) - starts[owner]
    tool = np.array([stream.tool for stream in streams], np.int32)[owner] if commands else owner
    speed = np.array([np.nan if stream.n_rpm is None else stream.n_rpm for stream in streams], float)[owner]
    path = interpreter.record.toolpath(operation=operation, command=command, tool=tool, n_rpm=speed)
    return path, interpreter.warnings


def interpret_program(
    text: bytes, *, start: tuple[float, float, float] | None = None, machine: tuple[float, float, float] | None = None
) -> Interpreter:
    """Run a posted program, one block per line, and return the interpreter. See ``Interpreter`` for the arguments."""
    interpreter = Interpreter(blocks_of_text(text), start=start, machine=machine)
    interpreter.run()
    return interpreter
