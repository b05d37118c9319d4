# SPDX-License-Identifier: LGPL-2.1-or-later
"""From blocks of G-code to moves: the modes, offsets and cycles of RS-274/NGC as LinuxCNC understands them.

The kernel executes plain blocks and stops at any other. The words of that block are executed here in LinuxCNC's
order (feed mode, F, S, T, M words, planes, units, offsets, modes, motion, stop); then the kernel continues. A code
that is not supported raises ProgramError, naming the block: nothing is skipped.
"""

import math
from collections.abc import Sequence

import numpy as np

from camtwin_kernels import rs274 as kernels
from freecad_camtwin.errors import ProgramError
from freecad_camtwin.twin.base.arrays import Floats, Mask
from freecad_camtwin.twin.job.rs274 import cycles, refusals
from freecad_camtwin.twin.job.rs274.blocks import Blocks, Words
from freecad_camtwin.twin.job.rs274.frame import CoordinateFrame
from freecad_camtwin.twin.job.rs274.record import Record
from freecad_camtwin.twin.job.toolpath import PLANE_AXES, EventKind

_INCH = 25.4
_AXES = "XYZ"
_MOST_PECKS = 100_000  # of one block
_MOTIONS = {0, 10, 20, 30, 800} | {10 * number for number in cycles.NEEDS}
#: Allowed difference between an arc's two radii [mm]: 2·√2 of LinuxCNC's last digit, 0.01 mm or 0.001 inch.
_SPIRAL = {1.0: 2 * math.sqrt(2) * 0.01, _INCH: 2 * math.sqrt(2) * 0.001 * _INCH}


