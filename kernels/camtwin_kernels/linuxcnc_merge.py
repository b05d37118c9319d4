# SPDX-License-Identifier: LGPL-2.1-or-later
"""From moves to pieces: what LinuxCNC's interpreter hands to its trajectory planner.

Consecutive feed lines become one where G64 Q allows it ("naive CAM"): a line from the first point to the newest one
replaces them as long as every point between lies within Q of it.

         ·    ·                          Q ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄
    o──·────·────·──o     becomes      o───────────────────o
                                         Q ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄

An arc in the XY plane that is flatter than Q counts as two lines through its middle. A change of feed, a rapid, an
arc, and whatever makes the machine wait end the line.

Each piece also gets the speed and acceleration that the axes can give along it; for an arc both hold in every
direction of its plane, and √3/2 of the acceleration may go towards its centre, which leaves half of it along the path.

Behaviour: LinuxCNC 2.8 and 2.9, canonical interface; documented in its user manual, "Trajectory Control".
"""

import math

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels.jit import kernel

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

# Columns of a piece.
(
    FORM,  # 0 line, 1 arc
    CIRCLE,  # row of the arc in the table of circles
    RAPID,  # 1 for a rapid
    LENGTH,  # [mm]
    UX, UY, UZ,  # direction of a line
    WANTED,  # programmed speed, within what the axes can do [mm/s]
    BOUND,  # what the axes can do [mm/s]
    PULL,  # acceleration [mm/s²]
    TERM,  # how it should end: 0 stop, 1 exact path, 2 blend
    TOLERANCE,  # P of G64 [mm]
    FROM, TO,  # what it covers of the programmed path [mm]
    FIRST, FINAL,  # its first and last move
    WAIT,  # seconds of rest before it; < 0: none, it follows at once
    PIECE_COLUMNS,
) = range(18)  # fmt: skip

# Columns of the table of circles, one row per arc.
(
    ARRIVING,  # 3: unit tangent at its start
    LEAVING,  # 3: unit tangent at its end
    SPOKE,  # 3: from the centre to its start [mm]
    LAST_SPOKE,  # 3: from the centre to its end, without the rise [mm]
    NORMAL,  # 3: unit vector about which it turns counter-clockwise
    MIDDLE,  # 3: the point half way [mm]
    ANGLE,  # [rad], > 0
    RADIUS,  # [mm]
    RISE,  # along the normal [mm]
    FLATNESS,  # how far the middle is off the chord [mm]; inf outside the XY plane
    CIRCLE_COLUMNS,
) = (0, 3, 6, 9, 12, 15, 18, 19, 20, 21, 22)

# Columns of the rules that hold for a move.
RULE_TERM, RULE_TOLERANCE, RULE_NAIVE, RULE_WAIT, RULE_COLUMNS = range(5)

SHAPE_RAPID, SHAPE_LINE = -2, -1  # an arc is the row of its circle

#: LinuxCNC merges no more points than this into one line.
LONGEST_CHAIN = 101

_TOWARDS_CENTRE = math.sqrt(3.0) / 2.0


@kernel
def merge(
    shape: Ints,
    start: Floats,
    end: Floats,
    feed: Floats,
    rules: Floats,
    way: Floats,
    circles: Floats,
    limits: Floats,
    chain: Floats,
    pieces: Floats,
) -> int:
    """Fill ``pieces`` in order and return how many there are.

    shape: (moves,) SHAPE_RAPID, SHAPE_LINE or a row of circles; start, end: (moves, 3) [mm]; feed: (moves,) [mm/s]
    rules: (moves, RULE_COLUMNS); way: (moves + 1,) length of path before every move [mm]
    circles: (arcs, CIRCLE_COLUMNS); limits: (2, 3) velocity [mm/s] and acceleration [mm/s²] of the axes
    chain: (LONGEST_CHAIN + 1, 3) scratch; pieces: (2·moves, PIECE_COLUMNS)
    """
    count = 0
    linked = 0  # points in the chain, whose row 0 is the start of its line
    opener = 0  # the move that opened the chain
    begun = 0.0  # path before the chain
    for move in range(shape.size):
        if way[move + 1] <= way[move]:
            continue  # no way to go; a wait before it is moved to the next move by the caller
        row = shape[move]
        naive = rules[move, RULE_NAIVE] if rules[move, RULE_TERM] == 2.0 else 0.0
        is_flat = row >= 0 and circles[row, FLATNESS] < naive
        if linked > 0 and (
            rules[move, RULE_WAIT] >= 0.0
            or feed[move] != feed[opener]
            or rules[move, RULE_TERM] != rules[opener, RULE_TERM]
            or rules[move, RULE_TOLERANCE] != rules[opener, RULE_TOLERANCE]
            or not (row == SHAPE_LINE or is_flat)
        ):
            _close(chain, linked, opener, move - 1, begun, way[move], feed, rules, limits, pieces[count])
            count += 1
            linked = 0
        if row == SHAPE_LINE or is_flat:
            halves = 2 if is_flat else 1
            for half in range(halves):
                x, y, z = end[move, 0], end[move, 1], end[move, 2]
                if half == 0 and is_flat:
                    x, y, z = circles[row, MIDDLE], circles[row, MIDDLE + 1], circles[row, MIDDLE + 2]
                before = way[move] if half == 0 else 0.5 * (way[move] + way[move + 1])
                if linked > 0 and not _links(chain, linked, x, y, z, naive):
                    last = move - 1 if half == 0 else move
                    _close(chain, linked, opener, last, begun, before, feed, rules, limits, pieces[count])
                    count += 1
                    chain[0, 0], chain[0, 1], chain[0, 2] = chain[linked, 0], chain[linked, 1], chain[linked, 2]
                    linked = 0
                    opener = move
                    begun = before
                elif linked == 0:
                    chain[0, 0], chain[0, 1], chain[0, 2] = start[move, 0], start[move, 1], start[move, 2]
                    opener = move
                    begun = before
                linked += 1
                chain[linked, 0], chain[linked, 1], chain[linked, 2] = x, y, z
            continue
        if row == SHAPE_RAPID:
            chain[0, 0], chain[0, 1], chain[0, 2] = start[move, 0], start[move, 1], start[move, 2]
            chain[1, 0], chain[1, 1], chain[1, 2] = end[move, 0], end[move, 1], end[move, 2]
            _close(chain, 1, move, move, way[move], way[move + 1], feed, rules, limits, pieces[count])
            pieces[count, RAPID] = 1.0
            pieces[count, WANTED] = pieces[count, BOUND]
        else:
            _arc(circles, row, move, way, feed, rules, limits, pieces[count])
        count += 1
    if linked > 0:
        last = shape.size - 1
        _close(chain, linked, opener, last, begun, way[last + 1], feed, rules, limits, pieces[count])
        count += 1
    return count


