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

from camtwin_kernels.jit import lean_kernel, lean_part
from camtwin_kernels.linuxcnc_tables import (
    ANGLE,
    BEGUN,
    BOUND,
    CIRCLE,
    FINAL,
    FIRST,
    FLATNESS,
    FORM,
    FROM,
    HELD,
    LAST_SPOKE,
    LENGTH,
    LINKED,
    LONGEST_CHAIN,
    MIDDLE,
    NORMAL,
    OPENER,
    PULL,
    RADIUS,
    RAPID,
    RISE,
    RULE_FEED,
    RULE_HELD,
    RULE_NAIVE,
    RULE_TERM,
    RULE_TOLERANCE,
    RULE_WAIT,
    SHAPE_LINE,
    SHAPE_RAPID,
    SHORTEST,
    SPOKE,
    TERM,
    TO,
    TOLERANCE,
    UX,
    WAIT,
    WANTED,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]

_TOWARDS_CENTRE = math.sqrt(3.0) / 2.0


@lean_kernel
def merge(  # noqa: C901 - one pass over the moves, by their shape
    shape: Ints, start: Floats, end: Floats, rules: Floats, way: Floats, circles: Floats, limits: Floats,
    chain: Floats, pieces: Floats,
) -> int:  # fmt: skip
    """Fill ``pieces`` in order and return how many there are.

    shape: (moves,) SHAPE_RAPID, SHAPE_LINE or a row of circles; start, end: (moves, 3) [mm]
    rules: (moves, RULE_COLUMNS); way: (moves + 1,) length of path before every move [mm]
    circles: (arcs, CIRCLE_COLUMNS); limits: (2, 3) velocity [mm/s] and acceleration [mm/s²] of the axes
    chain: (LONGEST_CHAIN + 2, 3) scratch; pieces: (2·moves, PIECE_COLUMNS)
    """
    count = 0
    state = chain[LONGEST_CHAIN + 1]
    state[LINKED] = 0.0
    for move in range(shape.size):
        if way[move + 1] <= way[move]:
            continue  # no way to go; the caller has moved a wait before it to the next move
        row = shape[move]
        is_flat = False
        if row >= 0 and rules[move, RULE_TERM] == 2.0:
            is_flat = circles[row, FLATNESS] < rules[move, RULE_NAIVE]
        is_line = is_flat or row == SHAPE_LINE
        if state[LINKED] > 0.0 and not (is_line and _go_on(rules, int(state[OPENER]), move)):
            count = _close(chain, move - 1, way[move], rules, limits, pieces, count)
        if is_flat:
            half = 0.5 * (way[move] + way[move + 1])
            middle, last = circles[row, MIDDLE : MIDDLE + 3], way[move]
            count = _see(chain, start[move], middle, move, last, rules, limits, pieces, count)
            count = _see(chain, middle, end[move], move, half, rules, limits, pieces, count)
        elif row == SHAPE_LINE:
            count = _see(chain, start[move], end[move], move, way[move], rules, limits, pieces, count)
        elif row == SHAPE_RAPID:
            _see(chain, start[move], end[move], move, way[move], rules, limits, pieces, count)
            done = _close(chain, move, way[move + 1], rules, limits, pieces, count)
            if done > count:
                pieces[count, RAPID] = 1.0
                pieces[count, WANTED] = pieces[count, BOUND]
            count = done
        else:
            _arc(circles, row, move, way, rules, limits, pieces[count])
            count += 1
    if state[LINKED] > 0.0:
        count = _close(chain, shape.size - 1, way[shape.size], rules, limits, pieces, count)
    return count


@lean_part
def _go_on(rules: Floats, opener: int, move: int) -> bool:
    """Whether a move may belong to the same line as the one that opened it."""
    return bool(
        rules[move, RULE_WAIT] < 0.0
        and rules[move, RULE_FEED] == rules[opener, RULE_FEED]
        and rules[move, RULE_TERM] == rules[opener, RULE_TERM]
        and rules[move, RULE_TOLERANCE] == rules[opener, RULE_TOLERANCE]
    )


@lean_part
def _see(
    chain: Floats, first: Floats, last: Floats, move: int, way: float, rules: Floats, limits: Floats,
    pieces: Floats, count: int,
) -> int:  # fmt: skip
    """Add the line from ``first`` to ``last`` to the chain, or close the chain and open another with it."""
    state = chain[LONGEST_CHAIN + 1]
    naive = rules[move, RULE_NAIVE] if rules[move, RULE_TERM] == 2.0 else 0.0
    if state[LINKED] > 0.0 and not _links(chain, int(state[LINKED]), last[0], last[1], last[2], naive):
        count = _close(chain, max(move - 1, int(state[OPENER])), way, rules, limits, pieces, count)
    if state[LINKED] == 0.0:
        chain[0, 0], chain[0, 1], chain[0, 2] = first[0], first[1], first[2]
        state[OPENER] = move
        state[BEGUN] = way
    linked = int(state[LINKED]) + 1
    chain[linked, 0], chain[linked, 1], chain[linked, 2] = last[0], last[1], last[2]
    state[LINKED] = linked
    return count


@lean_part
def _links(chain: Floats, linked: int, x: float, y: float, z: float, naive: float) -> bool:
    """Whether a line from the chain's start to (x, y, z) passes all its points within ``naive``."""
    if naive <= 0.0 or linked >= LONGEST_CHAIN:
        return False
    dx, dy, dz = x - chain[0, 0], y - chain[0, 1], z - chain[0, 2]
    size = dx * dx + dy * dy + dz * dz
    if size < SHORTEST * SHORTEST:
        return False  # back where the chain began: there is no such line
    for k in range(1, linked + 1):
        px, py, pz = chain[k, 0] - chain[0, 0], chain[k, 1] - chain[0, 1], chain[k, 2] - chain[0, 2]
        share = min(1.0, max(0.0, (dx * px + dy * py + dz * pz) / size))
        px -= share * dx
        py -= share * dy
        pz -= share * dz
        if px * px + py * py + pz * pz > naive * naive:
            return False
    return True


@lean_part
def _close(chain: Floats, final: int, done: float, rules: Floats, limits: Floats, pieces: Floats, count: int) -> int:
    """Make a piece of the chain, a line from its start to its last point; return how many pieces there are now."""
    state = chain[LONGEST_CHAIN + 1]
    linked = int(state[LINKED])
    state[LINKED] = 0.0
    piece = pieces[count]
    length = 0.0
    for axis in range(3):
        piece[UX + axis] = chain[linked, axis] - chain[0, axis]
        length += piece[UX + axis] ** 2
    length = math.sqrt(length)
    if length < SHORTEST:
        return count  # there is no way to go
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
    _common(piece, int(state[OPENER]), final, state[BEGUN], done, rules)
    return count + 1


@lean_part
def _arc(circles: Floats, row: int, move: int, way: Floats, rules: Floats, limits: Floats, piece: Floats) -> None:
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
    _common(piece, move, move, way[move], way[move + 1], rules)


@lean_part
def _common(piece: Floats, first: int, final: int, begun: float, done: float, rules: Floats) -> None:
    piece[WANTED] = min(rules[first, RULE_FEED], piece[BOUND])
    piece[TERM] = rules[first, RULE_TERM]
    piece[TOLERANCE] = rules[first, RULE_TOLERANCE]
    piece[FROM] = begun
    piece[TO] = done
    piece[FIRST] = first
    piece[FINAL] = final
    piece[WAIT] = rules[first, RULE_WAIT]
    piece[HELD] = rules[first, RULE_HELD]
