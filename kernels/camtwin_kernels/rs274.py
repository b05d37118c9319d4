# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading G-code fast: from characters to words, and from words to moves.

Of a program's blocks nearly all are *plain*: G0 to G3, axis words, arc words, a feed. ``scan`` finds and reads
these, and ``follow`` turns them into moves. Everything else (modes, offsets, cycles, M words, comments, and all
that is wrong) is left to ``twin.rs274``, which sets the modes here and lets ``follow`` go on.
"""

import math

import numpy as np

from camtwin_kernels.jit import kernel

# Columns of a block's words.
X, Y, Z, I, J, K, R, F, P = range(9)  # noqa: E741
WORDS = 9

# What is in force between blocks, as one array of numbers.
MOTION = 0  # 0 to 3; anything else is not for ``follow``
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

# Why ``follow`` stopped.
DONE, NOT_PLAIN, UNKNOWN_POSITION, NO_CENTRE, NO_RADIUS, RADII_DIFFER, OUT_OF_REACH, SAME_POINT, OFF_PLANE, NO_TIME = (
    range(10)
)
UNUSED = 10

_NEWLINE, _SPACE, _TAB, _PLUS, _MINUS, _POINT, _ZERO, _NINE = 10, 32, 9, 43, 45, 46, 48, 57
_NOTHING, _G, _N = -1, 100, 101
_COLUMN_OF = np.full(256, _NOTHING, np.int64)
for _letter, _column in zip("XYZIJKRFGN", (X, Y, Z, I, J, K, R, F, _G, _N), strict=True):
    _COLUMN_OF[ord(_letter)] = _COLUMN_OF[ord(_letter.lower())] = _column
_POWERS_OF_TEN = 10.0 ** np.arange(23)

# Angles nearer than this to a whole turn are one, as in LinuxCNC [rad].
_WHOLE_TURN = 1e-6


@kernel
def _number(text, at):  # type: ignore[no-untyped-def]
    """Read the number at ``at``: (value, index after it, whether it could be read here exactly).

    A mantissa below 2^53 over a power of ten up to 10^22 is one division of two exact numbers, so it rounds
    as Python's own ``float`` does. Longer numbers are left to that. Blanks inside a number mean nothing.
    """
    sign, mantissa, digits, decimals = 1.0, 0, 0, -1
    while at < text.size:
        c = text[at]
        if _ZERO <= c <= _NINE:
            mantissa = 10 * mantissa + (c - _ZERO)
            digits += 1
            decimals += decimals >= 0
        elif c == _POINT and decimals < 0:
            decimals = 0
        elif (c == _MINUS or c == _PLUS) and digits == 0 and decimals < 0 and sign == 1.0:
            sign = -1.0 if c == _MINUS else 1.0
        elif c != _SPACE and c != _TAB:
            break
        at += 1
    exact = 0 < digits <= 15
    return sign * mantissa / _POWERS_OF_TEN[max(decimals, 0) if exact else 0], at, exact


@kernel
def scan(text, starts, values, motion, plain):  # type: ignore[no-untyped-def]
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
        good = True
        words = 0
        while good and at < text.size and text[at] != _NEWLINE:
            if text[at] == _SPACE or text[at] == _TAB:
                at += 1
                continue
            column = _COLUMN_OF[text[at]]
            number, at, good = _number(text, at + 1)
            words += 1
            if column == _G:
                good = good and motion[line] < 0 and (number == 0 or number == 1 or number == 2 or number == 3)
                motion[line] = int(number) if good else -1
            elif column == _N:
                good = good and words == 1
            elif column == _NOTHING:
                good = False
            else:
                good = good and math.isnan(values[line, column])
                values[line, column] = number
        plain[line] = good
        if not good:
            motion[line] = -1
            values[line, :] = math.nan
            while at < text.size and text[at] != _NEWLINE:
                at += 1
        at += 1
    starts[plain.size] = at


@kernel
def _sweep(centre, start, end, axes, clockwise, turns):  # type: ignore[no-untyped-def]
    """Signed angle from start to end about centre [rad]; equal angles are a whole turn, further turns are added."""
    a, b = axes
    first = math.atan2(start[b] - centre[b], start[a] - centre[a])
    angle = math.atan2(end[b] - centre[b], end[a] - centre[a]) - first
    if clockwise:
        if angle > -_WHOLE_TURN:
            angle -= 2 * math.pi
        return angle - 2 * math.pi * (turns - 1)
    if angle < _WHOLE_TURN:
        angle += 2 * math.pi
    return angle + 2 * math.pi * (turns - 1)


@kernel
def _centre_by_radius(start, end, axes, clockwise, radius, centre):  # type: ignore[no-untyped-def]
    """Fill the centre of an arc given by its radius: left or right of the chord; a negative radius is the long way."""
    a, b = axes
    da, db = end[a] - start[a], end[b] - start[b]
    chord = math.hypot(da, db)
    if chord == 0:
        return SAME_POINT
    half = chord / 2
    if half > abs(radius) + 1e-4:
        return OUT_OF_REACH
    height = math.sqrt(max(radius * radius - half * half, 0.0))
    if clockwise != (radius < 0):
        height = -height
    centre[a] = (start[a] + end[a]) / 2 - height * db / chord
    centre[b] = (start[b] + end[b]) / 2 + height * da / chord
    return DONE


@kernel
def _centre_by_offset(words, modes, start, offset, axes, centre):  # type: ignore[no-untyped-def]
    """Fill the centre of an arc given by I, J, K: from its start, or with G90.1 from the program's zero."""
    for axis in axes:
        word = words[I + axis]
        if modes[ARC_ABSOLUTE]:
            if math.isnan(word):
                return NO_CENTRE
            centre[axis] = word * modes[SCALE] + offset[axis]
        else:
            centre[axis] = start[axis] + (0.0 if math.isnan(word) else word * modes[SCALE])
    return DONE


