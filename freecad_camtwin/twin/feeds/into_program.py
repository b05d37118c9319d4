# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write a feed plan into the text of a program: new F words and split moves, every other byte unchanged.

A line whose feed changes gets another F, or a new F word if it had none; the first later feed line that relied on the
modal F gets its own F word. A split line becomes several: the first keeps number, comment and all other words.
Coordinates of split points are written in the program's own format (units, G90 or G91, centers relative or absolute),
radius arcs with I and J. A line that cannot be split without guessing gets its slowest feed as a whole.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from freecad_camtwin.errors import PlanError
from freecad_camtwin.twin.feeds.into_toolpath import pieces_of
from freecad_camtwin.twin.feeds.plan import Change, FeedPlan
from freecad_camtwin.twin.job.geometry import points_along
from freecad_camtwin.twin.job.job import Job
from freecad_camtwin.twin.job.toolpath import PLANE_AXES, MoveKind, Toolpath

_ENDS = re.compile(r"\r\n|\n|\r")
_COMMENT = re.compile(r"\([^)]*\)?|;.*")
_WORD = re.compile(r"([A-Za-z])[ \t]*([+-]?(?:\d+\.?\d*|\.\d+))")
_INCH = 25.4
#: G words that a split line may contain: they act once, before the motion.
_HARMLESS = {0, 1, 2, 3, 17, 18, 19, 20, 21, 40, 61, 64, 80, 90, 90.1, 91, 91.1, 94}
#: G words that change the meaning of coordinates.
_ELSEWHERE = {10, 28, 30, 43, 43.1, 49, 52, 53, 92, 92.1, 92.2, 92.3, *(54 + n for n in range(6)), 59.1, 59.2, 59.3}


def rewrite(text: bytes, job: Job, plan: FeedPlan) -> bytes:
    """Return the program ``text`` with the feeds of ``plan``; ``job`` was read from the same text.

    Raises PlanError where the plan was made for another toolpath, or names a line that the text does not have.
    """
    toolpath = job.toolpath
    if plan.toolpath != toolpath.hash:
        raise PlanError("the feed plan was made for another program: plan the feeds again")
    changes = [change for operation in plan.operations for change in operation.changes]
    pieces_of(toolpath, changes)
    source = text.decode("latin-1")
    lines, ends = _ENDS.split(source), [*_ENDS.findall(source), ""]
    by_line: dict[int, list[Change]] = {}
    for change in changes:
        if not 1 <= change.line <= len(lines):
            raise PlanError(f"{change.where} is not in the program, which has {len(lines)} lines")
        by_line.setdefault(change.line, []).append(change)
    newline = next((end for end in ends if end), "\n")
    first = np.searchsorted(toolpath.line, np.arange(len(lines) + 2))
    writer = _Writer(toolpath)
    written = []
    for number, (line, end) in enumerate(zip(lines, ends, strict=True), start=1):
        moves = range(int(first[number]), int(first[number + 1]))
        out = writer.line(line, moves, by_line.get(number, []))
        written.append(newline.join(out) + end)
    return "".join(written).encode("latin-1")


@dataclass(slots=True)
class _Line:
    """One line of the program with its words and their positions."""

    text: str
    words: list[tuple[str, float, int, int]]  #: letter, value, begin and end of the number in ``text``

    @classmethod
    def of(cls, text: str) -> "_Line":
        bare = _COMMENT.sub(lambda match: " " * len(match[0]), text)
        words = [(m[1].upper(), float(m[2]), m.start(2), m.end(2)) for m in _WORD.finditer(bare)]
        return cls(text, words)

    def value(self, letter: str) -> float | None:
        """The number of the last word with this letter."""
        return next((value for name, value, _, _ in reversed(self.words) if name == letter), None)

    @property
    def codes(self) -> set[float]:
        """All G numbers."""
        return {value for name, value, _, _ in self.words if name == "G"}

    def changed(self, new: dict[str, str | None], gap: str) -> str:
        """The text with other numbers behind the letters of ``new``; None removes the word, a new letter is added."""
        text, numbers = self.text, dict(new)
        at = self.words[-1][3] if self.words else len(text.rstrip())
        added = "".join(
            f"{gap}{letter}{number}"
            for letter, number in numbers.items()
            if number is not None and self.value(letter) is None
        )
        text = text[:at] + added + text[at:]
        for name, _, begin, end in reversed(self.words):
            if name in numbers and numbers[name] is None:
                head = text[:begin].rstrip(" \t")[:-1]
                text = (head.rstrip(" \t") if gap else head) + text[end:]
            elif name in numbers:
                text = f"{text[:begin]}{numbers[name]}{text[end:]}"
        return text


