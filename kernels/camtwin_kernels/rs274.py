# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading G-code fast: from characters to words, and from words to moves.

Of a program's blocks nearly all are *plain*: G0 to G3, axis words, arc words, a feed. ``scan`` finds and reads
these, and ``follow_program`` turns them into moves. Everything else (modes, offsets, cycles, M words, comments, and all
that is wrong) is left to ``twin.job.rs274``, which sets the modes here and lets ``follow_program`` go on.
"""

import math

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels.jit import lean_kernel, lean_part

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int64]

# Columns of a block's words.
X, Y, Z, I, J, K, R, F, P = range(9)  # noqa: E741
WORDS = 9

# What is in force between blocks, as one array of numbers.
MOTION = 0  # 0 to 3; anything else is not for ``follow_program``
SCALE = 1  # mm per unit of length
FEED = 2  # feed in force [mm/s, or mm per revolution]; NaN where none was given
FEED_SCALE = 3  # from an F word to FEED
PER_REVOLUTION = 4  # factor from FEED to mm/s: 1, or revolutions per second
INCREMENTAL = 5  # 1 for G91
ARC_ABSOLUTE = 6  # 1 for G90.1
PLANE = 7  # 0, 1, 2 for G17, G18, G19
INVERSE_TIME = 8  # 1 for G93
STORED = 9  # 1 for FreeCAD's stored commands: a rapid's F is its own, an arc's word off the plane is noise
SPIRAL = 10  # how far apart an arc's two radii may lie without question [mm]
MODES = 11

# Columns of a move.
START, END, CENTRE, SWEEP, SPEED = 0, 3, 6, 9, 10
COLUMNS = 11

# Why ``follow_program`` stopped.
DONE = 0
NOT_PLAIN = 1
UNKNOWN_POSITION = 2
NO_CENTRE = 3
NO_RADIUS = 4
RADII_DIFFER = 5
OUT_OF_REACH = 6
SAME_POINT = 7
OFF_PLANE = 8
NO_TIME = 9
UNUSED = 10

_NEWLINE, _SPACE, _TAB, _PLUS, _MINUS, _POINT, _ZERO, _NINE = 10, 32, 9, 43, 45, 46, 48, 57
_NOTHING, _WRONG, _G, _N = -1, -2, 100, 101
_COLUMN_OF = np.full(256, _NOTHING, np.int64)
for _letter, _column in zip("XYZIJKRFGN", (X, Y, Z, I, J, K, R, F, _G, _N), strict=True):
    _COLUMN_OF[ord(_letter)] = _COLUMN_OF[ord(_letter.lower())] = _column
_POWERS_OF_TEN = 10.0 ** np.arange(23)

# Angles nearer than this to a whole turn are one, as in LinuxCNC [rad].
_WHOLE_TURN = 1e-6
# Least radius, and how much too small R may be [mm]: LinuxCNC's RADIUS_TOLERANCE of 0.00005 inch.
_RADIUS_TOLERANCE = 0.00127
# Radii further apart than SPIRAL are still one if they differ by no more than this share (and a hundred times SPIRAL).
_SPIRAL_SHARE = 0.001


def first_modes(stored: bool, spiral: float) -> Floats:
    """What is in force before the first block: mm, G90, G91.1, G94, G17, and neither a motion nor a feed."""
    modes = np.zeros(MODES)
    modes[MOTION] = -1
    modes[SCALE] = 1.0
    modes[FEED] = np.nan
    modes[FEED_SCALE] = 1.0 if stored else 1 / 60
    modes[PER_REVOLUTION] = 1.0
    modes[STORED] = stored
    modes[SPIRAL] = spiral
    return modes


@lean_part
def _number(text: Bytes, at: int) -> tuple[float, int, bool]:
    """Read the number at ``at``: (value, index after it, whether it could be read here exactly).

    A mantissa below 2^53 over a power of ten up to 10^22 is one division of two exact numbers, so it rounds
    as Python's own ``float`` does. Longer numbers are left to that. Blanks inside a number mean nothing.
    """
    sign, mantissa, digits, decimals = 0.0, 0, 0, -1
    while at < text.size:
        c = int(text[at])
        if _ZERO <= c <= _NINE:
            mantissa = 10 * mantissa + (c - _ZERO)
            digits += 1
            decimals += decimals >= 0
        elif c == _POINT and decimals < 0:
            decimals = 0
        elif (c == _MINUS or c == _PLUS) and digits == 0 and decimals < 0 and sign == 0.0:  # noqa: SIM109
            sign = -1.0 if c == _MINUS else 1.0
        elif c != _SPACE and c != _TAB:
            break
        at += 1
    exact = 0 < digits <= 15
    value = mantissa / _POWERS_OF_TEN[max(decimals, 0) if exact else 0]
    return (-value if sign < 0 else value), at, exact


@lean_part
def _take_word(column: int, number: float, first: bool, values: Floats) -> int:
    """Put one word into its line's row: the motion it names, or _NOTHING, or _WRONG if the line is not plain."""
    if column == _G:
        return int(number) if number in (0.0, 1.0, 2.0, 3.0) else _WRONG
    if column == _N:
        return _NOTHING if first else _WRONG
    if column == _NOTHING or not math.isnan(values[column]):
        return _WRONG
    values[column] = number
    return _NOTHING


