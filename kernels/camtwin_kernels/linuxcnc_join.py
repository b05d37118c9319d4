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

The arc. It touches both pieces at distance d from the corner, on a circle of radius R = d·tan θ, where θ is half the
angle between the pieces. Three things bound d: half of each piece, the tolerance (d ≤ P·cos θ/(1 - sin θ)), and that a
larger circle than the speed needs is not drawn. Speed² ≤ R·a·√3/2, leaving a/2 to gain or lose speed on it.
Where a piece is an arc itself, it is first taken for its chord or tangent, then the circle that touches both is found.

The look-ahead walks backwards from every stop: speed² at the end of a piece ≤ speed² at the end of the next + 2·a·length
of the next, and ≤ what kinks and axes allow.

Behaviour: LinuxCNC 2.8 and 2.9; R. W. Ellenberg's arc blending of 2014 ("Trajectory Control" in the user manual).
All of it was checked move by move against the running controller (tests/controllers/linuxcnc, docs/cycle-time.md).
"""

import math

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels.jit import kernel
from camtwin_kernels.linuxcnc_merge import (
    ANGLE,
    ARRIVING,
    BOUND,
    CIRCLE,
    FINAL,
    FIRST,
    FORM,
    FROM,
    LAST_SPOKE,
    LEAVING,
    LENGTH,
    NORMAL,
    PIECE_COLUMNS,
    PULL,
    RADIUS,
    RAPID,
    RISE,
    SPOKE,
    TERM,
    TO,
    TOLERANCE,
    UX,
    WAIT,
    WANTED,
)

Floats = NDArray[np.float64]

# What a piece gains while it is joined; these columns follow those of a piece in the work table.
(
    NOMINAL,  # its length before corners took from it [mm]
    SHARE,  # of its acceleration that is left along an arc
    KINK,  # speed at which the kink at its end may be taken [mm/s]; < 0: there is none
    EASED,  # share of acceleration that the kink at its start takes
    EASED_LAST,  # the same of the kink at its end
    BLENDED,  # 1 if it begins with a parabola
    OPEN,  # 1 while the next piece may still shorten it
    SWEPT,  # angle of an arc that is left [rad]
    RISEN,  # rise of an arc that is left [mm]
    CORNER,  # cosine of half the angle at the parabola at its end
    WORK_COLUMNS,
) = range(PIECE_COLUMNS, PIECE_COLUMNS + 11)

# Columns of the finished queue.
(
    Q_LENGTH,  # [mm]
    Q_PULL,  # acceleration along it [mm/s²]
    Q_TOP,  # highest speed in it [mm/s]
    Q_BOUND,  # highest speed that its neighbours may plan with [mm/s]
    Q_TERM,  # 0 stop, 1 exact path, 2 parabola, 3 straight on
    Q_KINK,
    Q_LAST,  # how fast it may end [mm/s]
    Q_RAPID,
    Q_FROM, Q_TO,  # what it covers of the programmed path [mm]
    Q_FIRST, Q_FINAL,  # its first and last move
    Q_WAIT,  # [s], < 0 for none
    Q_CORNER,  # bound of a parabola's speed² over acceleration [mm], inf for none
    Q_LEAVING,  # speed at which it begins to blend into the next [mm/s]
    Q_ARRIVING,  # speed that the next has reached when the blend is over [mm/s]
    Q_OPEN,
    QUEUE_COLUMNS,
) = range(18)  # fmt: skip

STOP, EXACT, PARABOLA, STRAIGHT = 0.0, 1.0, 2.0, 3.0
LINE, ARC, BLEND = 0.0, 1.0, 2.0

# Columns of the machine's row.
CYCLE, OVERRIDE, PATH_SPEED = range(3)  # servo period [s], greatest feed override, cap along the path [mm/s]

#: The share of acceleration that a kink may take in one servo cycle (LinuxCNC's default).
KINK_SHARE = 0.1
#: An arc swallows the line before it if less than so many cycles of that line are left.
GAP_CYCLES = 4.0
_TOWARDS_CENTRE = math.sqrt(3.0) / 2.0
_TINY = 1e-12


@kernel
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


@kernel
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


@kernel
def _settle(row: Floats, circles: Floats, cycle: float) -> None:
    """Nothing shortens the piece any more: bound its speed by its length, and by the pull towards its centre."""
    row[OPEN] = 0.0
    row[BOUND] = min(row[BOUND], row[LENGTH] / cycle)
    if row[FORM] == ARC:
        radius = circles[int(row[CIRCLE]), RADIUS]
        radius += row[RISEN] * row[RISEN] / radius
        pull = _whole_pull(row)
        inwards = row[BOUND] * row[BOUND] / radius
        if inwards > _TOWARDS_CENTRE * pull:
            row[BOUND] = math.sqrt(_TOWARDS_CENTRE * pull * radius)
            row[SHARE] = 0.5
        else:
            row[SHARE] = math.sqrt(1.0 - (inwards / pull) ** 2)


@kernel
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


@kernel
def _whole_pull(row: Floats) -> float:
    """The acceleration that kinks and parabolas leave [mm/s²]."""
    half = 0.5 if row[BLENDED] == 1.0 or row[TERM] == PARABOLA else 1.0
    return row[PULL] * (1.0 - max(row[EASED], row[EASED_LAST])) * half


@kernel
def _pull(row: Floats) -> float:
    """The acceleration along the piece [mm/s²]."""
    return _whole_pull(row) * (row[SHARE] if row[FORM] != LINE else 1.0)


@kernel
def _fastest(row: Floats, override: float) -> float:
    return min(row[WANTED] * override, row[BOUND])


@kernel
def _half_angle(one: Floats, other: Floats) -> float:
    """Half the angle between two pieces: π/2 is straight on, 0 a reversal."""
    cosine = -(one[0] * other[0] + one[1] * other[1] + one[2] * other[2])
    return 0.5 * math.acos(min(1.0, max(-1.0, cosine)))


@kernel
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
    if _fit(before, after, arc, circles, limits, machine, rays):
        speed = arc[BOUND]
    _pushes(before, after, circles, rays)
    half = _half_angle(rays[4], rays[5])
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


@kernel
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
    speed = min(_fastest(before, machine[OVERRIDE]), _fastest(after, machine[OVERRIDE]))
    share = 0.0
    for axis in range(3):
        jump = abs(rays[1, axis] - rays[0, axis]) * speed / machine[CYCLE]
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


@kernel
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
        along = _whole_pull(after)
        inwards = (0.5 * after[WANTED]) ** 2 / circle[RADIUS]
        size = math.hypot(along, inwards)
        for axis in range(3):
            rays[5, axis] = (along * rays[5, axis] - inwards * circle[SPOKE + axis] / circle[RADIUS]) / size


@kernel
def _around(circle: Floats, spoke: int, ray: Floats) -> None:
    """Fill ``ray`` with the tangent in the plane of the circle, at the end of a spoke."""
    nx, ny, nz = circle[NORMAL], circle[NORMAL + 1], circle[NORMAL + 2]
    sx, sy, sz = circle[spoke], circle[spoke + 1], circle[spoke + 2]
    size = math.sqrt(sx * sx + sy * sy + sz * sz)
    ray[0] = (ny * sz - nz * sy) / size
    ray[1] = (nz * sx - nx * sz) / size
    ray[2] = (nx * sy - ny * sx) / size


@kernel
def _parabola(before: Floats, after: Floats, half: float, override: float) -> float:
    """The speed in the direction of the bisector while one piece brakes and the other starts [mm/s]."""
    pull, next_pull = _pull(before), _pull(after)
    reach = min(math.sqrt(pull * before[LENGTH] / 2.0), _fastest(before, override))
    next_reach = min(math.sqrt(next_pull * after[LENGTH] / 2.0), _fastest(after, override))
    lasting = max(reach / pull, next_reach / next_pull)
    lasting = min(lasting, min(before[LENGTH] / reach, after[LENGTH] / next_reach))
    leaving = min(reach, lasting * pull)
    arriving = min(next_reach, lasting * next_pull)
    cosine = math.cos(half)
    if before[TOLERANCE] > 0.0 and cosine > 1e-3:
        bound = 2.0 * math.sqrt(pull * before[TOLERANCE] / cosine)
        leaving = min(leaving, bound)
        arriving = min(arriving, bound)
    return math.sin(half) * 0.5 * (leaving + arriving)


@kernel
def _within(normal: Floats, limits: Floats) -> float:
    """The limit that the axes keep in every direction of the plane with this normal."""
    limit = np.inf
    for axis in range(3):
        share = math.sqrt(max(1e-24, 1.0 - normal[axis] * normal[axis]))
        limit = min(limit, limits[axis] / share)
    return limit


@kernel
def _fit(
    before: Floats, after: Floats, arc: Floats, circles: Floats, limits: Floats, machine: Floats, rays: Floats
) -> bool:
    """Fill ``arc`` with the arc that rounds the corner. False where none fits.

    On return rays 2 holds how much it takes off the old piece, off the new one, and whether it swallows the old one.
    """
    tangent_half = _half_angle(rays[0], rays[1])
    if math.pi / 2 - tangent_half < 1e-6 or tangent_half < 1e-6:
        return False
    # rays 3: normal of the corner; rays 4, 5: the directions, of an arc those of a chord near the corner
    for axis in range(3):
        second, third = (axis + 1) % 3, (axis + 2) % 3
        rays[3, axis] = rays[0, second] * rays[1, third] - rays[0, third] * rays[1, second]
        rays[4, axis] = rays[0, axis]
        rays[5, axis] = rays[1, axis]
    size = math.sqrt(rays[3, 0] ** 2 + rays[3, 1] ** 2 + rays[3, 2] ** 2)
    for axis in range(3):
        rays[3, axis] /= size
    half = tangent_half
    first_is_hollow, second_is_hollow = False, False
    first_sweep, second_sweep = np.inf, np.inf
    reach, next_reach = min(before[LENGTH], 0.5 * before[NOMINAL]), 0.5 * after[LENGTH]
    if before[FORM] == ARC:
        circle = circles[int(before[CIRCLE])]
        if not _is_coplanar(circle, rays[3]):
            return False
        first_is_hollow = _dot(circle, LAST_SPOKE, rays[1]) < 0.0
        first_sweep = min(before[SWEPT] * 2.0 / 3.0, tangent_half if first_is_hollow else math.pi / 2)
        reach = first_sweep * circle[RADIUS]
        if first_is_hollow:
            _turn(rays[4], circle, -first_sweep / 4.0)
            half = min(half, tangent_half - first_sweep / 4.0)
            reach = math.sin(first_sweep / 4.0) * circle[RADIUS]
    if after[FORM] == ARC:
        circle = circles[int(after[CIRCLE])]
        if not _is_coplanar(circle, rays[3]):
            return False
        second_is_hollow = _dot(circle, SPOKE, rays[0]) > 0.0
        second_sweep = min(after[SWEPT] / 3.0, tangent_half if second_is_hollow else math.pi / 2)
        next_reach = second_sweep * circle[RADIUS]
        if second_is_hollow:
            _turn(rays[5], circle, second_sweep / 4.0)
            half = min(half, tangent_half - second_sweep / 4.0)
            next_reach = math.sin(second_sweep / 4.0) * circle[RADIUS]
    if before[FORM] == ARC and after[FORM] == ARC and half < math.pi / 12:
        return False
    tolerance = _room(before, after)
    reach = min(reach, min(next_reach, math.cos(half) * tolerance / (1.0 - math.sin(half))))
    pull = _within(rays[3], limits[1])
    radius, speed = _radius(before, after, half, reach, pull, limits, machine[OVERRIDE], rays)
    turned = math.pi - 2.0 * half
    if radius < _TINY or radius * turned < 1e-6:
        return False
    rays[2, 0] = radius / math.tan(half)
    rays[2, 1] = rays[2, 0]
    rays[2, 2] = turned
    if before[FORM] == ARC or after[FORM] == ARC:
        signs = (-1.0 if first_is_hollow else 1.0, -1.0 if second_is_hollow else 1.0)
        if not _place(before, after, circles, radius, signs, tolerance, rays):
            return False
        if rays[2, 0] > first_sweep or rays[2, 1] > second_sweep:
            return False
    _describe(before, after, arc, radius, speed, pull, machine[CYCLE], rays)
    return True


@kernel
def _describe(
    before: Floats, after: Floats, arc: Floats, radius: float, speed: float, pull: float, cycle: float, rays: Floats
) -> None:
    """Fill ``arc`` as a piece; rays 2 holds its angle, and gets whether it swallows the piece before."""
    swallowed = 0.0
    rest = before[LENGTH] - rays[2, 0]
    turned = rays[2, 2]
    rays[2, 2] = 0.0
    if before[FORM] == LINE and before[BLENDED] == 0.0 and rest / speed < GAP_CYCLES * cycle:
        swallowed = rest
        rays[2, 2] = 1.0
    for column in range(WORK_COLUMNS):
        arc[column] = 0.0
    arc[FORM] = BLEND
    arc[LENGTH] = radius * turned + swallowed
    arc[WANTED] = max(_fastest(before, 1.0), _fastest(after, 1.0))
    arc[BOUND] = min(speed, arc[LENGTH] / cycle)
    arc[PULL] = pull
    arc[SHARE] = 0.5
    arc[TERM] = STRAIGHT
    arc[KINK] = -1.0
    arc[RAPID] = before[RAPID]
    arc[FIRST] = before[FIRST] if swallowed > 0.0 else before[FINAL]
    arc[FINAL] = after[FIRST]
    arc[WAIT] = before[WAIT] if rays[2, 2] == 1.0 else -1.0


@kernel
def _room(before: Floats, after: Floats) -> float:
    """How far the corner may be cut [mm]: P, and no more than a quarter of either piece."""
    room = 0.25 * min(before[NOMINAL], after[NOMINAL])
    if before[TOLERANCE] > 0.0:
        room = min(room, before[TOLERANCE])
    if after[TOLERANCE] > 0.0:
        room = min(room, after[TOLERANCE])
    return room


@kernel
def _radius(
    before: Floats, after: Floats, half: float, reach: float, pull: float, limits: Floats, override: float, rays: Floats
) -> tuple[float, float]:
    """The radius of the arc [mm] and its speed [mm/s], for a corner of which ``reach`` may be taken on either side."""
    goal = max(_fastest(before, override), _fastest(after, override))
    bound = _within(rays[3], limits[0])
    turned = math.pi - 2.0 * half
    if before[FORM] != ARC and after[FORM] != ARC:
        # both lines at full speed span a triangle of velocities; its height is what every direction between allows
        steep = math.cos(min(turned, 0.49 * math.pi))
        one, two = min(before[BOUND], after[BOUND] / steep), min(after[BOUND], before[BOUND] / steep)
        base = 0.0
        for axis in range(3):
            base += (two * rays[5, axis] - one * rays[4, axis]) ** 2
        bound = max(bound, one * two * math.sin(turned) / math.sqrt(base))
    goal = min(goal, bound)
    inwards = _TOWARDS_CENTRE * pull
    largest = math.tan(half) * reach
    speed = min(math.sqrt(inwards * largest), goal)
    # how long a parabola of the same reach would take: the arc is drawn as long as that, if it fits
    lasting = min(math.sqrt(pull * reach), speed) / (0.5 * pull)
    return max(speed * speed / inwards, min(lasting * speed / turned, largest)), speed


@kernel
def _dot(circle: Floats, spoke: int, ray: Floats) -> float:
    return circle[spoke] * ray[0] + circle[spoke + 1] * ray[1] + circle[spoke + 2] * ray[2]


@kernel
def _is_coplanar(circle: Floats, normal: Floats) -> bool:
    same = 0.0
    opposite = 0.0
    for axis in range(3):
        same += (circle[NORMAL + axis] - normal[axis]) ** 2
        opposite += (circle[NORMAL + axis] + normal[axis]) ** 2
    return min(same, opposite) < 1e-12


@kernel
def _turn(ray: Floats, circle: Floats, angle: float) -> None:
    """Turn a ray of the circle's plane about its normal."""
    cosine, sine = math.cos(angle), math.sin(angle)
    nx, ny, nz = circle[NORMAL], circle[NORMAL + 1], circle[NORMAL + 2]
    x, y, z = ray[0], ray[1], ray[2]
    ray[0] = x * cosine + (ny * z - nz * y) * sine
    ray[1] = y * cosine + (nz * x - nx * z) * sine
    ray[2] = z * cosine + (nx * y - ny * x) * sine


