# SPDX-License-Identifier: LGPL-2.1-or-later
"""The array types of the whole product, named by the meaning of their elements."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]  #: quantities, NaN where unknown
Ints = NDArray[np.int32]  #: columns that are stored: indices of moves, operations and tools, lines of a program
Indices = NDArray[np.integer[Any]]  #: rows of another array, as numpy's own functions return them, in any width
Mask = NDArray[np.bool_]  #: one truth value per row


def greatest(values: Floats) -> float | None:
    """Return the greatest finite value; None if there is none."""
    finite = values[np.isfinite(values)]
    return float(finite.max()) if len(finite) else None