@kernel
def _links(chain: Floats, linked: int, x: float, y: float, z: float, naive: float) -> bool:
    """Whether a line from the chain's start to (x, y, z) passes all its points within ``naive``."""
    if naive <= 0.0 or linked >= LONGEST_CHAIN:
        return False
    dx, dy, dz = x - chain[0, 0], y - chain[0, 1], z - chain[0, 2]
    size = dx * dx + dy * dy + dz * dz
    if size == 0.0:
        return False
    for k in range(1, linked + 1):
        px, py, pz = chain[k, 0] - chain[0, 0], chain[k, 1] - chain[0, 1], chain[k, 2] - chain[0, 2]
        share = min(1.0, max(0.0, (dx * px + dy * py + dz * pz) / size))
        px -= share * dx
        py -= share * dy
        pz -= share * dz
        if px * px + py * py + pz * pz > naive * naive:
            return False
    return True


@kernel
def _close(
    chain: Floats,
    linked: int,
    first: int,
    final: int,
    begun: float,
    done: float,
    feed: Floats,
    rules: Floats,
    limits: Floats,
    piece: Floats,
) -> None:
    """Fill ``piece`` with the line from the chain's start to its last point."""
    length = 0.0
    for axis in range(3):
        piece[UX + axis] = chain[linked, axis] - chain[0, axis]
        length += piece[UX + axis] ** 2
    length = math.sqrt(length)
    speed = np.inf
    pull = np.inf
    for axis in range(3):
        piece[UX + axis] /= length
        share = abs(piece[UX + axis])
        if share > 1e-8:
            speed = min(speed, limits[0, axis] / share)
            pull = min(pull, limits[1, axis] / share)
    piece[FORM] = 0.0
    piece[RAPID] = 0.0
    piece[LENGTH] = length
    piece[BOUND] = speed
    piece[PULL] = pull
    _common(piece, first, final, begun, done, feed, rules)


@kernel
def _arc(
    circles: Floats, row: int, move: int, way: Floats, feed: Floats, rules: Floats, limits: Floats, piece: Floats
) -> None:
    """Fill ``piece`` with an arc or helix; the plane's weaker axis counts in every direction."""
    planar = circles[row, ANGLE] * circles[row, RADIUS]
    speed = np.inf
    pull = np.inf
    slowest = 0.0  # time that the chord needs at top speed, and its like for acceleration
    laziest = 0.0
    for axis in range(3):
        if abs(circles[row, NORMAL + axis]) < 0.5:
            speed = min(speed, limits[0, axis])
            pull = min(pull, limits[1, axis])
        chord = abs(
            circles[row, LAST_SPOKE + axis]
            - circles[row, SPOKE + axis]
            + circles[row, RISE] * circles[row, NORMAL + axis]
        )
        slowest = max(slowest, chord / limits[0, axis])
        laziest = max(laziest, chord / limits[1, axis])
    speed = min(speed, math.sqrt(_TOWARDS_CENTRE * pull * circles[row, RADIUS]))
    length = math.hypot(planar, circles[row, RISE])
    piece[FORM] = 1.0
    piece[CIRCLE] = row
    piece[RAPID] = 0.0
    piece[LENGTH] = length
    piece[BOUND] = length / max(slowest, planar / speed)
    piece[PULL] = length / max(laziest, planar / pull)
    _common(piece, move, move, way[move], way[move + 1], feed, rules)


@kernel
def _common(piece: Floats, first: int, final: int, begun: float, done: float, feed: Floats, rules: Floats) -> None:
    piece[WANTED] = min(feed[first], piece[BOUND])
    piece[TERM] = rules[first, RULE_TERM]
    piece[TOLERANCE] = rules[first, RULE_TOLERANCE]
    piece[FROM] = begun
    piece[TO] = done
    piece[FIRST] = first
    piece[FINAL] = final
    piece[WAIT] = rules[first, RULE_WAIT]
