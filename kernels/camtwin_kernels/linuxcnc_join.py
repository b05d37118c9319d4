# SPDX-License-Identifier: LGPL-2.1-or-later
"""How LinuxCNC's trajectory planner goes round corners, and how fast every piece of its queue may end.

Where two pieces meet under G64, the planner takes the fastest of three ways, all within P of the corner:

    parabola                      arc                            kink
    ──────╮                       ──────╮                        ──────┐
          │  one brakes while           │  a piece of its own,         │  straight through, so slowly that the
          │  the other starts,          │  which shortens its          │  jump of direction costs one servo cycle
          │  both at half their         │  neighbours and may          │  a tenth of the acceleration
          │  acceleration               │  swallow the first           │

Under G61, and between rapid and feed, there is a stop; but a kink so small that it is harmless at full speed is always
taken straight, which is why tangent arcs flow even there.

The look-ahead walks backwards from every stop: the square of the speed at which a piece may end is at most that of the
next + 2·a·length of the next, and what kinks and axes allow.

Behaviour: LinuxCNC 2.8 and 2.9; R. W. Ellenberg's arc blending of 2014 ("Trajectory Control" in the user manual).
All of it was checked move by move against the running controller (tests/controllers/linuxcnc, docs/cycle-time.md).
"""

import math

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels.jit import lean_kernel, lean_part
from camtwin_kernels.linuxcnc_arc import fastest, fit, half_angle, whole_pull
from camtwin_kernels.linuxcnc_tables import (
    ANGLE,
    ARC,
    ARRIVING,
    BLENDED,
    BOUND,
    CIRCLE,
    CORNER,
    CYCLE,
    EASED,
    EASED_LAST,
    FINAL,
    FIRST,
    FORM,
    FROM,
    KINK,
    LAST_SPOKE,
    LEAVING,
    LENGTH,
    LINE,
    NOMINAL,
    NORMAL,
    OPEN,
    OVERRIDE,
    PARABOLA,
    PATH_SPEED,
    PIECE_COLUMNS,
    PULL,
    Q_BOUND,
    Q_CORNER,
    Q_FINAL,
    Q_FIRST,
    Q_FROM,
    Q_KINK,
    Q_LAST,
    Q_LEAVING,
    Q_LENGTH,
    Q_OPEN,
    Q_PULL,
    Q_RAPID,
    Q_TERM,
    Q_TO,
    Q_TOP,
    Q_WAIT,
    RADIUS,
    RAPID,
    RISE,
    RISEN,
    SHARE,
    SPOKE,
    STOP,
    STRAIGHT,
    SWEPT,
    TERM,
    TO,
    TOLERANCE,
    UX,
    WAIT,
    WANTED,
)

Floats = NDArray[np.float64]

#: The share of acceleration that a kink may take in one servo cycle (LinuxCNC's default).
KINK_SHARE = 0.1
_TOWARDS_CENTRE = math.sqrt(3.0) / 2.0


@lean_kernel
def join(
    pieces: Floats, count: int, circles: Floats, limits: Floats, machine: Floats, work: Floats, rays: Floats,
    queue: Floats,
) -> int:  # fmt: skip
    """Fill ``queue`` with pieces and the arcs between them; return how many rows it has.

    pieces: (count or more, PIECE_COLUMNS); circles: (arcs, CIRCLE_COLUMNS); limits: (2, 3) velocity and acceleration
    machine: (3,); work: (3, WORK_COLUMNS) scratch; rays: (6, 3) scratch; queue: (2·count, QUEUE_COLUMNS)
    """
    done = 0
    old = 0  # row of work that holds the piece before
    for p in range(count):
        new = 1 - old
        _take(pieces[p], circles, machine[CYCLE], work[new])
        if p == 0:
            old = new
            continue
        if pieces[p, WAIT] >= 0.0:
            work[old, OPEN] = 1.0
            done = _store(work[old], queue, done)
            old = new
            continue
        kept = _corner(work, old, new, circles, limits, machine, rays)
        if kept != 1:
            _settle(work[old], circles, machine[CYCLE])
            done = _store(work[old], queue, done)
        if kept != 0:
            done = _store(work[2], queue, done)
        old = new
    if count > 0:
        work[old, OPEN] = 1.0
        done = _store(work[old], queue, done)
    return done


