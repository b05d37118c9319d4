# SPDX-License-Identifier: LGPL-2.1-or-later
"""From blocks of G-code to moves: the modes, offsets and cycles of RS-274/NGC as LinuxCNC understands them.

The kernel follows plain blocks by itself and stops at any other; here that block's words are carried out in
the order LinuxCNC does (feed mode, F, S, T, M words, planes, units, offsets, modes, motion, stop), and the kernel
goes on. What is not understood is refused with ProgramError, naming the block: nothing is skipped.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels import rs274 as kernels
from freecad_camtwin.errors import ProgramError
from freecad_camtwin.twin.rs274 import cycles, refusals
from freecad_camtwin.twin.rs274.blocks import Blocks, Words
from freecad_camtwin.twin.rs274.record import Record
from freecad_camtwin.twin.toolpath import PLANE_AXES, EventKind

_INCH = 25.4
_AXES = "XYZ"
_MOTIONS = {0, 10, 20, 30, 800} | {10 * number for number in cycles.NEEDS}
#: How far apart an arc's two radii may lie without question [mm]: 2·√2 of LinuxCNC's last digit, 0.01 mm or 0.001 inch.
_SPIRAL = {1.0: 2 * math.sqrt(2) * 0.01, _INCH: 2 * math.sqrt(2) * 0.001 * _INCH}


class Interpreter:
    """Runs blocks and keeps what they leave: a ``record`` of moves and events, comments, warnings.

    start: where the tool stands at first [mm]; None if that is not known (see ``Record``)
    machine: where the machine's zero and reference point lie in work coordinates [mm]; None if that is not known:
        then the way there (G28, G30, G53) is left out, with a warning
    """

    def __init__(
        self, blocks: Blocks, *, start: Sequence[float] | None = None, machine: Sequence[float] | None = None
    ) -> None:
        self.blocks = blocks
        self.record = Record(len(blocks))
        self.comments: list[tuple[int, int, str]] = []  # (moves made before it, block, text)
        self.selected: list[tuple[int, int, int]] = []  # (moves made before it, block, number) of each T word
        self.warnings: list[str] = []
        self.units: float | None = None  # mm per unit, once G20 or G21 said so
        self.modes = np.zeros(kernels.MODES)
        self.modes[kernels.MOTION] = -1
        self.modes[kernels.SCALE] = 1.0
        self.modes[kernels.FEED] = np.nan
        self.modes[kernels.FEED_SCALE] = 1.0 if blocks.stored else 1 / 60
        self.modes[kernels.PER_REVOLUTION] = 1.0
        self.modes[kernels.STORED] = blocks.stored
        self.modes[kernels.SPIRAL] = _SPIRAL[1.0]
        self.position = np.full(3, np.nan) if start is None else np.array(start, float)
        self.offset = np.zeros(3)
        self._machine = None if machine is None else np.array(machine, float)
        self._references: dict[int, NDArray[np.float64] | None] = {28: self._machine, 30: self._machine}
        self._lost = np.zeros(3, bool)  # axes at the machine's reference point, wherever that is
        self._systems = np.zeros((9, 3))  # G54 to G59.3
        self._system = 0
        self._shift = np.zeros(3)  # G92, G52
        self._kept_shift = np.zeros(3)  # for G92.3
        self._tool_length = 0.0
        self._retract_to_r = True  # LinuxCNC starts with G99
        self._cycle: dict[str, float] = {}
        self._tool = 0
        self._speed = np.nan
        self._fed_per_revolution = False
        self._turning = 0  # M3, M4, M5; 0 as long as none was given
        self._mist, self._flood = False, False
        self._ended = False
        self.record.hold(0, np.nan)

    # -- the run ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Follow all blocks, up to the program's end."""
        cursor = self.record.cursor
        cursor[1] = len(self.blocks)
        while not self._ended:
            status = self._follow()
            if status == kernels.DONE:
                break
            block = int(cursor[0])
            if status == kernels.NOT_PLAIN:
                self._execute(block)
            elif status == kernels.UNKNOWN_POSITION:
                self._assume_zero(block)
            else:
                self._refuse_motion(status, block)

    def _follow(self) -> int:
        blocks, record = self.blocks, self.record
        record.reserve(int(record.cursor[1] - record.cursor[0]))
        return int(
            kernels.follow(
                blocks.values, blocks.motion, blocks.plain, self.modes, self.position, self.offset,
                record.cursor, record.moves, record.kinds, record.blocks,
            )
        )  # fmt: skip

    def _refuse(self, block: int, sentence: str) -> ProgramError:
        return ProgramError(f"{self.blocks.where(block)}: {sentence}")

    def _refuse_motion(self, status: int, block: int) -> None:
        raise self._refuse(block, refusals.MOTION[status])

    def _assume_zero(self, block: int) -> None:
        """Take unknown axes as program zero, where an arc or an incremental move has to start somewhere."""
        unknown = np.isnan(self.position)
        if (unknown & self._lost).any():
            raise self._refuse(block, refusals.FROM_REFERENCE)
        self.position[unknown] = self.offset[unknown]
        self.warnings.append(f"{self.blocks.where(block)} starts from a place the program never named; zero was taken")

    # -- one block that is not plain ----------------------------------------------------------------------------

    def _execute(self, block: int) -> None:
        """Carry out one block, word by word in LinuxCNC's order."""
        words = self.blocks.words(block)
        self._ended = words.ends
        refusals.check(words, self.blocks.where(block))
        if self.units is None:
            self._say_units(words)
        self.comments += [(self.record.made, block, comment) for comment in words.comments]
        self._feed_and_speed(words, block)
        self._machine_words(words, block)
        if 40 in words.g:
            self._dwell(words, block)
            words.values = {key: value for key, value in words.values.items() if key not in "XP"}
        self._modal_words(words, block)
        self._offsets_and_motion(words, block)
        self._stops(words, block)
        self.record.cursor[0] = block + 1

    def _feed_and_speed(self, words: Words, block: int) -> None:
        modes, values = self.modes, words.values
        for g in words.g:
            if g in (930, 940, 950):
                modes[kernels.INVERSE_TIME] = g == 930
                self._per_revolution(g == 950)
                modes[kernels.FEED] = np.nan
        feed = values.get("F")
        of_a_rapid = self.blocks.stored and self._motion_of(words) == 0
        if feed is not None and not modes[kernels.INVERSE_TIME] and not of_a_rapid:
            modes[kernels.FEED] = feed * modes[kernels.FEED_SCALE] if feed > 0 else np.nan
            del values["F"]
        if "S" in values:
            self._speed = values["S"] if values["S"] > 0 else np.nan
            self._spindle(block)

    def _motion_of(self, words: Words) -> int:
        """The motion a block makes: its own, else the one in force; -1 for none."""
        motions = [g // 10 for g in words.g if g in _MOTIONS]
        motion = motions[-1] if motions else int(self.modes[kernels.MOTION])
        return -1 if motion == 80 else motion

    def _per_revolution(self, on: bool) -> None:
        """Let F count per revolution (G95) or per minute."""
        scale = self.modes[kernels.SCALE]
        self.modes[kernels.FEED_SCALE] = scale * (1.0 if on or self.blocks.stored else 1 / 60)
        self.modes[kernels.PER_REVOLUTION] = self._speed / 60 if on else 1.0
        self._fed_per_revolution = on

    def _spindle(self, block: int) -> None:
        """Note that the spindle's programmed speed is another now."""
        if self._fed_per_revolution:
            self.modes[kernels.PER_REVOLUTION] = self._speed / 60
        if self._turning:
            value = {3: self._speed, 4: -self._speed, 5: 0.0}[self._turning]
            self.record.event(EventKind.SPINDLE, value, self._line(block))
        self._hold()

    def _hold(self) -> None:
        self.record.hold(int(self.modes[kernels.PLANE]), 0.0 if self._turning == 5 else self._speed)

    def _line(self, block: int) -> int:
        return -1 if self.blocks.stored else block + 1

    def _machine_words(self, words: Words, block: int) -> None:
        """T, M6, spindle and coolant."""
        if "T" in words.values:
            self._tool = round(words.values["T"])
            self.selected.append((self.record.made, block, self._tool))
        for m in words.m:
            if m == 6:
                self.record.event(EventKind.TOOL_CHANGE, self._tool, self._line(block))
            elif m == 61:
                self._tool = round(words.values.get("Q", self._tool))
                self.record.event(EventKind.TOOL_CHANGE, self._tool, self._line(block))
            elif m in (3, 4, 5):
                self._turning = m
                self._spindle(block)
            elif m in (7, 8, 9):
                self._mist = m == 7 or (self._mist and m != 9)
                self._flood = m == 8 or (self._flood and m != 9)
                self.record.event(EventKind.COOLANT, self._mist + 2 * self._flood, self._line(block))

    def _dwell(self, words: Words, block: int) -> None:
        seconds = words.values.get("P", words.values.get("X"))
        if seconds is None or seconds < 0:
            raise self._refuse(block, "G4 does not say how long; give it P with the seconds")
        self.record.event(EventKind.DWELL, seconds, self._line(block))

    def _modal_words(self, words: Words, block: int) -> None:
        modes = self.modes
        self._say_units(words)
        for g in words.g:
            if g in (170, 180, 190):
                modes[kernels.PLANE] = (g - 170) // 10
                self._hold()
            elif g in (610, 611, 640):
                tolerance, naive = (words.values.get(letter) for letter in "PQ")
                scale = float(modes[kernels.SCALE])
                self.record.event(
                    EventKind.PATH_MODE,
                    g / 10,
                    self._line(block),
                    None if tolerance is None or g != 640 else tolerance * scale,
                    None if naive is None or g != 640 else naive * scale,
                )
            elif g in (900, 910):
                modes[kernels.INCREMENTAL] = g == 910
            elif g in (901, 911):
                modes[kernels.ARC_ABSOLUTE] = g == 901
            elif g in (980, 990):
                self._retract_to_r = g == 990
            elif g in (430, 431, 490):
                self._set_tool_length(words.values.pop("Z", None) if g == 431 else 0.0)
        self._select_system(words)

    def _say_units(self, words: Words) -> None:
        """G20 and G21. A feed in force stays what it is; as in LinuxCNC, the block's own F still counts in the old unit.

        Only a program's first G20 or G21 counts for the F beside it: before it, there was no unit.
        """
        modes = self.modes
        for g in words.g:
            if g in (200, 210):
                scale = _INCH if g == 200 else 1.0
                self.units = self.units or scale
                modes[kernels.FEED_SCALE] *= scale / modes[kernels.SCALE]
                modes[kernels.SCALE] = scale
                modes[kernels.SPIRAL] = _SPIRAL[scale]

    def _set_tool_length(self, length: float | None) -> None:
        """Keep a length that the program itself states (G43.1); one from the machine's table changes nothing here."""
        new = 0.0 if length is None else length * float(self.modes[kernels.SCALE])
        self.position[2] -= new - self._tool_length
        self._tool_length = new

    def _select_system(self, words: Words) -> None:
        """G54 to G59.3: one zero for all of them, unless G10 says where they lie."""
        for g in words.g:
            system = refusals.SYSTEMS.get(g)
            if system is None:
                continue
            if system != self._system and not self._systems.any() and self.record.made:
                warning = "the program changes between work offsets (G54 …) without saying where they lie; all were taken as one"
                if warning not in self.warnings:
                    self.warnings.append(warning)
            self._system = system
            self._settle_offset()

    def _settle_offset(self) -> None:
        self.offset[:] = self._systems[self._system] + self._shift

    # -- offsets, reference points, motion ----------------------------------------------------------------------

    def _offsets_and_motion(self, words: Words, block: int) -> None:
        """Hand the axis words to whatever in the block wants them."""
        for g in words.g:
            if g == 100:
                self._set_system(words, block)
            elif g in (280, 300):
                self._to_reference(words, g // 10)
            elif g in (281, 301):
                self._references[g // 10] = self.position.copy()
            elif g == 520 or 920 <= g <= 923:
                self._set_shift(words, g, block)
            else:
                continue
            return
        self._move(words, block)

    def _points(self, words: Words) -> NDArray[np.float64]:
        """The axis words [mm], NaN where absent."""
        return np.array([words.values.get(axis, np.nan) for axis in _AXES]) * self.modes[kernels.SCALE]

    def _set_system(self, words: Words, block: int) -> None:
        """G10 L2 and L20: say where a work coordinate system lies."""
        kind, number = words.values.get("L"), round(words.values.get("P", 0.0))
        if kind not in (2, 20) or not 0 <= number <= 9 or "R" in words.values:
            raise self._refuse(block, "only G10 L2 and L20 without R are followed; set tool tables at the machine")
        system = self._system if number == 0 else number - 1
        points = self._points(words)
        given = ~np.isnan(points)
        if kind == 20:
            points = np.where(np.isnan(self.position), 0.0, self.position) - self._shift - points
        self._systems[system, given] = points[given]
        self._settle_offset()

    def _set_shift(self, words: Words, g: int, block: int) -> None:
        """G52 and the G92 family: shift all work coordinate systems."""
        points = self._points(words)
        given = ~np.isnan(points)
        if g == 520:
            self._shift[given] = points[given]
        elif g == 920:
            if np.isnan(self.position[given]).any():
                self._assume_zero(block)
            self._shift[given] = (self.position - self._systems[self._system] - points)[given]
            self._kept_shift[:] = self._shift
        elif g == 923:
            self._shift[:] = self._kept_shift
        else:
            self._shift[:] = 0.0
            if g == 921:
                self._kept_shift[:] = 0.0
        self._settle_offset()

    def _to_reference(self, words: Words, number: int) -> None:
        """G28 and G30: by way of a point to the machine's reference point."""
        block = int(self.record.cursor[0])
        points = self._points(words)
        given = ~np.isnan(points)
        if given.any():
            here = np.where(np.isnan(self.position), 0.0, self.position)
            by = np.where(given, points + (here if self.modes[kernels.INCREMENTAL] else self.offset), self.position)
            if self.modes[kernels.INCREMENTAL]:
                by = np.where(given & np.isnan(self.position), np.nan, by)
            self._straight(block, by, None)
        else:
            given[:] = True
        reference = self._references[number]
        self._go_to_machine_point(block, given, reference, None, f"G{number}")

    def _go_to_machine_point(
        self,
        block: int,
        given: NDArray[np.bool_],
        point: NDArray[np.float64] | None,
        feed: float | None,
        code: str,
    ) -> None:
        """Go to a point in machine coordinates, as far as it is known where that is."""
        if point is None:
            self.position[given] = np.nan
            self._lost |= given
            self.warnings.append(
                f"{self.blocks.where(block)}: {code} goes where only the machine knows; the way there is left out"
            )
            return
        target = point - np.array([0.0, 0.0, self._tool_length])
        self._straight(block, np.where(given, target, self.position), feed)

    def _straight(self, block: int, end: NDArray[np.float64], feed: float | None, cycle: int = 0) -> None:
        self.record.reserve(1)
        self.record.straight(block, self.position, end, feed, cycle)
        self.position[:] = end

    def _move(self, words: Words, block: int) -> None:
        """The block's motion: by the kernel, by a cycle, or in machine coordinates."""
        modes = self.modes
        motion = self._motion_of(words)
        if motion != modes[kernels.MOTION]:
            modes[kernels.MOTION] = motion
            self._cycle = {}
        if modes[kernels.MOTION] in cycles.NEEDS:
            if any(axis in words.values for axis in _AXES):
                self._drill(words, block, int(modes[kernels.MOTION]))
            return
        if 530 in words.g:
            self._in_machine_coordinates(words, block)
            return
        self._hand_to_kernel(words, block)

    def _hand_to_kernel(self, words: Words, block: int) -> None:
        """Let the kernel make the motion of a block whose other words have been carried out."""
        blocks, record = self.blocks, self.record
        moving = any(letter in words.values for letter in "XYZ") or (
            self.modes[kernels.MOTION] >= 2 and any(letter in words.values for letter in "IJK")
        )
        if not moving:
            return
        if self.modes[kernels.MOTION] < 0:
            raise self._refuse(block, "X, Y or Z without a motion in force; put G0 or G1 in front")
        blocks.values[block] = [words.values.get(letter, np.nan) for letter in "XYZIJKRFP"]
        blocks.plain[block] = 1
        last = int(record.cursor[1])
        record.cursor[1] = block + 1
        while (status := self._follow()) != kernels.DONE:
            if status != kernels.UNKNOWN_POSITION:
                self._refuse_motion(status, block)
            self._assume_zero(block)
        record.cursor[1] = last

    def _in_machine_coordinates(self, words: Words, block: int) -> None:
        """G53: this once, coordinates are the machine's."""
        if self.modes[kernels.MOTION] not in (0, 1) or self.modes[kernels.INCREMENTAL]:
            raise self._refuse(block, "G53 goes with G0 or G1 and G90; post the way there in work coordinates")
        points = self._points(words)
        given = ~np.isnan(points)
        if given.any():
            point = None if self._machine is None else points + self._machine
            feed = None if self.modes[kernels.MOTION] == 0 else self._feed()
            self._go_to_machine_point(block, given, point, feed, "G53")

    def _feed(self) -> float:
        return float(self.modes[kernels.FEED] * self.modes[kernels.PER_REVOLUTION])

    def _stops(self, words: Words, block: int) -> None:
        for m in words.m:
            if m in (0, 1, 60):
                self.record.event(EventKind.STOP, m, self._line(block))
            elif m in (2, 30):
                self.record.event(EventKind.END, m, self._line(block))
                self._ended = not self.blocks.stored

    # -- canned cycles ------------------------------------------------------------------------------------------

    def _drill(self, words: Words, block: int, number: int) -> None:
        """Drill at the block's point, and again along G91's way if L says so, with LinuxCNC's preliminary moves."""
        a, b, normal = PLANE_AXES[int(self.modes[kernels.PLANE])]
        held = self._cycle | {
            letter: words.values[letter] for letter in _AXES[normal] + "RQP" if letter in words.values
        }
        for letter in _AXES[normal] + "R" + cycles.NEEDS[number]:
            if letter not in held or (letter == "Q" and held["Q"] <= 0):
                raise self._refuse(block, f"G{number} needs {letter}; give it in the cycle's first block")
        self._cycle = held
        scale, incremental = float(self.modes[kernels.SCALE]), bool(self.modes[kernels.INCREMENTAL])
        if np.isnan(self.position[[a, b]]).any() and incremental:
            self._assume_zero(block)
        height = float(self.position[normal])
        base = (0.0 if np.isnan(height) else height) if incremental else float(self.offset[normal])
        r = held["R"] * scale + base
        bottom = held[_AXES[normal]] * scale + (r if incremental else base)
        if r < bottom:
            raise self._refuse(block, f"G{number}'s R plane lies below the hole's bottom; raise R or lower the depth")
        height = r if np.isnan(height) else height
        if height < r:
            self._stroke(block, normal, r, None, number)
            height = r
        clear = r if self._retract_to_r else height
        for _ in range(max(1, round(words.values.get("L", 1.0)))):
            hole = self.position.copy()
            for axis in (a, b):
                if _AXES[axis] in words.values:
                    word = words.values[_AXES[axis]] * scale
                    hole[axis] = word + (hole[axis] if incremental else self.offset[axis])
            hole[normal] = height
            self._straight(block, hole, None, number)
            self._stroke(block, normal, r, None, number)
            for kind, value in cycles.strokes(number, r, bottom, clear, held.get("Q", 0.0) * scale, held.get("P", 0.0)):
                if kind == "dwell":
                    self.record.event(EventKind.DWELL, value, self._line(block))
                else:
                    self._stroke(block, normal, value, self._feed() if kind == "feed" else None, number)
            height = clear

    def _stroke(self, block: int, normal: int, depth: float, feed: float | None, cycle: int) -> None:
        end = self.position.copy()
        end[normal] = depth
        self._straight(block, end, feed, cycle)
