# SPDX-License-Identifier: LGPL-2.1-or-later
"""The arc with which LinuxCNC rounds a corner: as large as the tolerance, the pieces and the wanted speed allow.

It touches both pieces at distance d from the corner, on a circle of radius R = d·tan θ, θ half the angle between them:

        ────────●                      Three things bound d: half of either piece, the tolerance
           d    ┊ ╲                    (d ≤ P·cos θ/(1 - sin θ)), and that a larger circle than
                ┊   ╲  R               the speed needs is not drawn.
                ┊    ●                 Speed² ≤ R·a·√3/2, which leaves a/2 along the arc.
             corner  │ d
                     │

Where a piece is an arc itself, it is first taken for its tangent or, if the corner lies inside it, for a chord; then
the circle of that radius that touches both is found, and is dropped if it misses the corner by more than the tolerance.

Source: R. W. Ellenberg's arc blending for LinuxCNC, 2014, as documented in its user manual, "Trajectory Control".
"""

import math

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels.jit import lean_part
from camtwin_kernels.linuxcnc_tables import (
    ARC,
    BLEND,
    BLENDED,
    BOUND,
    CIRCLE,
    CYCLE,
    EASED,
    EASED_LAST,
    FINAL,
    FIRST,
    FORM,
    HELD,
    KINK,
    LAST_SPOKE,
    LENGTH,
    LINE,
    NOMINAL,
    NORMAL,
    OVERRIDE,
    PARABOLA,
    PULL,
    RADIUS,
    RAPID,
    SHARE,
    SPOKE,
    STRAIGHT,
    SWEPT,
    TERM,
    TOLERANCE,
    WAIT,
    WANTED,
    WORK_COLUMNS,
)

Floats = NDArray[np.float64]

#: An arc swallows the line before it if less than so many cycles of that line are left.
GAP_CYCLES = 4.0
_TOWARDS_CENTRE = math.sqrt(3.0) / 2.0
_TINY = 1e-12


@lean_part
def whole_pull(row: Floats) -> float:
    """The acceleration that kinks and parabolas leave [mm/s²]."""
    half = 0.5 if row[BLENDED] == 1.0 or row[TERM] == PARABOLA else 1.0
    return float(row[PULL] * (1.0 - max(row[EASED], row[EASED_LAST])) * half)


@lean_part
def fastest(row: Floats, override: float) -> float:
    """Return the highest speed that a piece may be run at, with the feed override up [mm/s]."""
    return float(min(row[WANTED] * override, row[BOUND]))


@lean_part
def half_angle(one: Floats, other: Floats) -> float:
    """Half the angle between two pieces: π/2 is straight on, 0 a reversal."""
    cosine = -(one[0] * other[0] + one[1] * other[1] + one[2] * other[2])
    return 0.5 * math.acos(min(1.0, max(-1.0, cosine)))


@lean_part
def _within(normal: Floats, limits: Floats) -> float:
    """The limit that the axes keep in every direction of the plane with this normal."""
    limit = np.inf
    for axis in range(3):
        share = math.sqrt(max(1e-24, 1.0 - normal[axis] * normal[axis]))
        limit = min(limit, limits[axis] / share)
    return limit


@lean_part
def fit(  # noqa: C901 - each way out is one condition of the fit
    before: Floats, after: Floats, arc: Floats, circles: Floats, limits: Floats, machine: Floats, rays: Floats
) -> bool:
    """Fill ``arc`` with the arc that rounds the corner. False where none fits.

    On return rays 2 holds how much it takes off the old piece, off the new one, and whether it swallows the old one.
    """
    straight = half_angle(rays[0], rays[1])
    if math.pi / 2 - straight < 1e-6 or straight < 1e-6 or not _lies_flat(before, after, circles, straight, rays):
        return False
    first_sweep, first_sign, second_sweep, second_sign = np.inf, 1.0, np.inf, 1.0
    reach, next_reach, half = min(before[LENGTH], 0.5 * before[NOMINAL]), 0.5 * after[LENGTH], straight
    if before[FORM] == ARC:
        reach, first_sweep, first_sign, half = _along_arc(before, circles, LAST_SPOKE, 1.0, straight, half, rays)
    if after[FORM] == ARC:
        next_reach, second_sweep, second_sign, half = _along_arc(after, circles, SPOKE, -1.0, straight, half, rays)
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
        signs = (first_sign, second_sign)
        if not _place(before, after, circles, radius, signs, tolerance, rays):
            return False
        if rays[2, 0] > first_sweep or rays[2, 1] > second_sweep:
            return False
    _describe(before, after, arc, radius, speed, pull, machine[CYCLE], rays)
    return True


