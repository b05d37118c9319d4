# SPDX-License-Identifier: LGPL-2.1-or-later
"""The one decorator of every kernel, so that how we compile is decided in one place."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., object])

# No "nnan" and no "ninf": unknown feeds and speeds travel through the kernels as NaN.
_FASTMATH = {"nsz", "arcp", "contract", "afn", "reassoc"}


def kernel(function: F) -> F:
    """Compile ``function`` to machine code, free of the GIL, cached between sessions."""
    compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath=_FASTMATH)(function)
    return cast("F", compiled)
