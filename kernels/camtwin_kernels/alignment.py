# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where on its path the machine is: map matching that keeps the way, finds it again, and knows its line.

The essay
=========
The path is a chain of straight segments (arcs as chords), each with its way, the length of path before it. A
machine that was at way s, and whose measured position p has moved by m since, is now at the way w that makes

    d(p, path(w))² + λ·(w - s - m)²          f - back ≤ w ≤ s + 1.5·m + slack

least, f being the farthest way so far: near the path, as far along it as the tool has come, and not going back by
more than noise can. The second term is what keeps neighbouring passes, tight
loops and pecks of a drill apart, which are near each other in space and far apart in way; without it a match that once
slips onto the next pass waits there until the tool comes by (published map matchers use the same ratio of route
length to distance: Newson and Krumm, 2009, "Hidden Markov map matching through noise and sparseness"; here
samples are so dense that one hypothesis and a bounded window stand for the whole trellis). On one segment, from A
along u, the least lies at ((p - A)·u + λ·(s + m - way of A)) / (1 + λ), clipped to segment and window.

A match is lost when p stays farther than ``limit`` from the path for a while, or when no sample came for a while, or
when the controller's line says that the tool is elsewhere. Then every pass within ``limit`` of p is a candidate, one
for each visit of the path to that ball; each is followed until the tool has come 20 mm, and the one that stays nearest
wins. Where they tie (a path made twice), the one nearest in predicted time does.