@dataclass(slots=True)
class _Writer:
    """The modal state between lines, and the modal feed of the written program."""

    path: Toolpath
    unit: float = 1.0  #: mm per unit
    absolute: bool = True
    absolute_centre: bool = False
    inverse: bool = False  #: G93
    feed: float | None = None  #: modal feed of the written program [mm/s]
    gap: str = " "  #: the program's separator of words
    point: bool = False  #: whether the program writes its F with a decimal point
    #: Program coordinate less toolpath coordinate of each axis [mm], None where not known.
    shift: list[float | None] = field(default_factory=lambda: [None, None, None])

    def line(self, text: str, moves: range, changes: Sequence[Change]) -> list[str]:
        """Return the lines that replace one."""
        line = _Line.of(text)
        self._obey(line)
        cuts = [move for move in moves if self.path.kind[move] != MoveKind.RAPID]
        if changes and not cuts:
            raise PlanError(f"{changes[0].where} has no feed move")
        written = self._feed_line(line, cuts, changes) if cuts else self._other_line(line)
        if moves and not self.path.cycle[moves[-1]]:
            self._learn(line, self.path.end[moves[-1]])
        elif not moves and moves.start < self.path.moves and line.codes <= _HARMLESS:
            # A move to the current position is not in the toolpath.
            self._learn(line, self.path.start[moves.start])
        return written

    def _obey(self, line: _Line) -> None:
        codes = line.codes
        if codes & _ELSEWHERE:
            self.shift = [None, None, None]
        if codes & {20.0, 21.0}:
            self.unit = _INCH if 20 in codes else 1.0
        for on, off, name in ((90, 91, "absolute"), (90.1, 91.1, "absolute_centre"), (93, 94, "inverse")):
            if codes & {on, off}:
                setattr(self, name, on in codes)
        if len(line.words) > 1:
            self.gap = " " if line.text[line.words[0][3]].isspace() else ""
        number = next((line.text[a:b] for letter, _, a, b in line.words if letter == "F"), None)
        if number is not None:
            self.point = "." in number

    def _other_line(self, line: _Line) -> list[str]:
        own = line.value("F")
        if own is not None:
            self.feed = own * self.unit / 60
        return [line.text]

    def _feed_line(self, line: _Line, cuts: list[int], changes: Sequence[Change]) -> list[str]:
        before = float(self.path.feed[cuts[0]])
        stretches = _stretches(changes, before)
        if len(stretches) == 1 or not self._can_split(line, cuts):
            feed = min(feed for _, _, feed in stretches)
            length = float(self.path.length[cuts[0]])
            return [self._with_feed(line, feed, before, length)]
        return list(self._split(line, cuts[0], stretches))

    def _with_feed(self, line: _Line, feed: float, before: float, length: float) -> str:
        """A whole line at one feed: a correct F word stays, and none is added if the modal feed is correct."""
        own = line.value("F") is not None
        same = math.isclose(feed, before, rel_tol=1e-9) or math.isnan(feed)
        is_right = same if own else self.feed is not None and math.isclose(self.feed, feed, rel_tol=1e-6)
        # Before the first written F, a line without F uses the program's own modal feed.
        is_right |= same and not own and self.feed is None
        if not is_right:
            text = line.changed({"F": self._number(feed, length)}, self.gap)
        self.feed = feed
        return line.text if is_right else text

    def _number(self, feed: float, length: float) -> str:
        """An F word's number for ``feed`` [mm/s] over ``length`` [mm], rounded down (six decimals aside)."""
        if self.inverse:
            return _decimal(60 * feed / length, 6) if length > 0 else "1"
        value, digits = feed * 60 / self.unit, 3 if self.unit == 1 else 4
        number = _decimal(math.floor(value * 10**digits + 0.05) / 10**digits, digits)
        return number + "." if self.point and "." not in number else number

    def _can_split(self, line: _Line, cuts: list[int]) -> bool:
        move = cuts[0]
        letters = {letter for letter, *_ in line.words}
        if len(cuts) > 1 or self.path.cycle[move] or letters & set("MPTSDHABCUVWL") or not line.codes <= _HARMLESS:
            return False
        is_arc = self.path.kind[move] == MoveKind.ARC
        if is_arc and self.absolute_centre and "R" in letters:
            return False
        axes = {axis for axis, letter in enumerate("XYZ") if letter in letters}
        axes |= set(PLANE_AXES[self.path.plane[move]][:2]) if is_arc else set()
        return not self.absolute or all(self.shift[axis] is not None for axis in axes)

    def _split(self, line: _Line, move: int, stretches: list[tuple[float, float, float]]) -> Iterator[str]:
        path = self.path
        length = float(path.length[move])
        ends = points_along(path, np.full(len(stretches), move), np.array([to for _, to, _ in stretches]) * length)
        ends[-1] = path.end[move]
        here = path.start[move]
        is_arc = path.kind[move] == MoveKind.ARC
        for index, ((at, to, feed), there) in enumerate(zip(stretches, ends, strict=True)):
            new: dict[str, str | None] = self._coordinates(line, move, here, there)
            if is_arc:
                new |= self._centre(line, move, here)
            new["F"] = self._number(feed, length * (to - at))
            if index == 0:
                yield line.changed(new, self.gap)
            else:
                code = 1 if not is_arc else 3 if path.sweep[move] > 0 else 2
                words = [f"G{code}", *(f"{letter}{number}" for letter, number in new.items() if number is not None)]
                yield self.gap.join(words)
            here = there
            self.feed = feed

    def _coordinates(self, line: _Line, move: int, here: np.ndarray, there: np.ndarray) -> dict[str, str | None]:
        """The axis words of a piece; only of axes that the line names, and of an arc's plane."""
        end = self.path.end[move]
        is_arc = self.path.kind[move] == MoveKind.ARC
        plane = PLANE_AXES[self.path.plane[move]][:2] if is_arc else ()
        new: dict[str, str | None] = {}
        for axis, letter in enumerate("XYZ"):
            own = line.value(letter)
            if own is None and axis not in plane:
                continue
            if not self.absolute:
                value = self._offset(line, move, axis, there) - self._offset(line, move, axis, here)
            elif own is not None:
                value = own - float(end[axis] - there[axis]) / self.unit
            else:
                value = (float(there[axis]) + (self.shift[axis] or 0.0)) / self.unit
            new[letter] = self._place(line, value)
        return new

    def _offset(self, line: _Line, move: int, axis: int, place: np.ndarray) -> float:
        """Offset of a point from the move's start in G91, rounded as written, so that pieces sum up to the move."""
        own = line.value("XYZ"[axis])
        if own is not None and place[axis] == self.path.end[move, axis]:
            return own
        return float(self._place(line, float(place[axis] - self.path.start[move, axis]) / self.unit))

    def _centre(self, line: _Line, move: int, here: np.ndarray) -> dict[str, str | None]:
        """The center words of a piece that begins at ``here``."""
        axes = PLANE_AXES[self.path.plane[move]][:2]
        if self.absolute_centre:
            own = {"IJK"[axis]: line.value("IJK"[axis]) for axis in axes}
            return {letter: self._place(line, value) for letter, value in own.items() if value is not None}
        offset = (self.path.centre[move] - here) / self.unit
        new: dict[str, str | None] = {"IJK"[axis]: self._place(line, float(offset[axis])) for axis in axes}
        return new | ({"R": None} if line.value("R") is not None else {})

    def _place(self, line: _Line, value: float) -> str:
        """A coordinate with the line's own decimals, and at least 4 (in inches 5)."""
        own = [line.text[a:b].partition(".")[2] for letter, _, a, b in line.words if letter in "XYZIJKR"]
        return _decimal(value, max([len(part) for part in own] + [4 if self.unit == 1 else 5]))

    def _learn(self, line: _Line, place: np.ndarray) -> None:
        """Update ``shift`` from the coordinates of a line and the point that it moves to."""
        if not self.absolute or line.codes & _ELSEWHERE:
            return
        for axis, letter in enumerate("XYZ"):
            own = line.value(letter)
            if own is not None:
                self.shift[axis] = own * self.unit - float(place[axis])


def _stretches(changes: Sequence[Change], before: float) -> list[tuple[float, float, float]]:
    """The whole line as (start, end, feed) without gaps."""
    stretches, at = [], 0.0
    for change in sorted(changes, key=lambda change: change.start):
        if change.start > at:
            stretches.append((at, change.start, before))
        stretches.append((change.start, change.end, change.feed_after))
        at = change.end
    return stretches if at >= 1 else [*stretches, (at, 1.0, before)]


def _decimal(value: float, digits: int) -> str:
    """A number without trailing zeros, never "-0" and never with an exponent."""
    text = f"{value:.{digits}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text
