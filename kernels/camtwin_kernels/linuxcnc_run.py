# SPDX-License-Identifier: LGPL-2.1-or-later
"""LinuxCNC's clock: run through the queue one servo cycle at a time, as its real-time thread does.

Every cycle the piece at the head of the queue asks: how fast may I be after this cycle, so that I can still reach my
last speed at my end? With the distance d that is left, braking at a, over a cycle T:

    v = -a·T/2 + √(last² + a·(2·d - v₀·T) + (a·T/2)²)

It takes that, its top speed, or what one cycle of acceleration gives, whichever is least. Four things make the time
differ from that of ideal trapezoids, by about 2 ms at a stop:

- a piece that must stop ends in a whole cycle, and the next one starts in the next;
- a piece that goes straight on may end inside a cycle: the rest of it is given to the next piece;
- a short feed piece (less than 10 ms) runs at one acceleration from its first to its last speed;
- a parabola starts the next piece while this one brakes, and lets it gain speed as fast as it can.

    speed                                  The speeds of both add up, and so do the ways: what comes out is the length
      │ ──────╲      ╱──────                of programmed path that is done, at every cycle. Runs of cycles of one
      │        ╲    ╱                       acceleration become one leg: (time, way, speed, acceleration) at its start.
      │         ╲  ╱
      │          ╲╱  both
      │          ╱╲
      └─────────┴──┴───────── time

Where the speed is steady, many cycles are one step: the number of cycles to where braking must begin is known.

Behaviour: LinuxCNC 2.8 and 2.9, as in linuxcnc_join; the recurrence above reproduces the controller to the cycle.
"""

import math

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels.jit import lean_kernel, lean_part
from camtwin_kernels.linuxcnc_tables import (
    BLEND_SPEED,
    CYCLE,
    END_SPEED,
    IS_ACTIVE,
    IS_BLENDING,
    IS_BRAKING,
    IS_DONE,
    IS_ENDING,
    IS_SHORT,
    LEG_PULL,
    LEG_SPEED,
    LEG_TIME,
    LEG_WAY,
    PARABOLA,
    PEAK,
    Q_FROM,
    Q_LAST,
    Q_LEAVING,
    Q_LENGTH,
    Q_PULL,
    Q_RAPID,
    Q_TERM,
    Q_TO,
    Q_TOP,
    Q_WAIT,
    RUNNER_COLUMNS,
    SPAN,
    SPEED,
    STRAIGHT,
    WAY,
)

Floats = NDArray[np.float64]

#: Feed pieces that last less than this run at one acceleration [s] (LinuxCNC's default, 100 Hz).
SHORT = 0.01
#: How far a leg may be off the cycles that it stands for [mm].
LEG_TOLERANCE = 1e-4
_TINY = 1e-12
_STILL = 1e-8


@lean_kernel
def run(  # noqa: C901 - one cycle, told in the order in which it happens
    queue: Floats, count: int, machine: Floats, runners: Floats, pen: Floats, legs: Floats, peaks: Floats
) -> int:
    """Fill ``legs`` and return how many there are; more than fit are counted, not written.

    The last leg begins where the run ends. The time before the first motion is the first piece's wait.

    queue: (count or more, QUEUE_COLUMNS); machine: (3,); runners: (2, RUNNER_COLUMNS) and pen: (8,) scratch
    legs: (any, LEG_COLUMNS) in s, mm, mm/s, mm/s²; peaks: (count,) highest speed in every piece [mm/s]
    """
    cycle = machine[CYCLE]
    head = 0  # which runner has the piece at the head of the queue
    _rest(runners[0], cycle)
    _rest(runners[1], cycle)
    for k in range(pen.size):
        pen[k] = 0.0
    piece = 0
    while piece < count:
        this, other = runners[head], runners[1 - head]
        follows = piece + 1 < count and queue[piece + 1, Q_WAIT] < 0.0
        if this[IS_ACTIVE] == 0.0:
            if queue[piece, Q_WAIT] > 0.0:
                _draw(pen, legs, cycle, queue[piece, Q_FROM], math.floor(queue[piece, Q_WAIT] / cycle + 0.5))
            _activate(queue[piece], this)
        steps = 1.0
        if this[IS_ENDING] == 1.0:
            this[WAY] = queue[piece, Q_LENGTH]
            this[IS_DONE] = 1.0
            if follows:
                if queue[piece, Q_TERM] == STRAIGHT:
                    other[SPAN] = cycle - this[SPAN]
                    other[SPEED] = this[END_SPEED]
                _advance(queue, piece + 1, other, cycle, _last_speed(queue, piece + 1, count), queue[piece + 1, Q_TOP])
        else:
            steps = _steady(queue, piece, this, cycle)
            if steps == 1.0:
                this[SPAN] = cycle
                last = _last_speed(queue, piece, count)
                _advance(queue, piece, this, cycle, last, queue[piece, Q_TOP])
                if follows and queue[piece, Q_TERM] == PARABOLA:
                    _blend(queue, piece, this, other, cycle)
        way = _covered(queue[piece], this)
        if follows:
            way += _covered(queue[piece + 1], other) - queue[piece + 1, Q_FROM]
        _draw(pen, legs, cycle, way, steps)
        if this[IS_DONE] == 1.0:
            peaks[piece] = this[PEAK]
            _rest(this, cycle)
            head = 1 - head
            piece += 1
    if count > 0:
        _lift(pen, legs, cycle)
        _put(pen, legs, cycle, 0.0, 0.0)
    return int(pen[5])