Lag and bias do not belong here: they are taken out of p first (``twin.lag``).
"""

import math
from typing import Any

from camtwin_kernels.jit import lean_kernel, lean_part

#: Columns of a segment: where it starts, its direction, its length, the length of path before it.
X, Y, Z, UX, UY, UZ, LENGTH, WAY = 0, 1, 2, 3, 4, 5, 6, 7
SEGMENT = 8
#: What a follower remembers between calls: way, time and position of the last sample, seconds off the path, when to
#: search again, the segment (-1 while lost), the greatest way since it was found, 1 if the lines are of something else.
AT, TIME, LAST_X, LAST_Y, LAST_Z, OFF, RETRY, HELD, FARTHEST, DOUBT = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
MEMORY = 10
#: Parameters of ``follow_positions``: farthest from the path [mm], longest silence [s], greatest speed [mm/s], λ, slack
#: and back [mm].
LIMIT, SILENCE, SPEED, WEIGHT, SLACK, BACK = 0, 1, 2, 3, 4, 5
#: Most candidates of a search.
CANDIDATES = 64
_PATIENCE = 0.15  # seconds off the path until it counts as lost
_AGAIN = 0.25  # seconds between searches
_STRAY = 5.0  # a single sample may be so far off [mm] before it is not believed
_TRIAL_WAY, _TRIAL_SAMPLES = 20.0, 3000  # how far candidates are followed
_TIE = 1e-3  # [mm²] per second of predicted time: decides between candidates that fit alike


@lean_part
def step(
    segments: Any, j: int, way: float, farthest: float, p: tuple[float, float, float], moved: float, parameters: Any
) -> tuple[int, float, float]:
    """Return segment, way and squared distance of the point of the path that fits best; see the essay."""
    weight, reach, back = parameters[WEIGHT], 1.5 * moved + parameters[SLACK], farthest - parameters[BACK]
    while j > 0 and segments[j, WAY] > back:
        j -= 1
    least, best, best_way, best_off = math.inf, j, way, math.inf
    last = segments.shape[0]
    while j < last and segments[j, WAY] <= way + reach:
        begin = segments[j, WAY]
        dx, dy, dz = p[0] - segments[j, X], p[1] - segments[j, Y], p[2] - segments[j, Z]
        along = dx * segments[j, UX] + dy * segments[j, UY] + dz * segments[j, UZ]
        at = (along + weight * (way + moved - begin)) / (1.0 + weight)
        at = min(max(at, back - begin, 0.0), way + reach - begin, segments[j, LENGTH])
        off = max(dx * dx + dy * dy + dz * dz + at * (at - 2.0 * along), 0.0)
        miss = begin + at - way - moved
        cost = off + weight * miss * miss
        if cost < least:
            least, best, best_way, best_off = cost, j, begin + at, off
        j += 1
    return best, best_way, best_off


@lean_part
def segment_at(segments: Any, way: float) -> int:
    """Return the last segment that begins at ``way`` or before."""
    low, high = 0, segments.shape[0]
    while high - low > 1:
        middle = (low + high) // 2
        if segments[middle, WAY] <= way:
            low = middle
        else:
            high = middle
    return low


@lean_part
def foot(segments: Any, k: int, p: tuple[float, float, float]) -> tuple[float, float]:
    """Return how far along segment ``k`` its point nearest to p is, and the squared distance."""
    dx, dy, dz = p[0] - segments[k, X], p[1] - segments[k, Y], p[2] - segments[k, Z]
    along = dx * segments[k, UX] + dy * segments[k, UY] + dz * segments[k, UZ]
    at = min(max(along, 0.0), segments[k, LENGTH])
    return at, max(dx * dx + dy * dy + dz * dz + at * (at - 2.0 * along), 0.0)


@lean_part
def farthest_of(found: Any) -> int:
    """Return the candidate that lies farthest from the point."""
    slot = 0
    for other in range(1, CANDIDATES):
        if found[other, 2] > found[slot, 2]:
            slot = other
    return slot


@lean_part
def visits(segments: Any, p: tuple[float, float, float], low: float, high: float, limit: float, found: Any) -> int:
    """Fill ``found`` (CANDIDATES, 3) with segment, way, distance² of every visit to the ball around p; return how many.

    When there are more, those nearest to p are kept.
    """
    count, slot, is_inside = 0, 0, False
    k = segment_at(segments, low)
    while k < segments.shape[0] and segments[k, WAY] <= high:
        at, off = foot(segments, k, p)
        if off > limit * limit:
            is_inside = False
        else:
            if not is_inside:
                slot = count if count < CANDIDATES else farthest_of(found)
                if count < CANDIDATES:
                    found[slot, 2] = math.inf
                    count += 1
                is_inside = True
            if off < found[slot, 2]:
                found[slot, 0], found[slot, 1], found[slot, 2] = k, segments[k, WAY] + at, off
        k += 1
    return count


@lean_part
def trial(segments: Any, time: Any, points: Any, i: int, j: int, way: float, parameters: Any) -> float:
    """Return how badly a candidate fits the samples from ``i`` on: the mean squared distance, each bounded."""
    x, y, z = points[i, 0], points[i, 1], points[i, 2]
    bound = 4.0 * parameters[LIMIT] * parameters[LIMIT]
    cost, count, travelled, before, farthest = 0.0, 0, 0.0, time[i], way
    for k in range(i + 1, min(i + _TRIAL_SAMPLES, points.shape[0])):
        p = (points[k, 0], points[k, 1], points[k, 2])
        if math.isnan(p[0] + p[1] + p[2]):
            continue
        if time[k] - before > parameters[SILENCE]:
            break
        moved = math.sqrt((p[0] - x) ** 2 + (p[1] - y) ** 2 + (p[2] - z) ** 2)
        j, way, off = step(segments, j, way, farthest, p, moved, parameters)
        farthest = max(farthest, way)
        cost += min(off, bound)
        count += 1
        travelled += moved
        x, y, z, before = p[0], p[1], p[2], time[k]
        if travelled > _TRIAL_WAY:
            break
    return cost / max(count, 1)


@lean_part
def search(
    segments: Any,
    clock: Any,
    time: Any,
    points: Any,
    i: int,
    span: tuple[float, float],
    due: float,
    found: Any,
    parameters: Any,
) -> int:
    """Find where sample ``i`` is within a span of way; return its place in ``found``, or -1.

    due: predicted time that the machine should have reached [s], NaN where unknown
    """
    p = (points[i, 0], points[i, 1], points[i, 2])
    count = visits(segments, p, span[0], span[1], parameters[LIMIT], found)
    least, best = math.inf, -1
    for k in range(count):
        j = int(found[k, 0])
        cost = 0.0
        if count > 1:
            cost = trial(segments, time, points, i, j, found[k, 1], parameters)
            if not math.isnan(due):
                cost += _TIE * min(abs(clock[j] - due), 10.0)
        if cost < least:
            least, best = cost, k
    return best


@lean_part
def recover(
    segments: Any,
    clock: Any,
    time: Any,
    points: Any,
    i: int,
    bounds: tuple[float, float],
    memory: Any,
    found: Any,
    parameters: Any,
) -> int:
    """Find a lost machine: after a silence ahead of where it was, else anywhere that its line allows.

    Where it is on the path, but not where its line says, the lines are doubted from then on: they may be numbers that
    somebody wrote into the program, or those of another one.
    """
    due, best = math.nan, -1
    silence = time[i] - memory[TIME]
    if memory[AT] >= 0.0 and silence > parameters[SILENCE]:
        due = clock[segment_at(segments, memory[AT])] + silence
        ahead = memory[AT] + parameters[SPEED] * silence + parameters[LIMIT]
        span = (max(bounds[0], memory[AT] - parameters[LIMIT]), min(bounds[1], ahead))
        best = search(segments, clock, time, points, i, span, due, found, parameters)
    if best < 0:
        best = search(segments, clock, time, points, i, bounds, due, found, parameters)
    if best < 0 and (bounds[0] > 0.0 or bounds[1] < segments[segments.shape[0] - 1, WAY]):
        best = search(segments, clock, time, points, i, (0.0, math.inf), due, found, parameters)
        memory[DOUBT] = 1.0 if best >= 0 else memory[DOUBT]
    if best >= 0:
        memory[AT], memory[FARTHEST], memory[HELD] = found[best, 1], found[best, 1], found[best, 0]
        memory[OFF], memory[RETRY] = 0.0, -math.inf
    else:
        memory[RETRY], memory[HELD] = time[i] + _AGAIN, -1.0
    return best


@lean_part
def advance(
    segments: Any,
    silence: float,
    p: tuple[float, float, float],
    bounds: tuple[float, float],
    memory: Any,
    parameters: Any,
) -> float:
    """Go on along the path to the place of p; return its squared distance."""
    dx, dy, dz = p[0] - memory[LAST_X], p[1] - memory[LAST_Y], p[2] - memory[LAST_Z]
    moved = math.sqrt(dx * dx + dy * dy + dz * dz)
    j, at, off = step(segments, int(memory[HELD]), memory[AT], memory[FARTHEST], p, moved, parameters)
    is_off = off > parameters[LIMIT] ** 2 or at < bounds[0] or at > bounds[1]
    memory[OFF] = memory[OFF] + silence if is_off else 0.0
    memory[AT], memory[FARTHEST], memory[HELD] = at, max(at, memory[FARTHEST]), j
    return off


@lean_part
def strays(time: float, p: tuple[float, float, float], memory: Any, parameters: Any) -> Any:
    """Whether no machine can have come to p since the last sample. When it stays there, the silence will tell."""
    since = time - memory[TIME]
    if memory[HELD] < 0.0 or not since <= parameters[SILENCE]:
        return False
    farthest = 2.0 * parameters[SPEED] * since + _STRAY
    dx, dy, dz = p[0] - memory[LAST_X], p[1] - memory[LAST_Y], p[2] - memory[LAST_Z]
    return dx * dx + dy * dy + dz * dz > farthest * farthest


@lean_kernel
def follow_positions(
    segments: Any,
    clock: Any,
    time: Any,
    points: Any,
    spans: Any,
    parameters: Any,
    memory: Any,
    found: Any,
    segment: Any,
    way: Any,
    distance: Any,
) -> None:
    """Fill segment (-1 unknown), way and distance of every sample; see the essay.

    segments: (s, SEGMENT); clock: (s,) predicted time at the start of each [s]; time: (n,) [s], rising;
    points: (n, 3) [mm], NaN unknown; spans: (n, 2) least and greatest way that the line allows, or (0, 2);
    memory: (MEMORY,) NaN at the start but for OFF 0, DOUBT 0, RETRY -inf and HELD -1, carried from call to call;
    found: (CANDIDATES, 3) scratch
    """
    whole = segments[segments.shape[0] - 1, WAY] + segments[segments.shape[0] - 1, LENGTH]
    for i in range(time.size):
        p = (points[i, 0], points[i, 1], points[i, 2])
        segment[i], way[i], distance[i] = -1, math.nan, math.nan
        if math.isnan(p[0] + p[1] + p[2]) or strays(time[i], p, memory, parameters):
            continue
        bounds = (0.0, whole)
        if spans.shape[0] > 0 and memory[DOUBT] == 0.0:
            bounds = (spans[i, 0], spans[i, 1])
        silence = time[i] - memory[TIME]
        off, is_lost = 0.0, memory[HELD] < 0.0 or not silence <= parameters[SILENCE]
        if not is_lost:
            off = advance(segments, silence, p, bounds, memory, parameters)
            is_lost = memory[OFF] > _PATIENCE
        if is_lost and not time[i] < memory[RETRY]:
            best = recover(segments, clock, time, points, i, bounds, memory, found, parameters)
            is_lost = best < 0
            if best >= 0:
                off = found[best, 2]
        if not is_lost:
            segment[i], way[i], distance[i] = int(memory[HELD]), memory[AT], math.sqrt(off)
        memory[TIME], memory[LAST_X], memory[LAST_Y], memory[LAST_Z] = time[i], p[0], p[1], p[2]