@lean_part
def _take(piece: Floats, circles: Floats, cycle: float, row: Floats) -> None:
    """Begin to work on a piece."""
    for column in range(PIECE_COLUMNS):
        row[column] = piece[column]
    row[NOMINAL] = row[LENGTH]
    row[SHARE] = 0.5
    row[KINK] = -1.0
    row[EASED] = 0.0
    row[EASED_LAST] = 0.0
    row[BLENDED] = 0.0
    row[OPEN] = 1.0
    row[CORNER] = 0.0
    row[BOUND] = min(row[BOUND], row[LENGTH] / cycle)
    if row[FORM] == ARC:
        row[SWEPT] = circles[int(row[CIRCLE]), ANGLE]
        row[RISEN] = circles[int(row[CIRCLE]), RISE]


@lean_part
def _settle(row: Floats, circles: Floats, cycle: float) -> None:
    """Nothing shortens the piece any more: bound its speed by its length, and by the pull towards its centre."""
    row[OPEN] = 0.0
    row[BOUND] = min(row[BOUND], row[LENGTH] / cycle)
    if row[FORM] == ARC:
        radius = circles[int(row[CIRCLE]), RADIUS]
        radius += row[RISEN] * row[RISEN] / radius
        pull = whole_pull(row)
        inwards = row[BOUND] * row[BOUND] / radius
        if inwards > _TOWARDS_CENTRE * pull:
            row[BOUND] = math.sqrt(_TOWARDS_CENTRE * pull * radius)
            row[SHARE] = 0.5
        else:
            row[SHARE] = math.sqrt(1.0 - (inwards / pull) ** 2)


@lean_part
def _store(row: Floats, queue: Floats, done: int) -> int:
    """Move a piece to the queue."""
    out = queue[done]
    out[Q_LENGTH] = row[LENGTH]
    out[Q_PULL] = _pull(row)
    out[Q_TOP] = row[WANTED]
    out[Q_BOUND] = row[BOUND]
    out[Q_TERM] = row[TERM]
    out[Q_KINK] = row[KINK]
    out[Q_LAST] = 0.0
    out[Q_RAPID] = row[RAPID]
    out[Q_FROM] = row[FROM]
    out[Q_TO] = row[TO]
    out[Q_FIRST] = row[FIRST]
    out[Q_FINAL] = row[FINAL]
    out[Q_WAIT] = row[WAIT]
    out[Q_OPEN] = row[OPEN]
    out[Q_CORNER] = np.inf
    if row[TOLERANCE] > 0.0 and row[CORNER] > 1e-3:
        out[Q_CORNER] = 4.0 * row[TOLERANCE] / row[CORNER]
    return done + 1


@lean_part
def _pull(row: Floats) -> float:
    """The acceleration along the piece [mm/s²]."""
    return whole_pull(row) * (row[SHARE] if row[FORM] != LINE else 1.0)


