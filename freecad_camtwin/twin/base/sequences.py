# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sequences and their parts: runs of equal rows, unbroken numbers, pieces of each, sums up to each."""

from collections.abc import Iterator

import numpy as np

from freecad_camtwin.twin.base.arrays import Floats, Indices, Ints, Mask


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


def numbered_pieces(counts: Indices) -> tuple[Ints, Indices]:
    """Return for ``counts[i]`` pieces of every i: which i a piece is of, and its number in it from 0 on."""
    owner = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)


def sums_before(values: Floats | Indices) -> Floats:
    """Return the sum of all values before each, and of all, (n + 1,)."""
    return np.concatenate([[0.0], np.cumsum(values)])
