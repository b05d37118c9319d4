# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two curves of load in time laid over each other: dynamic time warping within a band, for a machine that may wait.

Every measured sample gets a predicted one, and the pairs only go forward. From pair to pair the measured time goes on
by one sample and the predicted one by one, or, at a price, by none (the machine is slow) or by two (it is fast).
Waiting before the program begins and after it ends has no price.
A machine that is held (feed hold, a stop, a tool change that takes its time) stays at its predicted sample, but what is
measured meanwhile is the idle load: so there are two states, running and held. To be held has a price that depends on
where, and to stay so has none.
Of all such chains that with the least sum of squared gaps and prices is found by dynamic programming (Sakoe and
Chiba, 1978, "Dynamic programming algorithm optimization for spoken word recognition"). The price is what keeps flat
stretches, where any pairing fits, at their predicted length.
"""

import math
from typing import Any

from camtwin_kernels.jit import lean_kernel, lean_part

#: What was chosen: ``run_on``'s answer, WAITED or more of which was held before; and STOPPED if a hold began here.
WAITED, STOPPED = 3, 5


@lean_part
def run_on(before: Any, held: Any, j: int, low: int, high: int, price: float) -> tuple[float, int]:
    """Return the least sum with which the machine may run at predicted sample ``j``, and how it came there.

    0, 1 or 2: running, from so many samples back; 3 or 4: it was held, here or one sample back.
    """
    least, came = math.inf, 1
    is_end = j == 0 or j == before.size - 1
    for k in range(3):
        if low <= j - k < high:
            total = before[j - k] + (0.0 if k == 1 or (k == 0 and is_end) else price)
            if total < least:
                least, came = total, k
            if k < 2 and held[j - k] < least:
                least, came = held[j - k], WAITED + k
    return least, came


@lean_part
def wait_on(before: Any, held: Any, j: int, low: int, high: int, price: float) -> tuple[float, int]:
    """Return the least sum with which the machine may be held at predicted sample ``j``, and 1 if it just stopped."""
    if not low <= j < high:
        return math.inf, 1
    if held[j] <= before[j] + price:
        return held[j], 0
    return before[j] + price, 1


@lean_part
def walk_back(sums: Any, choice: Any, band: Any, pairs: Any) -> None:
    """Fill ``pairs`` from the end with what was chosen; ``sums``: of running, at the last sample."""
    n = pairs.size
    j, is_held = band[n - 1, 0], False
    for other in range(band[n - 1, 0], band[n - 1, 1]):
        if sums[other] < sums[j]:
            j = other
    for i in range(n - 1, -1, -1):
        pairs[i] = j
        how = choice[i, j - band[i, 0]]
        if is_held:
            is_held = how < STOPPED
        else:
            came = how % STOPPED
            is_held = came >= WAITED
            j -= came % WAITED
        if i > 0:
            j = min(max(j, band[i - 1, 0]), band[i - 1, 1] - 1)


@lean_kernel
def warp(measured: Any, predicted: Any, hold: Any, band: Any, price: float, sums: Any, choice: Any, pairs: Any) -> None:
    """Fill ``pairs`` with the predicted sample of every measured one; see above.

    measured: (n,), idle at 0, NaN where nothing was; predicted: (m,), of like scale; hold: (m,) price of being held
    band: (n, 2) first and one past the last predicted sample that each may pair with, both rising
    sums: (4, m) scratch; choice: (n, widest band) int8 scratch; pairs: (n,)
    The first pair is anywhere in the first band, the last one anywhere in the last, at no price.
    """
    for i in range(measured.size):
        running, held = sums[i % 2], sums[2 + i % 2]
        before, held_before = sums[(i + 1) % 2], sums[2 + (i + 1) % 2]
        low, high = band[max(i - 1, 0), 0], band[max(i - 1, 0), 1]
        for j in range(band[i, 0], band[i, 1]):
            least, came, rest, stopped = 0.0, 1, hold[j], 1
            if i > 0:
                least, came = run_on(before, held_before, j, low, high, price)
                rest, stopped = wait_on(before, held_before, j, low, high, hold[j])
            running[j], held[j] = least, rest
            if not math.isnan(measured[i]):
                running[j] += (measured[i] - predicted[j]) ** 2
                held[j] += measured[i] ** 2
            choice[i, j - band[i, 0]] = came + STOPPED * stopped
    walk_back(sums[(measured.size - 1) % 2], choice, band, pairs)