@lean_part
def _rest(runner: Floats, cycle: float) -> None:
    for k in range(RUNNER_COLUMNS):
        runner[k] = 0.0
    runner[SPAN] = cycle


@lean_part
def _activate(row: Floats, runner: Floats) -> None:
    runner[IS_ACTIVE] = 1.0
    runner[IS_BLENDING] = 0.0
    runner[IS_BRAKING] = 0.0
    rest = row[Q_LENGTH] - runner[WAY]
    if row[Q_RAPID] == 0.0 and row[Q_TERM] == STRAIGHT:
        runner[IS_SHORT] = 1.0 if 2.0 * rest < SHORT * (runner[SPEED] + min(row[Q_LAST], row[Q_TOP])) else 0.0


@lean_part
def _covered(row: Floats, runner: Floats) -> float:
    """How far along the programmed path a runner is [mm]."""
    return float(row[Q_FROM] + (row[Q_TO] - row[Q_FROM]) * runner[WAY] / row[Q_LENGTH])


@lean_part
def _last_speed(queue: Floats, piece: int, count: int) -> float:
    """The speed at which a piece hands over to the next [mm/s]."""
    if queue[piece, Q_TERM] != STRAIGHT or piece + 1 >= count or queue[piece + 1, Q_WAIT] >= 0.0:
        return 0.0
    return float(min(queue[piece, Q_LAST], min(queue[piece, Q_TOP], queue[piece + 1, Q_TOP])))


@lean_part
def _steady(queue: Floats, piece: int, runner: Floats, cycle: float) -> float:
    """Take all cycles at once in which nothing changes; return how many, 1 for none taken."""
    row = queue[piece]
    speed = runner[SPEED]
    if speed != row[Q_TOP] or runner[IS_SHORT] == 1.0 or speed < _STILL:
        return 1.0
    # braking begins where the speed that the recurrence allows falls to this; last speed 0 is the safe bound
    kick = 0.5 * row[Q_PULL] * cycle
    braking = ((speed + kick) ** 2 - kick * kick) / (2.0 * row[Q_PULL]) + 0.5 * speed * cycle
    steps = math.floor((row[Q_LENGTH] - runner[WAY] - braking - 2.0 * speed * cycle) / (speed * cycle))
    if steps < 2.0:
        return 1.0
    runner[BLEND_SPEED] = speed
    runner[IS_BRAKING] = 0.0
    runner[WAY] += steps * speed * cycle
    return float(steps)


@lean_part
def _blend(queue: Floats, piece: int, this: Floats, other: Floats, cycle: float) -> None:
    """Start the next piece beside this one, once this one is slow enough."""
    if this[IS_BRAKING] == 1.0 and this[SPEED] < queue[piece, Q_LEAVING]:
        this[IS_BLENDING] = 1.0
    if this[IS_BLENDING] == 1.0:
        _advance(queue, piece + 1, other, cycle, 0.0, queue[piece + 1, Q_TOP])