@lean_part
def _corner(work: Floats, old: int, new: int, circles: Floats, limits: Floats, machine: Floats, rays: Floats) -> int:
    """Join two pieces: 0 keeps both as they are, 1 puts an arc in the place of the old one, 2 an arc between them.

    rays 0 and 1: the direction in which the old one ends and the new one begins; the others are scratch.
    """
    before, after, arc = work[old], work[new], work[2]
    if before[RAPID] != after[RAPID]:
        before[TERM] = STOP
    for axis in range(3):
        rays[0, axis] = before[UX + axis] if before[FORM] == LINE else circles[int(before[CIRCLE]), LEAVING + axis]
        rays[1, axis] = after[UX + axis] if after[FORM] == LINE else circles[int(after[CIRCLE]), ARRIVING + axis]
    if not _kink(before, after, limits, machine, rays) or before[TERM] != PARABOLA:
        return 0
    speed = 0.0
    if fit(before, after, arc, circles, limits, machine, rays):
        speed = arc[BOUND]
    _pushes(before, after, circles, rays)
    half = half_angle(rays[4], rays[5])
    by_parabola = 0.5 * _parabola(before, after, half, machine[OVERRIDE])
    if by_parabola >= before[KINK] and by_parabola >= speed:
        before[KINK] = -1.0
        before[EASED_LAST] = 0.0
        after[EASED] = 0.0
        after[BLENDED] = 1.0
        before[CORNER] = math.cos(half)
        return 0
    before[TERM] = STRAIGHT
    if before[KINK] >= speed:
        return 0
    before[KINK] = -1.0
    before[EASED_LAST] = 0.0
    after[EASED] = 0.0
    return _shorten(before, after, arc, rays)


@lean_part
def _kink(before: Floats, after: Floats, limits: Floats, machine: Floats, rays: Floats) -> bool:
    """Take a harmless kink straight; else note how fast it may be taken. False where nothing is left to choose."""
    if before[TERM] == STOP:
        return False
    back = 0.0
    for axis in range(3):
        back += (rays[0, axis] + rays[1, axis]) ** 2
    if back < math.radians(2.0) ** 2:  # a reversal
        before[TERM] = STOP
        return False
    speed = min(fastest(before, machine[OVERRIDE]), fastest(after, machine[OVERRIDE]))
    share = 0.0
    for axis in range(3):
        jump = abs(rays[1, axis] - rays[0, axis]) * (speed / machine[CYCLE] + after[PULL])
        share = max(share, jump / limits[1, axis])
    if before[FORM] == ARC or after[FORM] == ARC:
        share *= 2.0
    is_harmless = share < KINK_SHARE
    if is_harmless:
        before[TERM] = STRAIGHT
        before[KINK] = speed
    else:
        before[KINK] = speed * KINK_SHARE / share
    before[EASED_LAST] = max(before[EASED_LAST], min(share, KINK_SHARE))
    after[EASED] = max(after[EASED], min(share, KINK_SHARE))
    return not is_harmless


@lean_part
def _pushes(before: Floats, after: Floats, circles: Floats, rays: Floats) -> None:
    """Fill rays 4 and 5 with the direction of acceleration at the end of one piece and at the start of the next."""
    for axis in range(3):
        rays[4, axis] = rays[0, axis]
        rays[5, axis] = rays[1, axis]
    if before[FORM] == ARC:
        _around(circles[int(before[CIRCLE])], LAST_SPOKE, rays[4])
    if after[FORM] == ARC:
        circle = circles[int(after[CIRCLE])]
        _around(circle, SPOKE, rays[5])
        along = whole_pull(after)
        inwards = (0.5 * after[WANTED]) ** 2 / circle[RADIUS]
        size = math.hypot(along, inwards)
        for axis in range(3):
            rays[5, axis] = (along * rays[5, axis] - inwards * circle[SPOKE + axis] / circle[RADIUS]) / size


@lean_part
def _around(circle: Floats, spoke: int, ray: Floats) -> None:
    """Fill ``ray`` with the tangent in the plane of the circle, at the end of a spoke."""
    nx, ny, nz = circle[NORMAL], circle[NORMAL + 1], circle[NORMAL + 2]
    sx, sy, sz = circle[spoke], circle[spoke + 1], circle[spoke + 2]
    size = math.sqrt(sx * sx + sy * sy + sz * sz)
    ray[0] = (ny * sz - nz * sy) / size
    ray[1] = (nz * sx - nx * sz) / size
    ray[2] = (nx * sy - ny * sx) / size