@lean_kernel
def scan(text: Bytes, starts: Ints, values: Floats, motion: NDArray[np.int8], plain: Bytes) -> None:
    """Read every plain line of ``text``; of the others only say where they start.

    A line is plain if it holds at most one of G0 to G3, each of X Y Z I J K R F at most once, and perhaps an N
    word in front. A line of blanks is plain too.

    text: (characters,) uint8, lines ended by newline
    starts: (lines + 1,) filled with the index of each line's first character
    values: (lines, 9) all NaN; filled with the words' numbers, in the program's units
    motion: (lines,) all -1; filled with 0 to 3 where the line names it
    plain: (lines,) filled with 1 or 0
    """
    at = 0
    for line in range(plain.size):
        starts[line] = at
        good, first = True, True
        while at < text.size and text[at] != _NEWLINE:
            if not good or text[at] == _SPACE or text[at] == _TAB:
                at += 1
                continue
            column = _COLUMN_OF[text[at]]
            number, at, good = _number(text, at + 1)
            named = _take_word(column, number, first, values[line])
            first = False
            good = good and named != _WRONG and (named < 0 or motion[line] < 0)
            if named >= 0:
                motion[line] = named
        plain[line] = good
        if not good:
            motion[line] = -1
            values[line, :] = math.nan
        at += 1
    starts[plain.size] = at


@lean_part
def _sweep(centre: Floats, start: Floats, end: Floats, a: int, b: int, clockwise: bool, turns: float) -> float:
    """Signed angle from start to end about centre [rad]; equal angles are a whole turn, further turns are added."""
    angle = math.atan2(end[b] - centre[b], end[a] - centre[a]) - math.atan2(start[b] - centre[b], start[a] - centre[a])
    if clockwise:
        if angle > -_WHOLE_TURN:
            angle -= 2 * math.pi
        return angle - 2 * math.pi * (turns - 1)
    if angle < _WHOLE_TURN:
        angle += 2 * math.pi
    return angle + 2 * math.pi * (turns - 1)


@lean_part
def _centre_by_radius(
    start: Floats, end: Floats, a: int, b: int, clockwise: bool, radius: float, centre: Floats
) -> int:
    """Fill the centre of an arc given by its radius, left or right of the chord; a negative radius is the long way."""
    da, db = end[a] - start[a], end[b] - start[b]
    chord = math.hypot(da, db)
    if chord == 0:
        return SAME_POINT
    half = chord / 2
    if half > abs(radius) + _RADIUS_TOLERANCE:
        return OUT_OF_REACH
    height = math.sqrt(max(radius * radius - half * half, 0.0))
    if clockwise != (radius < 0):
        height = -height
    centre[a] = (start[a] + end[a]) / 2 - height * db / chord
    centre[b] = (start[b] + end[b]) / 2 + height * da / chord
    return DONE


