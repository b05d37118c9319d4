# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sequences: runs of equal rows, ranges of consecutive numbers, numbered pieces, cumulative sums."""

from collections.abc import Iterator

import numpy as np

from freecad_camtwin.twin.base.arrays import Floats, Indices, Ints, Mask


def run_begins(*columns: Indices | Mask) -> Mask:
    """Return whether each row is the first, or differs from the row before it in one of the columns."""
    begins = np.ones(len(columns[0]), bool)
    begins[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return begins


def unbroken(numbers: Indices) -> Iterator[tuple[int, int]]:
    """Return the first and the last of every range of consecutive numbers."""
    breaks = np.flatnonzero(np.diff(numbers) > 1)
    if numbers.size:
        firsts = numbers[np.concatenate([[0], breaks + 1])].tolist()
        lasts = numbers[np.append(breaks, len(numbers) - 1)].tolist()
        yield from zip(firsts, lasts, strict=True)


def numbered_pieces(counts: Indices) -> tuple[Ints, Indices]:
    """Return for ``counts[i]`` pieces of every i: the i that each piece belongs to, and its number in i from 0 on."""
    owner = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def sums_before(values: Floats | Indices) -> Floats:
    """Return the sum of all values before each value, then the sum of all, shape (n + 1,)."""
    return np.concatenate([[0.0], np.cumsum(values)])