@lean_part
def _parabola(before: Floats, after: Floats, half: float, override: float) -> float:
    """The speed in the direction of the bisector while one piece brakes and the other starts [mm/s]."""
    pull, next_pull = _pull(before), _pull(after)
    reach = min(math.sqrt(pull * before[LENGTH] / 2.0), fastest(before, override))
    next_reach = min(math.sqrt(next_pull * after[LENGTH] / 2.0), fastest(after, override))
    lasting = max(reach / pull, next_reach / next_pull)
    lasting = min(lasting, min(before[LENGTH] / reach, after[LENGTH] / next_reach))
    leaving = min(reach, lasting * pull)
    arriving = min(next_reach, lasting * next_pull)
    cosine = math.cos(half)
    if before[TOLERANCE] > 0.0 and cosine > 1e-3:
        bound = 2.0 * math.sqrt(pull * before[TOLERANCE] / cosine)
        leaving = min(leaving, bound)
        arriving = min(arriving, bound)
    return float(math.sin(half) * 0.5 * (leaving + arriving))


@lean_part
def _shorten(before: Floats, after: Floats, arc: Floats, rays: Floats) -> int:
    """Take from both pieces what the arc covers: 1 if it swallows the old one, else 2."""
    arc[TO] = after[FROM] + _cut(after, rays[2, 1])
    after[FROM] = arc[TO]
    if rays[2, 2] == 1.0:
        arc[FROM] = before[FROM]
        return 1
    before[TO] -= _cut(before, rays[2, 0])
    arc[FROM] = before[TO]
    return 2


@lean_part
def _cut(row: Floats, off: float) -> float:
    """Shorten a line by a length, an arc by an angle; return how much of the programmed path that is [mm]."""
    share = off / (row[LENGTH] if row[FORM] == LINE else row[SWEPT])
    row[LENGTH] *= 1.0 - share
    row[SWEPT] *= 1.0 - share
    row[RISEN] *= 1.0 - share
    return float(share * (row[TO] - row[FROM]))


@lean_kernel
def look_ahead(queue: Floats, count: int, machine: Floats) -> None:
    """Fill the last speed of every piece, backwards, and the speeds of every parabola."""
    cycle = machine[CYCLE]
    for i in range(count - 1, 0, -1):
        before, after = queue[i - 1], queue[i]
        if after[Q_WAIT] >= 0.0 or before[Q_TERM] != STRAIGHT:
            continue
        bound = before[Q_BOUND]
        if before[Q_KINK] >= 0.0:
            bound = min(bound, before[Q_KINK])
        if after[Q_OPEN] == 1.0:
            # the next move may yet take half of the last one: be able to stop within the other half
            reach = math.sqrt(0.5 * after[Q_PULL] * after[Q_LENGTH])
            before[Q_LAST] = min(bound, min(reach, min(after[Q_TOP] * machine[OVERRIDE], after[Q_BOUND])))
            continue
        after[Q_BOUND] = min(after[Q_BOUND], after[Q_LENGTH] / (1.02 * cycle))
        square = after[Q_LAST] ** 2 + 2.0 * after[Q_PULL] * after[Q_LENGTH]
        before[Q_LAST] = min(math.sqrt(square), min(bound, after[Q_BOUND]))
    for i in range(count):
        queue[i, Q_TOP] = min(queue[i, Q_TOP], min(queue[i, Q_BOUND], machine[PATH_SPEED]))
    for i in range(count - 1):
        before, after = queue[i], queue[i + 1]
        if after[Q_WAIT] >= 0.0 or before[Q_TERM] != PARABOLA:
            continue
        reach = min(math.sqrt(before[Q_PULL] * before[Q_LENGTH]), before[Q_TOP])
        room = after[Q_LENGTH] * (0.5 if after[Q_OPEN] == 1.0 else 1.0)
        next_reach = min(math.sqrt(after[Q_PULL] * room), after[Q_TOP])
        lasting = max(reach / before[Q_PULL], next_reach / after[Q_PULL])
        lasting = min(lasting, min(before[Q_LENGTH] / reach, after[Q_LENGTH] / next_reach))
        bound = math.sqrt(before[Q_PULL] * before[Q_CORNER])
        before[Q_LEAVING] = min(bound, min(reach, lasting * before[Q_PULL]))