@kernel
def _place(
    before: Floats, after: Floats, circles: Floats, radius: float, signs: tuple[float, float], tolerance: float,
    rays: Floats,
) -> bool:  # fmt: skip
    """Find the circle of ``radius`` that touches both pieces; fill rays 2 with what it takes off them and its angle.

    In the plane of the corner, which is the origin; x points as the old piece ends. Of an arc an angle is taken off.
    """
    x_axis, normal = rays[0], rays[3]
    y0 = normal[1] * x_axis[2] - normal[2] * x_axis[1]
    y1 = normal[2] * x_axis[0] - normal[0] * x_axis[2]
    y2 = normal[0] * x_axis[1] - normal[1] * x_axis[0]
    both = before[FORM] == ARC and after[FORM] == ARC
    ax, ay, far_a, bx, by, far_b = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    if before[FORM] == ARC:
        circle = circles[int(before[CIRCLE])]
        ax = -_dot(circle, LAST_SPOKE, x_axis)
        ay = -(circle[LAST_SPOKE] * y0 + circle[LAST_SPOKE + 1] * y1 + circle[LAST_SPOKE + 2] * y2)
        far_a = circle[RADIUS] + signs[0] * radius
    if after[FORM] == ARC:
        circle = circles[int(after[CIRCLE])]
        bx = -_dot(circle, SPOKE, x_axis)
        by = -(circle[SPOKE] * y0 + circle[SPOKE + 1] * y1 + circle[SPOKE + 2] * y2)
        far_b = circle[RADIUS] + signs[1] * radius
    along, lx, ly = 0.0, 0.0, 0.0
    if both:
        x, y = _between(ax, ay, far_a, bx, by, far_b)
    else:
        ray = rays[4] if before[FORM] != ARC else rays[5]
        lx = ray[0] * x_axis[0] + ray[1] * x_axis[1] + ray[2] * x_axis[2]
        ly = ray[0] * y0 + ray[1] * y1 + ray[2] * y2
        cx, cy, far = (bx, by, far_b) if before[FORM] != ARC else (ax, ay, far_a)
        across = radius - (cy * lx - cx * ly)
        middle = cx * lx + cy * ly
        square = far * far - across * across
        root = math.sqrt(max(0.0, square))
        if square < 0.0:
            return False
        along = min(abs(middle + root), abs(middle - root))
        side = -along if before[FORM] != ARC else along
        x, y = side * lx - radius * ly, side * ly + radius * lx
    if not math.hypot(x, y) - radius <= tolerance:
        return False
    if before[FORM] == ARC:
        rays[2, 0] = abs(_wrap(math.atan2(y - ay, x - ax) - math.atan2(-ay, -ax)))
        stretch = (far_a - signs[0] * radius) / far_a
        sx, sy = ax + (x - ax) * stretch, ay + (y - ay) * stretch
    else:
        rays[2, 0] = along
        sx, sy = -along * lx, -along * ly
    if after[FORM] == ARC:
        rays[2, 1] = abs(_wrap(math.atan2(y - by, x - bx) - math.atan2(-by, -bx)))
        stretch = (far_b - signs[1] * radius) / far_b
        ex, ey = bx + (x - bx) * stretch, by + (y - by) * stretch
    else:
        rays[2, 1] = along
        ex, ey = along * lx, along * ly
    rays[2, 2] = abs(_wrap(math.atan2(ey - y, ex - x) - math.atan2(sy - y, sx - x)))
    return True


