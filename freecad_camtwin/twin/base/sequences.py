# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where a sequence begins anew: runs of rows with equal values, and unbroken runs of numbers."""

from collections.abc import Iterator

import numpy as np

from freecad_camtwin.twin.base.arrays import Indices, Mask


def run_begins(*columns: Indices | Mask) -> Mask:
    """Whether a row is the first, or differs in one of the columns from the row before it."""
    begins = np.ones(len(columns[0]), bool)
    begins[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return begins


def unbroken(numbers: Indices) -> Iterator[tuple[int, int]]:
    """Return the first and the last of every stretch of rising numbers in which none is left out."""
    breaks = np.flatnonzero(np.diff(numbers) > 1)
    if numbers.size:
        firsts = numbers[np.concatenate([[0], breaks + 1])].tolist()
        lasts = numbers[np.append(breaks, len(numbers) - 1)].tolist()
        yield from zip(firsts, lasts, strict=True)