class Interpreter:
    """Executes blocks and keeps a ``record`` of moves and events, the comments and the warnings.

    start: first position of the tool [mm]; None if unknown (see ``record``)
    machine: machine zero and reference point in work coordinates [mm]; None if unknown: then the motion there
        (G28, G30, G53) is left out, with a warning
    """

    def __init__(
        self, blocks: Blocks, *, start: Sequence[float] | None = None, machine: Sequence[float] | None = None
    ) -> None:
        self.blocks = blocks
        self.record = Record(len(blocks))
        self.comments: list[tuple[int, str]] = []  # (block, text)
        self.selected: list[tuple[int, int]] = []  # (block, number) of each T word
        self.units: float | None = None  # mm per unit, None before the first G20 or G21
        self.frame = CoordinateFrame(start, machine)
        self._warnings: dict[str, None] = {}  # in order, each once
        self._modes = kernels.first_modes(blocks.stored, _SPIRAL[1.0])
        self._to_r = True  # LinuxCNC starts with G99
        self._cycle: dict[str, float] = {}  # words of the canned cycle in force
        self._level = np.nan  # height before the series of cycles in force
        self._tool = 0
        self._speed = np.nan
        self._turning = 0  # M3, M4, M5; 0 before the first of them
        self._fed_per_revolution = False
        self._coolant = 0  # 1 mist, 2 flood
        self._ended = False
        self._hold()

    @property
    def warnings(self) -> tuple[str, ...]:
        """One sentence for each assumption made."""
        return tuple(self._warnings)

    # -- the run ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Execute all blocks, up to the program's end."""
        self.record.cursor[1] = len(self.blocks)
        while not self._ended and self._follow() != kernels.DONE:
            self._execute(int(self.record.cursor[0]))
        self.record.settle()

    def _follow(self) -> int:
        """Let the kernel continue to the end or to a block that is not plain."""
        blocks, record, frame = self.blocks, self.record, self.frame
        record.reserve(int(record.cursor[1] - record.cursor[0]))
        while True:
            status = kernels.follow_program(
                blocks.values, blocks.motion, blocks.plain, self._modes, frame.position, frame.offset,
                record.cursor, record.moves, record.kinds, record.blocks,
            )  # fmt: skip
            if status in (kernels.DONE, kernels.NOT_PLAIN):
                return status
            block = int(record.cursor[0])
            if status != kernels.UNKNOWN_POSITION:
                raise self._refuse(block, refusals.MOTION_CODES[status])
            self._assume_zero(block)

    def _refuse(self, block: int, sentence: str) -> ProgramError:
        return ProgramError(f"{self.blocks.where(block)}: {sentence}")

    def _assume_zero(self, block: int) -> None:
        """Set unknown axes to program zero, because an arc or an incremental move needs a start."""
        if not self.frame.assume_zero():
            raise self._refuse(block, refusals.FROM_REFERENCE)
        self._warnings.setdefault(
            f"{self.blocks.where(block)} starts from a position that the program does not state; zero is assumed"
        )

    # -- one block that is not plain ----------------------------------------------------------------------------

    def _execute(self, block: int) -> None:
        """Execute one block, word by word in LinuxCNC's order."""
        words = self.blocks.words(block)
        self._ended = words.ends
        refusals.check_words(words, self.blocks.where(block))
        self.comments += [(block, comment) for comment in words.comments]
        if self.units is None:
            self._set_units(words)
        self._set_feed(words)
        self._set_spindle_speed(words, block)
        self._change_tool(words, block)
        self._switch(words, block)
        self._dwell(words, block)
        self._set_units(words)
        self._set_tool_length(words)
        self._select_system(words)
        self._set_path_mode(words, block)
        self._set_modes(words)
        if not self._carry_out_offset(words, block):
            self._move(words, block)
        self._stop(words, block)
        self.record.cursor[0] = block + 1

    def _line(self, block: int) -> int:
        return -1 if self.blocks.stored else block + 1

    def _set_feed(self, words: Words) -> None:
        """G93 to G95 and F. The kernel handles F of a stored rapid, and F under G93."""
        modes = self._modes
        for g in words.g:
            if g in (930, 940, 950):
                modes[kernels.INVERSE_TIME] = g == 930
                modes[kernels.FEED] = np.nan
                self._fed_per_revolution = g == 950
                per_unit = 1.0 if self._fed_per_revolution or self.blocks.stored else 1 / 60
                modes[kernels.FEED_SCALE] = modes[kernels.SCALE] * per_unit
        of_a_rapid = self.blocks.stored and self._motion_of(words) == 0
        if "F" in words.values and not modes[kernels.INVERSE_TIME] and not of_a_rapid:
            feed = words.values.pop("F")
            modes[kernels.FEED] = feed * modes[kernels.FEED_SCALE] if feed > 0 else np.nan

    def _set_spindle_speed(self, words: Words, block: int) -> None:
        if "S" in words.values:
            self._speed = words.values["S"] if words.values["S"] > 0 else np.nan
            if self._turning in (3, 4):
                self._note_spindle(block)
        self._modes[kernels.PER_REVOLUTION] = self._speed / 60 if self._fed_per_revolution else 1.0
        self._hold()

    def _note_spindle(self, block: int) -> None:
        speed = {3: self._speed, 4: -self._speed, 5: 0.0}[self._turning]
        self.record.event(EventKind.SPINDLE, speed, self._line(block))

    def _hold(self) -> None:
        """Set plane and speed for the moves that follow."""
        self.record.hold(int(self._modes[kernels.PLANE]), 0.0 if self._turning == 5 else self._speed)

    def _change_tool(self, words: Words, block: int) -> None:
        if "T" in words.values:
            self._tool = round(words.values["T"])
            self.selected.append((block, self._tool))
        for m in words.m:
            if m == 61:
                self._tool = round(words.values.get("Q", self._tool))
            if m in (6, 61):
                self.record.event(EventKind.TOOL_CHANGE, self._tool, self._line(block))

    def _switch(self, words: Words, block: int) -> None:
        """Spindle and coolant."""
        for m in words.m:
            if m in (3, 4, 5):
                self._turning = m
                self._note_spindle(block)
                self._hold()
            elif m in (7, 8, 9):
                self._coolant = 0 if m == 9 else self._coolant | (m - 6)
                self.record.event(EventKind.COOLANT, self._coolant, self._line(block))

    def _dwell(self, words: Words, block: int) -> None:
        """G4 P, in seconds. Fanuc's G4 X is the same."""
        if 40 in words.g:
            seconds = words.values.pop("P", None)
            if seconds is None:
                seconds = words.values.pop("X", -1.0)
            if seconds < 0:
                raise self._refuse(block, "G4 has no duration; give it P in seconds")
            self.record.event(EventKind.DWELL, seconds, self._line(block))

    def _set_units(self, words: Words) -> None:
        """G20 and G21. A feed in force does not change; the block's own F is in the old unit, as in LinuxCNC.

        Only in the block of a program's first G20 or G21 is F in the new unit: before it, there was no unit.
        """
        modes = self._modes
        for g in words.g:
            if g in (200, 210):
                scale = _INCH if g == 200 else 1.0
                self.units = self.units or scale
                modes[kernels.FEED_SCALE] *= scale / modes[kernels.SCALE]
                modes[kernels.SCALE] = scale
                modes[kernels.SPIRAL] = _SPIRAL[scale]

    def _set_tool_length(self, words: Words) -> None:
        """G43.1 states a length; one from the machine's table (G43 H) leaves the tip at the programmed position."""
        for g in words.g:
            if g == 431:
                self.frame.set_tool_length(words.values.pop("Z", 0.0) * float(self._modes[kernels.SCALE]))
            elif g in (430, 490):
                self.frame.set_tool_length(0.0)

    def _select_system(self, words: Words) -> None:
        for g in words.g:
            if g in refusals.SYSTEMS and not self.frame.select(refusals.SYSTEMS[g]) and self.record.made:
                self._warnings.setdefault(
                    "the program changes work offsets without stating them; all are taken as the same"
                )

    def _set_path_mode(self, words: Words, block: int) -> None:
        for g in words.g:
            if g in (610, 611, 640):
                scale = float(self._modes[kernels.SCALE])
                given = words.values if g == 640 else {}
                tolerance, naive = (given[letter] * scale if letter in given else None for letter in "PQ")
                self.record.event(EventKind.PATH_MODE, g / 10, self._line(block), tolerance, naive)

    def _set_modes(self, words: Words) -> None:
        for g in words.g:
            if g in (170, 180, 190):
                self._modes[kernels.PLANE] = (g - 170) // 10
                self._hold()
            elif g in (900, 910):
                self._modes[kernels.INCREMENTAL] = g == 910
            elif g in (901, 911):
                self._modes[kernels.ARC_ABSOLUTE] = g == 901
            elif g in (980, 990):
                self._to_r = g == 990

    def _stop(self, words: Words, block: int) -> None:
        for m in words.m:
            if m in (0, 1, 60):
                self.record.event(EventKind.STOP, m, self._line(block))
            elif m in (2, 30):
                self.record.event(EventKind.END, m, self._line(block))
                self._ended = not self.blocks.stored

    # -- codes that use the axis words ------------------------------------------------------------------------------

    def _points(self, words: Words) -> Floats:
        """The axis words [mm], NaN where absent."""
        return np.array([words.values.get(axis, np.nan) for axis in _AXES]) * float(self._modes[kernels.SCALE])

    def _carry_out_offset(self, words: Words, block: int) -> bool:
        """Execute codes that change offsets or go to a reference point; return False if the block has none."""
        points = self._points(words)
        for g in words.g:
            if g == 100:
                self._set_system(words, points, block)
            elif g in (280, 300):
                self._go_to_reference(g // 10, points, block)
            elif g in (281, 301):
                self.frame.references[g // 10] = self.frame.position.copy()
            elif g in (520, 920, 921, 922, 923):
                self._shift(g, points, block)
            else:
                continue
            return True
        return False

    def _set_system(self, words: Words, points: Floats, block: int) -> None:
        kind, number = words.values.get("L"), round(words.values.get("P", 0.0))
        if kind not in (2, 20) or not 0 <= number <= 9 or "R" in words.values:
            raise self._refuse(block, "only G10 L2 and L20 without R are followed; set tool tables at the machine")
        self.frame.set_system(number, points, kind == 20)

    def _shift(self, g: int, points: Floats, block: int) -> None:
        if g == 520:
            self.frame.shift_to(points)
        elif g == 920:
            if np.isnan(self.frame.position[~np.isnan(points)]).any():
                self._assume_zero(block)
            self.frame.stand_at(points)
        elif g == 923:
            self.frame.resume_shift()
        else:
            self.frame.end_shift(keep=g == 922)

    def _go_to_reference(self, number: int, points: Floats, block: int) -> None:
        """G28 and G30: via a point to the machine's reference point, on the given axes, or on all."""
        given = ~np.isnan(points)
        if given.any():
            self._straight(block, self.frame.target(points, bool(self._modes[kernels.INCREMENTAL])), None)
        else:
            given[:] = True
        self._go_to_machine_point(self.frame.references[number], given, None, block)

    def _go_to_machine_point(self, point: Floats | None, given: Mask, feed: float | None, block: int) -> None:
        if point is not None:
            self._straight(block, self.frame.in_machine(point, given), feed)
            return
        self.frame.lose(given)
        self._warnings.setdefault(
            f"{self.blocks.where(block)} goes to a machine position that is unknown; the motion to it is left out"
        )

    def _straight(self, block: int, end: Floats, feed: float | None, cycle: int = 0) -> None:
        self.record.straight(block, self.frame.position, end, feed, cycle)
        self.frame.position[:] = end

    @property
    def _feed(self) -> float:
        return float(self._modes[kernels.FEED] * self._modes[kernels.PER_REVOLUTION])

    # -- motion -----------------------------------------------------------------------------------------------

    def _motion_of(self, words: Words) -> int:
        """Return the motion of a block: its own, else the one in force; -1 for none."""
        motions = [g // 10 for g in words.g if g in _MOTIONS]
        motion = motions[-1] if motions else int(self._modes[kernels.MOTION])
        return -1 if motion == 80 else motion

    def _move(self, words: Words, block: int) -> None:
        """Make the block's motion: by the kernel, by a cycle, or in machine coordinates."""
        motion, before = self._motion_of(words), int(self._modes[kernels.MOTION])
        self._modes[kernels.MOTION] = motion
        if motion != before:
            self._cycle = {}
        given = set(words.values)
        if not given & set("XYZ") and not (2 <= motion <= 3 and given & set("IJK")):
            return
        if motion < 0:
            raise self._refuse(block, "X, Y or Z without a motion in force; put G0 or G1 in front")
        if motion in cycles.NEEDS:
            if before not in cycles.NEEDS:
                self._level = np.nan
            self._drill(words, block, motion)
        elif 530 in words.g:
            self._move_in_machine_coordinates(words, block, motion)
        else:
            self._move_plainly(words, block)

    def _move_plainly(self, words: Words, block: int) -> None:
        """Let the kernel make the motion of a block whose other words have been executed."""
        self.blocks.values[block] = [words.values.get(letter, np.nan) for letter in "XYZIJKRFP"]
        self.blocks.plain[block] = 1
        cursor = self.record.cursor
        last = int(cursor[1])
        cursor[1] = block + 1
        self._follow()
        cursor[1] = last

    def _move_in_machine_coordinates(self, words: Words, block: int, motion: int) -> None:
        """G53: in this block, coordinates are machine coordinates."""
        if motion not in (0, 1) or self._modes[kernels.INCREMENTAL]:
            raise self._refuse(block, "G53 needs G0 or G1 and G90; post this motion in work coordinates")
        points, machine = self._points(words), self.frame.machine
        feed = None if motion == 0 else self._feed
        self._go_to_machine_point(None if machine is None else points + machine, ~np.isnan(points), feed, block)

    def _drill(self, words: Words, block: int, number: int) -> None:
        """Run a canned cycle at the block's point; with L several times, under G91 each from the last."""
        normal = PLANE_AXES[int(self._modes[kernels.PLANE])][2]
        incremental = bool(self._modes[kernels.INCREMENTAL])
        if incremental and np.isnan(self.frame.position).any():
            self._assume_zero(block)
        if np.isnan(self._level):
            self._level = float(self.frame.position[normal])
        drilling = self._drilling(words, block, number, normal)
        points = self._points(words)
        points[normal] = np.nan
        repeats = round(words.values.get("L", 1.0))
        pecks = (drilling.r - drilling.bottom) / drilling.peck if drilling.peck else 1.0
        if repeats < 1 or repeats * pecks > _MOST_PECKS:
            raise self._refuse(block, f"L{repeats} at {pecks:.0f} pecks a hole is out of range; correct L or Q")
        holes = [self.frame.target(points, incremental)]
        for _ in range(repeats - 1):
            holes.append(holes[-1] + np.nan_to_num(points) if incremental else holes[-1])
        for kind, value in drilling.actions(self.frame.position.copy(), self._level, normal, holes):
            if kind == "dwell":
                self.record.event(EventKind.DWELL, float(value), self._line(block))
            else:
                self._straight(block, np.asarray(value), self._feed if kind == "feed" else None, number)

    def _drilling(self, words: Words, block: int, number: int, normal: int) -> cycles.DrillingCycle:
        """Return the cycle with its words; words that the block does not repeat keep their values."""
        depth = _AXES[normal]
        self._cycle |= {letter: words.values[letter] for letter in depth + "RQP" if letter in words.values}
        incremental = bool(self._modes[kernels.INCREMENTAL])
        base = self._level if incremental else float(self.frame.offset[normal])
        try:
            return cycles.drilling(
                number, self._cycle, depth, float(self._modes[kernels.SCALE]), base, incremental, self._to_r
            )
        except ValueError as error:
            raise self._refuse(block, str(error)) from error
