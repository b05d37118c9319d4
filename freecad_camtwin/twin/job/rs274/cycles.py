# SPDX-License-Identifier: LGPL-2.1-or-later
"""Canned drilling cycles, move by move, as LinuxCNC makes them.

          ○───────▶○  1  above the next hole: at the height of the tool, or if that is not above R, at the
                   ┆     height where the cycle ends
                   ┆  2  rapid to the R plane
      R ───────────┼───
                   │  3  feed to the bottom, in pecks with G73 and G83
                   ▼  4  dwell with G82 and G89, then out: with G98 to the level, with G99 to R

The level is the height before the first of a series of cycles; a motion of another kind ends the series. Where it lies
below R, the tool first rises to R at its present X and Y, and R replaces the level.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from freecad_camtwin.twin.base.arrays import Floats

#: One action: a feed move or a rapid to a point (3,) [mm], or a dwell in seconds.
Action = tuple[Literal["feed", "rapid"], Floats] | tuple[Literal["dwell"], float]
#: The same along the drill's axis alone: heights [mm].
Stroke = tuple[Literal["feed", "rapid", "dwell"], float]

#: How far above the last peck the rapid back into the hole ends: LinuxCNC's 0.010 inch [mm].
PECK_CLEARANCE = 0.254

#: The words that each cycle needs besides R and the depth.
NEEDS = {73: "Q", 81: "", 82: "P", 83: "Q", 85: "", 89: "P"}


@dataclass(frozen=True, slots=True)
class DrillingCycle:
    """One canned cycle with its words."""

    number: int  #: 73, 81, 82, 83, 85 or 89
    r: float  #: height of the R plane [mm]
    bottom: float  #: height of the hole's bottom [mm]
    peck: float = 0.0  #: depth of one peck, Q [mm]
    dwell: float = 0.0  #: seconds at the bottom, P
    to_r: bool = True  #: whether the tool ends at R (G99) or at the level (G98)

    def strokes(self, clear: float) -> Iterator[Stroke]:
        """Yield the strokes in a hole from R on, up to height ``clear``."""
        if self.number in (73, 83):
            depth = self.r - self.peck
            while depth > self.bottom:
                yield "feed", depth
                if self.number == 83:
                    yield "rapid", self.r
                yield "rapid", depth + PECK_CLEARANCE
                depth -= self.peck
        yield "feed", self.bottom
        if self.number in (82, 89):
            yield "dwell", self.dwell
        if self.number == 85:
            yield "feed", self.r
        yield ("feed" if self.number == 89 else "rapid"), clear

    def actions(self, position: Floats, level: float, normal: int, holes: Sequence[Floats]) -> Iterator[Action]:
        """Yield the actions from ``position`` (3,) on; the height of a hole (3,), on axis ``normal``, is not used."""
        height = position[normal]
        if not level >= self.r:  # below, or a height that the program never states
            level = height = self.r
            yield "rapid", _at(position, normal, level)
        clear = self.r if self.to_r else level
        travel = height if height > self.r else clear
        for hole in holes:
            yield "rapid", _at(hole, normal, travel)
            yield "rapid", _at(hole, normal, self.r)
            for kind, value in self.strokes(clear):
                if kind == "dwell":
                    yield "dwell", value
                else:
                    yield kind, _at(hole, normal, value)
            travel = clear


def drilling(
    number: int, words: Mapping[str, float], depth: str, scale: float, base: float, incremental: bool, to_r: bool
) -> DrillingCycle:
    """Make a cycle from its words. Raises ValueError with a sentence if one is missing or impossible.

    depth: letter of the drill's axis; scale: mm per unit; base: the zero of R [mm], and of the depth except under G91,
    where the depth counts from R
    """
    for letter in depth + "R" + NEEDS[number]:
        if letter not in words or (letter == "Q" and words["Q"] <= 0):
            raise ValueError(f"G{number} needs {letter}; give it in the cycle's first block")
    r = words["R"] * scale + base
    bottom = words[depth] * scale + (r if incremental else base)
    if r < bottom:
        raise ValueError(f"G{number}'s R plane lies below the hole's bottom; raise R or lower the depth")
    return DrillingCycle(number, r, bottom, words.get("Q", 0.0) * scale, words.get("P", 0.0), to_r)


def _at(point: Floats, normal: int, height: float) -> Floats:
    point = point.copy()
    point[normal] = height
    return point