@lean_part
def _centre_by_offset(words: Floats, modes: Floats, start: Floats, offset: Floats, axis: int, centre: Floats) -> int:
    """Fill one axis of the centre of an arc given by I, J, K: from its start, or with G90.1 from the program's zero."""
    word = words[I + axis]
    if not modes[ARC_ABSOLUTE]:
        centre[axis] = start[axis] + (0.0 if math.isnan(word) else word * modes[SCALE])
    elif math.isnan(word):
        return NO_CENTRE
    else:
        centre[axis] = word * modes[SCALE] + offset[axis]
    return DONE


@lean_part
def _radii_status(first: float, last: float, spiral: float) -> int:
    """Whether the radii at an arc's two ends may pass for one, by LinuxCNC's bounds."""
    if first < _RADIUS_TOLERANCE or last < _RADIUS_TOLERANCE:
        return NO_RADIUS
    gap = abs(first - last)
    if gap > 100 * spiral or (gap > spiral and gap > _SPIRAL_SHARE * max(first, last)):
        return RADII_DIFFER
    return DONE


@lean_part
def _arc(words: Floats, modes: Floats, clockwise: bool, offset: Floats, move: Floats) -> int:
    """Fill centre and sweep of ``move``, whose start and end stand; the status says what is wrong with it."""
    a = (3 - int(modes[PLANE])) % 3
    b, normal = (a + 1) % 3, (a + 2) % 3
    start, end, centre = move[START : START + 3], move[END : END + 3], move[CENTRE : CENTRE + 3]
    if math.isnan(start[a] + start[b]):
        return UNKNOWN_POSITION
    centre[normal] = start[normal]
    by_radius = not math.isnan(words[R])
    if by_radius:
        status = _centre_by_radius(start, end, a, b, clockwise, words[R] * modes[SCALE], centre)
    elif math.isnan(words[I + a]) and math.isnan(words[I + b]):
        status = NO_CENTRE
    elif abs(words[I + normal]) > 0 and not modes[STORED]:
        status = OFF_PLANE
    else:
        status = max(
            _centre_by_offset(words, modes, start, offset, a, centre),
            _centre_by_offset(words, modes, start, offset, b, centre),
        )
    if status != DONE:
        return status
    turns = 1.0 if math.isnan(words[P]) else words[P]
    move[SWEEP] = _sweep(centre, start, end, a, b, clockwise, turns)
    if by_radius:
        return DONE
    first = math.hypot(start[a] - centre[a], start[b] - centre[b])
    last = math.hypot(end[a] - centre[a], end[b] - centre[b])
    return _radii_status(first, last, modes[SPIRAL])


@lean_part
def _length(move: Floats, is_arc: bool) -> float:
    """Length of a move in XYZ [mm], as inverse time feed counts it; an axis of unknown position does not count."""
    square, arm = 0.0, 0.0
    for axis in range(3):
        gap = move[END + axis] - move[START + axis]
        spoke = move[START + axis] - move[CENTRE + axis]
        square += 0.0 if math.isnan(gap) else gap * gap
        arm += 0.0 if math.isnan(spoke) else spoke * spoke
    return float(math.sqrt(arm) * abs(move[SWEEP]) if is_arc else math.sqrt(square))


@lean_part
def _absent(words: Floats) -> bool:
    """Whether none of the words is given."""
    for word in words:  # noqa: SIM110, numba has no generators here
        if not math.isnan(word):
            return False
    return True


@lean_part
def _take_feed(words: Floats, modes: Floats, rapid: bool) -> None:
    """Let the block's F hold from now on; not that of a stored rapid, nor under G93, where it is the block's alone."""
    if not math.isnan(words[F]) and not modes[INVERSE_TIME] and not (rapid and modes[STORED]):
        modes[FEED] = words[F] * modes[FEED_SCALE] if words[F] > 0 else math.nan