@kernel
def _radii_status(first, last, allowed):  # type: ignore[no-untyped-def]
    """Whether the radii at an arc's two ends may pass for one (LinuxCNC's bounds)."""
    if first < 1e-9 or last < 1e-9:
        return NO_RADIUS
    gap = abs(first - last)
    if gap > 100 * allowed or (gap > allowed and gap > 0.001 * max(first, last)):
        return RADII_DIFFER
    return DONE


@kernel
def _arc(words, modes, clockwise, offset, move):  # type: ignore[no-untyped-def]
    """Fill centre and sweep of ``move``, whose start and end stand; a status says what is wrong with it."""
    plane = int(modes[PLANE])
    a = (3 - plane) % 3
    b, normal = (a + 1) % 3, (a + 2) % 3
    start, end, centre = move[START : START + 3], move[END : END + 3], move[CENTRE : CENTRE + 3]
    if math.isnan(start[a] + start[b]):
        return UNKNOWN_POSITION
    centre[normal] = start[normal]
    if not math.isnan(words[R]):
        status = _centre_by_radius(start, end, (a, b), clockwise, words[R] * modes[SCALE], centre)
    elif math.isnan(words[I + a]) and math.isnan(words[I + b]):
        status = NO_CENTRE
    elif abs(words[I + normal]) > 0 and not modes[STORED]:
        status = OFF_PLANE
    else:
        status = _centre_by_offset(words, modes, start, offset, (a, b), centre)
    if status != DONE:
        return status
    first = math.hypot(start[a] - centre[a], start[b] - centre[b])
    last = math.hypot(end[a] - centre[a], end[b] - centre[b])
    turns = 1.0 if math.isnan(words[P]) else words[P]
    move[SWEEP] = _sweep(centre, start, end, (a, b), clockwise, turns)
    return _radii_status(first, last, modes[SPIRAL])


@kernel
def _length(move, is_arc):  # type: ignore[no-untyped-def]
    """Length of a move [mm]; of an arc, with the radius at its start. An axis of unknown position does not count."""
    square = 0.0
    radius = 0.0
    for axis in range(3):
        gap = move[END + axis] - move[START + axis]
        arm = move[START + axis] - move[CENTRE + axis]
        square += 0.0 if math.isnan(gap) else gap * gap
        radius += 0.0 if math.isnan(arm) else arm * arm
    if not is_arc:
        return math.sqrt(square)
    return math.sqrt(radius) * abs(move[SWEEP])


@kernel
def _absent(words):  # type: ignore[no-untyped-def]
    """Whether none of the words is given."""
    for word in words:
        if not math.isnan(word):
            return False
    return True


@kernel
def follow(values, motion, plain, modes, position, offset, cursor, moves, kinds, blocks):  # type: ignore[no-untyped-def]
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
        if motion[block] >= 0:
            modes[MOTION] = motion[block]
        mode = modes[MOTION]
        moving = not (math.isnan(words[X]) and math.isnan(words[Y]) and math.isnan(words[Z]))
        if mode >= 2:
            moving = moving or not (math.isnan(words[I]) and math.isnan(words[J]) and math.isnan(words[K]))
        if moving and not 0 <= mode <= 3:
            return NOT_PLAIN
        speed = modes[FEED] * modes[PER_REVOLUTION]
        if mode == 0:
            speed = math.nan
        if not math.isnan(words[F]):
            if mode == 0 and modes[STORED]:
                speed = words[F] * modes[FEED_SCALE] if words[F] > 0 else math.nan
            elif not modes[INVERSE_TIME]:
                modes[FEED] = words[F] * modes[FEED_SCALE] if words[F] > 0 else math.nan
                if mode != 0:
                    speed = modes[FEED] * modes[PER_REVOLUTION]
        if moving:
            if mode < 2 and not modes[STORED] and not _absent(words[I : R + 1]):
                return UNUSED
            move = moves[cursor[2]]
            still = mode < 2
            for axis in range(3):
                here, word = position[axis], words[axis]
                there = here
                if not math.isnan(word):
                    there = word * modes[SCALE] + (here if modes[INCREMENTAL] else offset[axis])
                    if math.isnan(there):
                        return UNKNOWN_POSITION
                move[START + axis], move[END + axis], move[CENTRE + axis] = here, there, math.nan
                still = still and (abs(there - here) < 1e-9 or math.isnan(there))
            move[SWEEP] = 0.0
            if mode >= 2:
                status = _arc(words, modes, mode == 2, offset, move)
                if status != DONE:
                    return status
            if modes[INVERSE_TIME] and mode != 0:
                if math.isnan(words[F]):
                    return NO_TIME
                speed = _length(move, mode >= 2) * words[F] / 60
            move[SPEED] = speed
            position[:] = move[END : END + 3]
            if not still:
                kinds[cursor[2]] = min(mode, 2)
                blocks[cursor[2]] = block
                cursor[2] += 1
        cursor[0] += 1
    return DONE