@kernel
def _between(ax: float, ay: float, far_a: float, bx: float, by: float, far_b: float) -> tuple[float, float]:
    """The point at given distances from two others that is nearer to the origin; NaN where there is none."""
    dx, dy = bx - ax, by - ay
    apart = math.hypot(dx, dy)
    along = (far_a * far_a - far_b * far_b + apart * apart) / (2.0 * apart)
    square = far_a * far_a - along * along
    if square < 0.0:
        return math.nan, math.nan
    across = math.sqrt(square)
    x, y = ax + along * dx / apart, ay + along * dy / apart
    ox, oy = across * dy / apart, across * dx / apart
    if math.hypot(x - ox, y + oy) <= math.hypot(x + ox, y - oy):
        return x - ox, y + oy
    return x + ox, y - oy


@kernel
def _wrap(angle: float) -> float:
    """The same angle between -π and π."""
    return angle - math.tau * math.floor((angle + math.pi) / math.tau)


@kernel
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


@kernel
def _cut(row: Floats, off: float) -> float:
    """Shorten a line by a length, an arc by an angle; return how much of the programmed path that is [mm]."""
    share = off / (row[LENGTH] if row[FORM] == LINE else row[SWEPT])
    row[LENGTH] *= 1.0 - share
    row[SWEPT] *= 1.0 - share
    row[RISEN] *= 1.0 - share
    return share * (row[TO] - row[FROM])


@kernel
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
        before[Q_ARRIVING] = min(bound, min(next_reach, lasting * after[Q_PULL]))