@lean_part
def _speed(words: Floats, modes: Floats, move: Floats) -> float:
    """How fast the block asks its move to go [mm/s]; NaN for a rapid, but for a stored one its own F."""
    mode = modes[MOTION]
    if mode == 0:
        return float(words[F] * modes[FEED_SCALE] if modes[STORED] and words[F] > 0 else math.nan)
    if modes[INVERSE_TIME]:
        return float(_length(move, mode >= 2) * words[F] / 60)
    return float(modes[FEED] * modes[PER_REVOLUTION])


@lean_part
def _aim(words: Floats, modes: Floats, position: Floats, offset: Floats, move: Floats) -> int:
    """Fill start and end of ``move``."""
    for axis in range(3):
        here, word = position[axis], words[axis]
        there = here
        if not math.isnan(word):
            there = word * modes[SCALE] + (here if modes[INCREMENTAL] else offset[axis])
            if math.isnan(there):
                return UNKNOWN_POSITION
        move[START + axis], move[END + axis], move[CENTRE + axis] = here, there, math.nan
    move[SWEEP] = 0.0
    return DONE


@lean_part
def _stays(move: Floats) -> bool:
    """Whether a straight move goes nowhere."""
    for axis in range(3):
        start, end = move[START + axis], move[END + axis]
        if not (abs(end - start) < 1e-9 or math.isnan(end)):
            return False
    return True


@lean_part
def _make(words: Floats, modes: Floats, position: Floats, offset: Floats, move: Floats) -> int:
    """Fill ``move`` with the motion of one block, whose axis words are for G0 to G3; the status says what is wrong."""
    mode = modes[MOTION]
    if mode < 2 and not modes[STORED] and not _absent(words[I : R + 1]):
        return UNUSED
    if modes[INVERSE_TIME] and mode > 0 and math.isnan(words[F]):
        return NO_TIME
    status = _aim(words, modes, position, offset, move)
    if status == DONE and mode >= 2:
        status = _arc(words, modes, mode == 2, offset, move)
    return status


@lean_kernel
def follow_program(
    values: Floats,
    motion: NDArray[np.int8],
    plain: Bytes,
    modes: Floats,
    position: Floats,
    offset: Floats,
    cursor: Ints,
    moves: Floats,
    kinds: NDArray[np.int8],
    blocks: NDArray[np.int32],
) -> int:
    """Make the moves of plain blocks until one is not plain, one is wrong, or all are done; return which.

    Positions are of the tool tip in mm, in one frame for the whole program: a word counts from ``offset``. A
    position not known yet is NaN, and stays so until a word names it. A straight block that goes nowhere is no move.

    values, motion, plain: as ``scan`` fills them
    modes: (11,) what is in force, updated
    position, offset: (3,) [mm]; position is updated
    cursor: (3,) next block, block to stop before, moves made; updated
    moves: (capacity, 11) start, end, centre [mm], sweep [rad], feed [mm/s] of each move
    kinds, blocks: (capacity,) 0 rapid, 1 line, 2 arc; the block it came from
    """
    while cursor[0] < cursor[1]:
        block = cursor[0]
        if not plain[block]:
            return NOT_PLAIN
        words = values[block]
        mode = modes[MOTION] = motion[block] if motion[block] >= 0 else modes[MOTION]
        moving = not _absent(words[X:I]) or (mode >= 2 and not _absent(words[I:R]))
        if moving and not 0 <= mode <= 3:
            return NOT_PLAIN
        _take_feed(words, modes, mode == 0)
        if moving:
            move = moves[cursor[2]]
            status = _make(words, modes, position, offset, move)
            if status != DONE:
                return status
            move[SPEED] = _speed(words, modes, move)
            for axis in range(3):
                position[axis] = move[END + axis]
            if mode >= 2 or not _stays(move):
                kinds[cursor[2]] = min(int(mode), 2)
                blocks[cursor[2]] = block
                cursor[2] += 1
        cursor[0] += 1
    return DONE
