# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two curves of load in time laid over each other: dynamic time warping within a band.

Every measured sample gets a predicted one, and the pairs only go forward. From pair to pair the measured time goes on
by one sample and the predicted one by one, or, at a price, by none (the machine waits or is slow) or by two (it is
fast). Waiting before the program begins and after it ends has no price.
Of all such chains that with the least sum of squared gaps and prices is found by dynamic programming (Sakoe and
Chiba, 1978, "Dynamic programming algorithm optimization for spoken word recognition"). The price is what keeps flat
stretches, where any pairing fits, at their predicted length.
"""

import math
from typing import Any

from camtwin_kernels.jit import lean_kernel, lean_part


@lean_part
def cheapest(before: Any, j: int, low: int, high: int, price: float) -> tuple[float, int]:
    """Return the least sum over the predecessors of predicted sample ``j``, and how far back the best one is."""
    least, back = math.inf, 1
    is_end = j == 0 or j == before.size - 1
    for k in range(3):
        if low <= j - k < high:
            total = before[j - k] + (0.0 if k == 1 or (k == 0 and is_end) else price)
            if total < least:
                least, back = total, k
    return least, back


@lean_kernel
def warp(measured: Any, predicted: Any, band: Any, price: float, sums: Any, choice: Any, pairs: Any) -> None:
    """Fill ``pairs`` with the predicted sample of every measured one; see above.

    measured: (n,), NaN where nothing was; predicted: (m,), of like scale; band: (n, 2) first and one past the last
    predicted sample that each may pair with, both rising; sums: (2, m) scratch; choice: (n, widest band) int8 scratch;
    pairs: (n,)
    The first pair is anywhere in the first band, the last one anywhere in the last, at no price.
    """
    n = measured.size
    for i in range(n):
        for j in range(band[i, 0], band[i, 1]):
            least, back = 0.0, 1
            if i > 0:
                least, back = cheapest(sums[(i + 1) % 2], j, band[i - 1, 0], band[i - 1, 1], price)
            gap = measured[i] - predicted[j]
            sums[i % 2, j] = least + (0.0 if math.isnan(gap) else gap * gap)
            choice[i, j - band[i, 0]] = back
    j = band[n - 1, 0]
    for other in range(band[n - 1, 0], band[n - 1, 1]):
        if sums[(n - 1) % 2, other] < sums[(n - 1) % 2, j]:
            j = other
    for i in range(n - 1, -1, -1):
        pairs[i] = j
        if i > 0:
            j = min(max(j - choice[i, j - band[i, 0]], band[i - 1, 0]), band[i - 1, 1] - 1)