@lean_part
def _lies_flat(before: Floats, after: Floats, circles: Floats, straight: float, rays: Floats) -> bool:
    """Fill rays 3 with the corner's normal, 4 and 5 with its directions; False if an arc lies off its plane."""
    for axis in range(3):
        second, third = (axis + 1) % 3, (axis + 2) % 3
        rays[3, axis] = rays[0, second] * rays[1, third] - rays[0, third] * rays[1, second]
        rays[4, axis] = rays[0, axis]
        rays[5, axis] = rays[1, axis]
    size = math.sqrt(rays[3, 0] ** 2 + rays[3, 1] ** 2 + rays[3, 2] ** 2)
    for axis in range(3):
        rays[3, axis] /= size
    if before[FORM] == ARC and not _is_coplanar(circles[int(before[CIRCLE])], rays[3]):
        return False
    return after[FORM] != ARC or _is_coplanar(circles[int(after[CIRCLE])], rays[3])


@lean_part
def _along_arc(
    row: Floats, circles: Floats, spoke: int, side: float, straight: float, half: float, rays: Floats
) -> tuple[float, float, float, float]:
    """How much of an arc the corner may take: length, angle, -1 if it is inside the arc, and the corner's half angle.

    ``side`` is 1 for the old piece and -1 for the new one. Inside, the arc is taken for a chord: its ray is turned.
    """
    circle = circles[int(row[CIRCLE])]
    other = rays[1] if side > 0.0 else rays[0]
    is_inside = side * _dot(circle, spoke, other) < 0.0
    sweep = min(row[SWEPT] * (0.5 + side / 6.0), straight if is_inside else math.pi / 2)
    if not is_inside:
        return sweep * circle[RADIUS], sweep, 1.0, half
    _turn(rays[4] if side > 0.0 else rays[5], circle, -side * sweep / 4.0)
    return math.sin(sweep / 4.0) * circle[RADIUS], sweep, -1.0, min(half, straight - sweep / 4.0)


@lean_part
def _describe(
    before: Floats, after: Floats, arc: Floats, radius: float, speed: float, pull: float, cycle: float, rays: Floats
) -> None:
    """Fill ``arc`` as a piece; rays 2 holds its angle, and gets whether it swallows the piece before."""
    swallowed = 0.0
    rest = before[LENGTH] - rays[2, 0]
    turned = rays[2, 2]
    rays[2, 2] = 0.0
    if before[FORM] == LINE and before[BLENDED] + before[HELD] == 0.0 and rest / speed < GAP_CYCLES * cycle:
        swallowed = rest
        rays[2, 2] = 1.0
    for column in range(WORK_COLUMNS):
        arc[column] = 0.0
    arc[FORM] = BLEND
    arc[LENGTH] = radius * turned + swallowed
    arc[WANTED] = max(fastest(before, 1.0), fastest(after, 1.0))
    arc[BOUND] = min(speed, arc[LENGTH] / cycle)
    arc[PULL] = pull
    arc[SHARE] = 0.5
    arc[TERM] = STRAIGHT
    arc[KINK] = -1.0
    arc[RAPID] = before[RAPID]
    arc[FIRST] = before[FIRST] if swallowed > 0.0 else before[FINAL]
    arc[FINAL] = after[FIRST]
    arc[WAIT] = before[WAIT] if rays[2, 2] == 1.0 else -1.0


@lean_part
def _room(before: Floats, after: Floats) -> float:
    """How far the corner may be cut [mm]: P, and no more than a quarter of either piece."""
    room = 0.25 * min(before[NOMINAL], after[NOMINAL])
    if before[TOLERANCE] > 0.0:
        room = min(room, before[TOLERANCE])
    if after[TOLERANCE] > 0.0:
        room = min(room, after[TOLERANCE])
    return float(room)


@lean_part
def _radius(
    before: Floats, after: Floats, half: float, reach: float, pull: float, limits: Floats, override: float, rays: Floats
) -> tuple[float, float]:
    """The radius of the arc [mm] and its speed [mm/s], for a corner of which ``reach`` may be taken on either side."""
    goal = max(fastest(before, override), fastest(after, override))
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


@lean_part
def _dot(circle: Floats, spoke: int, ray: Floats) -> float:
    return float(circle[spoke] * ray[0] + circle[spoke + 1] * ray[1] + circle[spoke + 2] * ray[2])


@lean_part
def _is_coplanar(circle: Floats, normal: Floats) -> bool:
    same = 0.0
    opposite = 0.0
    for axis in range(3):
        same += (circle[NORMAL + axis] - normal[axis]) ** 2
        opposite += (circle[NORMAL + axis] + normal[axis]) ** 2
    return min(same, opposite) < 1e-12


@lean_part
def _turn(ray: Floats, circle: Floats, angle: float) -> None:
    """Turn a ray of the circle's plane about its normal."""
    cosine, sine = math.cos(angle), math.sin(angle)
    nx, ny, nz = circle[NORMAL], circle[NORMAL + 1], circle[NORMAL + 2]
    x, y, z = ray[0], ray[1], ray[2]
    ray[0] = x * cosine + (ny * z - nz * y) * sine
    ray[1] = y * cosine + (nz * x - nx * z) * sine
    ray[2] = z * cosine + (nx * y - ny * x) * sine


@lean_part
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


@lean_part
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


@lean_part
def _wrap(angle: float) -> float:
    """The same angle between -π and π."""
    return angle - math.tau * math.floor((angle + math.pi) / math.tau)
