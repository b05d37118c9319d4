# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two sources of G-code, the text of a posted program and FreeCAD's stored commands, as one table of blocks."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels import rs274 as kernels
from freecad_camtwin.errors import ProgramError
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.job.command import PathCommand

_SPACES = re.compile(r"[ \t\r\f\v]+")
_WORD = re.compile(r"([A-Z@^])([+-]?(?:\d+\.?\d*|\.\d+))")
_COMMENT = re.compile(r"\(([^()]*)\)|;(.*)")
_NOT_A_NUMBER = "{} is not a number; recompute the operation"
_PROGRAM_NAME = re.compile(r"O\d+")
_LETTERS = frozenset("XYZIJKRFSTHDLPQN")
_REFUSED = {
    "#": "uses parameters (#)",
    "[": "uses an expression in brackets",
    "O": "uses an o-word (subprogram or loop)",
    "A": "moves a rotary axis",
    "B": "moves a rotary axis",
    "C": "moves a rotary axis",
    "U": "moves a secondary axis",
    "V": "moves a secondary axis",
    "W": "moves a secondary axis",
    "@": "uses polar coordinates",
    "^": "uses polar coordinates",
}
_WAY_OUT = {
    "#": "post it as plain G-code, without parameters",
    "[": "post it with the numbers worked out",
    "O": "post it as plain G-code, without subprograms",
    "@": "post it with X and Y",
    "^": "post it with X and Y",
}


@dataclass(slots=True)
class Words:
    """One block, word by word."""

    g: list[int] = field(default_factory=list)  #: G numbers in tenths: G43.1 is 431
    m: list[int] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)  #: the other letters
    comments: list[str] = field(default_factory=list)
    ends: bool = False  #: a "%" after the program


@dataclass(frozen=True)
class Blocks:
    """A program or a list of commands, block by block. The arrays are the kernels' (``camtwin_kernels.rs274``)."""

    values: Floats  #: (blocks, 9) X Y Z I J K R F P in the source's units, NaN where absent
    motion: NDArray[np.int8]  #: (blocks,) 0 to 3, -1 where the block names none of G0 to G3
    plain: NDArray[np.uint8]  #: (blocks,) whether the block has nothing but values and motion
    words: Callable[[int], Words]  #: any block, word by word; raises ProgramError
    where: Callable[[int], str]  #: the name of a block in a sentence
    stored: bool  #: FreeCAD's stored commands: mm, mm/s, rapids with their own F

    def __len__(self) -> int:
        return len(self.plain)


def blocks_of_text(text: bytes) -> Blocks:
    """Split a program into blocks, one per physical line; any of LF, CRLF and CR ends a line."""
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    characters = np.frombuffer(text, np.uint8)
    lines = text.count(b"\n") + (not text.endswith(b"\n"))
    values = np.full((lines, kernels.WORDS), np.nan)
    motion = np.full(lines, -1, np.int8)
    plain = np.empty(lines, np.uint8)
    starts = np.empty(lines + 1, np.int64)
    kernels.scan(characters, starts, values, motion, plain)

    def words(block: int) -> Words:
        line = text[starts[block] : starts[block + 1]].decode("utf-8", "replace")
        if line.lstrip().startswith("%"):
            return Words(ends=bool(text[: starts[block]].strip()))
        return words_of_line(line, f"line {block + 1}")

    return Blocks(values, motion, plain, words, lambda block: f"line {block + 1}", stored=False)


def blocks_of_commands(commands: Sequence[PathCommand], where: Callable[[int], str]) -> Blocks:
    """Return FreeCAD's stored commands as blocks, one per command."""
    values = np.full((len(commands), kernels.WORDS), np.nan)
    motion = np.full(len(commands), -1, np.int8)
    plain = np.zeros(len(commands), np.uint8)
    column = {letter: index for index, letter in enumerate("XYZIJKRF")}
    for block, (name, parameters) in enumerate(commands):
        number = _PLAIN_NAMES.get(name)
        if number is not None and parameters.keys() <= column.keys():
            plain[block] = 1
            motion[block] = number
            for letter, value in parameters.items():
                if not math.isfinite(value):
                    raise ProgramError(f"{where(block)}: {_NOT_A_NUMBER.format(letter)}")
                values[block, column[letter]] = value
    return Blocks(values, motion, plain, lambda block: _words_of_command(commands[block], where(block)), where, True)


_PLAIN_NAMES = {f"{letter}{zero}{n}": n for letter in "Gg" for zero in ("", "0") for n in range(4)}


def words_of_line(line: str, where: str) -> Words:
    """Split one line into words. Raises ProgramError naming ``where`` if it is not supported.

    A leading "/" (block delete) is ignored: the block is executed, as with the machine's switch off. A line of only
    O and a number is a program's name on Fanuc's controllers.
    """
    words = Words()

    def keep(match: re.Match[str]) -> str:
        words.comments.append(match[1] if match[1] is not None else match[2])
        return ""

    code = _SPACES.sub("", _COMMENT.sub(keep, line.rstrip("\n"))).upper()
    if code.startswith("/"):
        code = code[1:]
    if _PROGRAM_NAME.fullmatch(code):
        return words
    at = 0
    while at < len(code):
        match = _WORD.match(code, at)
        if match is None or match[1] in _REFUSED:
            raise ProgramError(f"{where}: {_why_not(code, at)}")
        _add_word(words, match[1], float(match[2]), where)
        at = match.end()
    return words


def _why_not(code: str, at: int) -> str:
    """Return what at position ``at`` is not supported, and the remedy."""
    parameter = "#" if "#" in code[at : at + 3] else "[" if code[at + 1 : at + 2] == "[" else code[at]
    if parameter in _REFUSED:
        way_out = _WAY_OUT.get(parameter, "post the program for three axes")
        return f"the program {_REFUSED[parameter]}, which is not followed here; {way_out}"
    shown = code[at : at + 12]
    return f"{shown!r} is not a word of G-code; correct the line, or check that the file is a program"


def _words_of_command(command: PathCommand, where: str) -> Words:
    """Split one stored command into words; a name in parentheses is a comment, an empty name is ignored."""
    name, parameters = command[0].strip(), command[1]
    words = words_of_line(name, where)
    for letter, value in parameters.items():
        if letter in "ABCUVW" and value == 0:
            continue
        if letter in _REFUSED:
            raise ProgramError(f"{where}: the path {_REFUSED[letter]}, which is not followed here; use three axes")
        if not math.isfinite(value):
            raise ProgramError(f"{where}: {_NOT_A_NUMBER.format(letter)}")
        _add_word(words, letter, float(value), where)
    return words


def _add_word(words: Words, letter: str, value: float, where: str) -> None:
    """Add one word to ``words``."""
    if letter == "G":
        words.g.append(round(value * 10))
    elif letter == "M":
        words.m.append(round(value))
    elif letter not in _LETTERS:
        raise ProgramError(f"{where}: {letter} is not a word that is followed here; leave it out")
    elif letter in words.values:
        raise ProgramError(f"{where}: {letter} is given twice in one block; keep one of them")
    else:
        words.values[letter] = value
