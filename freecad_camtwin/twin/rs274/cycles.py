# SPDX-License-Identifier: LGPL-2.1-or-later
"""Canned drilling cycles, stroke by stroke, as LinuxCNC makes them."""

from collections.abc import Iterator
from typing import Literal

#: What a stroke is, and the depth it goes to [mm] or the seconds it dwells.
Stroke = tuple[Literal["feed", "rapid", "dwell"], float]

#: How far above the last peck the rapid back into the hole ends: LinuxCNC's 0.010 inch [mm].
PECK_CLEARANCE = 0.254

#: The words each cycle cannot do without, besides R and the depth.
NEEDS = {73: "Q", 81: "", 82: "P", 83: "Q", 85: "", 89: "P"}


def strokes(number: int, r: float, bottom: float, clear: float, peck: float, dwell: float) -> Iterator[Stroke]:
    """Yield what G73, G81, G82, G83, G85 or G89 does in one hole, once the tool stands at the R plane.

    r, bottom, clear: heights of the R plane, the hole's bottom, and where the tool ends [mm]
    peck: depth of each peck, Q [mm]; dwell: seconds at the bottom, P
    """
    if number in (73, 83):
        depth = r - peck
        while depth > bottom:
            yield "feed", depth
            if number == 83:
                yield "rapid", r
            yield "rapid", depth + PECK_CLEARANCE
            depth -= peck
    yield "feed", bottom
    if number in (82, 89):
        yield "dwell", dwell
    if number in (85, 89):
        yield "feed", r
    yield "rapid", clear
