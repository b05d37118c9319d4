# SPDX-License-Identifier: LGPL-2.1-or-later
"""The types of the arrays that the whole product passes around, by what their elements are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]  #: quantities, NaN where unknown
Ints = NDArray[np.int32]  #: columns that are stored: indices of moves, operations and tools, lines of a program
Indices = NDArray[np.integer[Any]]  #: rows of another array, as numpy's own functions return them, in any width
Mask = NDArray[np.bool_]  #: whether something holds of each row


def greatest(values: Floats) -> float | None:
    """Return the greatest known value, None without any."""
    known = values[np.isfinite(values)]
    return float(known.max()) if len(known) else None