@lean_part
def _advance(queue: Floats, piece: int, runner: Floats, cycle: float, last: float, top: float) -> None:
    """Run a piece for one cycle of length SPAN, then see whether it ends in the next."""
    row = queue[piece]
    pull = row[Q_PULL]
    span = runner[SPAN]
    speed = runner[SPEED]
    left = row[Q_LENGTH] - runner[WAY]
    if runner[IS_BLENDING] == 0.0:
        runner[BLEND_SPEED] = speed
    if runner[IS_SHORT] == 1.0 and last >= _STILL:
        goal = last
        mean = 0.5 * (speed + last)
        gain = (last - speed) / max(left / mean, 1e-16)
    else:
        kick = 0.5 * pull * span
        square = last * last + pull * (2.0 * left - speed * span)
        goal = -kick
        if square > 0.0:
            goal += math.sqrt(square + kick * kick)
        gain = (max(-top, min(goal, top)) - speed) / max(span, _TINY)
    gain = max(-pull, min(gain, pull))
    after = speed + gain * span
    if after < 0.0:
        after = 0.0
        if left < speed * span:
            runner[WAY] = row[Q_LENGTH]
    else:
        runner[WAY] = min(row[Q_LENGTH], runner[WAY] + 0.5 * (after + speed) * span)
    runner[SPEED] = after
    runner[PEAK] = max(runner[PEAK], after)
    runner[IS_BRAKING] = 1.0 if gain < 0.0 and abs(goal - after) < _STILL else 0.0
    _foresee(row, runner, cycle, last)


@lean_part
def _foresee(row: Floats, runner: Floats, cycle: float, last: float) -> None:
    """Set SPAN, IS_ENDING and END_SPEED: whether the piece ends within the next cycle, when and how fast."""
    runner[SPAN] = cycle
    left = row[Q_LENGTH] - runner[WAY]
    speed = runner[SPEED]
    stops = row[Q_TERM] < PARABOLA
    if left <= _TINY:
        runner[WAY] = row[Q_LENGTH]
        runner[IS_ENDING] = 1.0
        runner[SPAN] = 0.0
        runner[END_SPEED] = speed
        if stops:
            runner[IS_DONE] = 1.0
        return
    mean = 0.5 * (speed + last)
    if stops or mean <= _STILL:
        return
    lasting = left / mean
    gain = (last - speed) / lasting
    if abs(gain) > row[Q_PULL]:
        gain = math.copysign(row[Q_PULL], gain)
        square = (speed / gain) ** 2 + 2.0 * left / gain
        if square < 0.0:
            return
        lasting = -speed / gain + math.copysign(math.sqrt(square), gain)
        last = speed + lasting * gain
    if lasting < _TINY:
        runner[WAY] = row[Q_LENGTH]
        lasting = 0.0
    if lasting < cycle:
        runner[IS_ENDING] = 1.0
        runner[SPAN] = lasting
        runner[END_SPEED] = last


# The pen: 0 cycles before the leg, 1 way there, 2 first step, 3 growth of the step, 4 cycles in the leg,
# 5 legs drawn, 6 way at the last cycle, 7 cycles of the last stroke
@lean_part
def _draw(pen: Floats, legs: Floats, cycle: float, way: float, steps: float) -> None:
    """Extend the leg by ``steps`` cycles of one speed that end at ``way``, or begin a new one."""
    done = pen[4]
    if done == 1.0 and steps == 1.0:
        pen[3] = way - pen[6] - pen[2]
        done = 2.0
    else:
        ahead = done + steps
        reckoned = pen[1] + ahead * pen[2] + 0.5 * ahead * (ahead - 1.0) * pen[3]
        if done == 0.0 or abs(reckoned - way) > LEG_TOLERANCE:
            if done > 0.0:
                _lift(pen, legs, cycle)
            pen[1] = pen[6]
            pen[2] = (way - pen[6]) / steps
            pen[3] = 0.0
            done = 0.0
        done += steps
    pen[4] = done
    pen[6] = way


@lean_part
def _lift(pen: Floats, legs: Floats, cycle: float) -> None:
    """End the leg."""
    if pen[4] > 0.0:
        _put(pen, legs, cycle, pen[2], pen[3])
    pen[0] += pen[4]
    pen[1] = pen[6]
    pen[4] = 0.0


@lean_part
def _put(pen: Floats, legs: Floats, cycle: float, step: float, growth: float) -> None:
    row = int(pen[5])
    if row < legs.shape[0]:
        legs[row, LEG_TIME] = pen[0] * cycle
        legs[row, LEG_WAY] = pen[1]
        legs[row, LEG_SPEED] = (step - 0.5 * growth) / cycle
        legs[row, LEG_PULL] = growth / (cycle * cycle)
    pen[5] += 1.0
