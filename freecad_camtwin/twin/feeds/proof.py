# SPDX-License-Identifier: LGPL-2.1-or-later
"""The proof that two toolpaths differ only in feeds and split points.

Every move of the original must recur whole, or cut into pieces of its own kind that run along it one after the
other: a line through points on it, an arc about its centre in parts of its angle. Then the paths differ in
feeds and split points only, and both are counted. The deviations of points are measured.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from freecad_camtwin.errors import PlanError, ProgramError
from freecad_camtwin.twin.job.program import job_of_text
from freecad_camtwin.twin.job.toolpath import PLANE_AXES, MoveKind, Toolpath

#: What the coordinates of a posted program are usually rounded to [mm].
_ROUNDING = 0.001
#: A point is on the original move up to this multiple of the rounding.
_ON_THE_MOVE = 10.0
_EQUAL = 1e-9
#: Ends of moves are written as they were read: they differ by less than this [mm].
_EXACT = 1e-6
_PLACES = re.compile(rb"[XYZ][ \t]*[+-]?\d*\.(\d+)", re.IGNORECASE)
_INCHES = re.compile(rb"G[ \t]*0*20(?![\d.])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Proof:
    """How a mended toolpath differs from its original."""

    deviation: float  #: largest distance between ends, and between centres, of a move in both [mm]
    splits: int  #: how many points were put into moves
    split_deviation: float  #: largest distance of such a point from the original move [mm]
    feed_changes: int  #: how many moves of the original have another feed somewhere
    pieces: NDArray[np.int64]  #: (moves + 1,) index in the mended path of each original move's first piece
    parts_at: str | None  #: where the paths diverge, as a sentence; None if they run together to the end
    differences: tuple[str, ...]  #: other differences, one sentence each: tools, speeds, dwells, stops
    rounding: float = _ROUNDING  #: of the coordinates of split points [mm]

    @property
    def same_geometry(self) -> bool:
        """Whether the tool follows the same path, up to the rounding of split points.

        Rounding moves a point by at most √3/2 of the last decimal place, and the centre of a part of an arc by √2 of
        it: the start that it is relative to is rounded, too.
        """
        bound = max(_ROUNDING, math.sqrt(3) * self.rounding)
        return self.parts_at is None and self.deviation < _EXACT and self.split_deviation < bound

    @property
    def objection(self) -> str | None:
        """The first thing besides feeds and split points that is not the same, as a clause; None if all is the same."""
        if self.parts_at is not None:
            return self.parts_at
        if not self.same_geometry:
            return (
                f"moves lie up to {self.deviation:.3g} mm and split points up to {self.split_deviation:.3g} mm beside "
                "the original"
            )
        return self.differences[0] if self.differences else None


def prove(original: Toolpath, mended: Toolpath, rounding: float = _ROUNDING) -> Proof:
    """Return the proof that only feeds and split points differ; PlanError, with the first difference, if others do."""
    proof = compare(original, mended, rounding)
    if proof.objection is not None:
        raise PlanError(f"the new feeds would change more than feeds: {proof.objection}. Nothing was written.")
    return proof


def prove_programs(original: bytes, mended: bytes) -> Proof:
    """Read two programs and return the proof that only feeds and split points differ.

    Raises ProgramError where the original cannot be read, and PlanError where the mended program cannot be read
    or differs in more than feeds.
    """
    before = job_of_text(original, Path("the original program")).toolpath
    try:
        after = job_of_text(mended, Path("the program with new feeds")).toolpath
    except ProgramError as error:
        raise PlanError(f"the program with new feeds cannot be read again: {error}. Nothing was written.") from error
    return prove(before, after, _rounding(mended))


def _rounding(program: bytes) -> float:
    """The value of the last decimal place of a program's coordinates [mm]."""
    places = max((len(digits) for digits in _PLACES.findall(program)), default=3)
    return float((25.4 if _INCHES.search(program) else 1.0) * 10.0**-places)


def compare(original: Toolpath, mended: Toolpath, rounding: float = _ROUNDING) -> Proof:
    """Compare a mended toolpath, whose coordinates are rounded to ``rounding`` [mm], with its original."""
    tolerance = _ON_THE_MOVE * max(rounding, _ROUNDING)
    pieces, parts_at = _match(original, mended, tolerance, _EXACT)
    if parts_at is not None:  # to measure how far the ends differ
        pieces, parts_at = _match(original, mended, tolerance, tolerance)
    together = len(pieces) - 1
    last = pieces[1:] - 1
    pairs = np.arange(together)
    deviation = max(
        _largest(original.end[pairs] - mended.end[last]),
        _largest(original.start[pairs] - mended.start[pieces[:-1]]),
        _largest(np.nan_to_num(original.centre[pairs] - mended.centre[pieces[:-1]])),
    )
    owner = np.repeat(pairs, np.diff(pieces))
    run = np.arange(len(owner))
    inner = run[~np.isin(run, last)]
    changed = _differ(original.feed[owner], mended.feed[run])
    return Proof(
        deviation=deviation,
        splits=len(inner),
        split_deviation=max((_off(original, int(owner[at]), mended, int(at)) for at in inner), default=0.0),
        feed_changes=len(np.unique(owner[changed])),
        pieces=pieces,
        parts_at=parts_at,
        differences=_differences(original, mended, pieces, owner) if parts_at is None else (),
        rounding=rounding,
    )


def _largest(gaps: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(gaps, axis=1).max(initial=0.0))


def _differ(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where two columns differ; unknown is equal to unknown."""
    return np.asarray(~((np.abs(a - b) <= 1e-6) | (np.isnan(a) & np.isnan(b))))


def _match(original: Toolpath, mended: Toolpath, tolerance: float, ends: float) -> tuple[NDArray[np.int64], str | None]:
    """Return the first piece of every move, as far as the paths agree, and where they diverge.

    ``ends`` [mm] is how far the ends of a move may differ. Moves can be shorter than ``tolerance``, so only exact ends
    show where a split move ends.
    """
    pieces: list[NDArray[np.int64]] = []
    i, j, chunk = 0, 0, 64
    while i < original.moves and j < mended.moves:
        n = min(chunk, original.moves - i, mended.moves - j)
        whole = _whole(original, i, mended, j, n, ends)
        pieces.append(np.arange(j, j + whole))
        i, j = i + whole, j + whole
        if whole == n:
            chunk *= 2
            continue
        count = _count_pieces(original, i, mended, j, tolerance, ends)
        if count == 0:
            at = f"{original.where(i)} of the original has no counterpart; there the mended path has {mended.where(j)}"
            return np.concatenate([*pieces, [j]]).astype(np.int64), at
        pieces.append(np.array([j]))
        i, j, chunk = i + 1, j + count, 64
    first_pieces = np.concatenate([*pieces, [j]]).astype(np.int64)
    if i < original.moves:
        return first_pieces, f"the mended path ends before {original.where(i)} of the original"
    if j < mended.moves:
        return first_pieces, f"the mended path goes on with {mended.where(j)} where the original ends"
    return first_pieces, None


def _whole(original: Toolpath, i: int, mended: Toolpath, j: int, n: int, tolerance: float) -> int:
    """How many of the next ``n`` moves are whole in both."""
    a, b = slice(i, i + n), slice(j, j + n)
    same = original.kind[a] == mended.kind[b]
    same &= np.abs(original.end[a] - mended.end[b]).max(axis=1) <= tolerance
    same &= np.abs(original.sweep[a] - mended.sweep[b]) * np.nan_to_num(original.radius[a]) <= tolerance
    same &= original.plane[a] == mended.plane[b]
    return n if same.all() else int(same.argmin())


def _count_pieces(original: Toolpath, i: int, mended: Toolpath, j: int, tolerance: float, ends: float) -> int:
    """How many moves from ``j`` on make up move ``i`` together; 0 if they do not."""
    kind, is_arc = original.kind[i], original.kind[i] == MoveKind.ARC
    share = 0.0
    for count in range(1, mended.moves - j + 1):
        at = j + count - 1
        if mended.kind[at] != kind or (is_arc and mended.plane[at] != original.plane[i]):
            return 0
        before = share
        share = _share(original, i, mended, at, share)
        if share < before - _EQUAL or not _off(original, i, mended, at, share) <= tolerance:
            return 0
        left = (1.0 - share) * float(original.length[i])
        if left < -tolerance:
            return 0
        if left <= tolerance and np.linalg.norm(mended.end[at] - original.end[i]) <= ends:
            return count
    return 0


def _share(original: Toolpath, i: int, mended: Toolpath, at: int, before: float) -> float:
    """How much of move ``i`` is done at the end of piece ``at``, 0 … 1."""
    if original.kind[i] == MoveKind.ARC:
        return before + float(mended.sweep[at] / original.sweep[i])
    chord = original.end[i] - original.start[i]
    return float((mended.end[at] - original.start[i]) @ chord / (chord @ chord))


def _off(original: Toolpath, i: int, mended: Toolpath, at: int, share: float | None = None) -> float:
    """How far the end of piece ``at`` lies from move ``i`` [mm]; of an arc also how far its centre lies off."""
    if original.kind[i] != MoveKind.ARC:
        if share is None:
            share = _share(original, i, mended, at, 0.0)
        on = original.start[i] + min(max(share, 0.0), 1.0) * (original.end[i] - original.start[i])
        return float(np.linalg.norm(mended.end[at] - on))
    a, b, normal = PLANE_AXES[original.plane[i]]
    arm = mended.end[at][[a, b]] - original.centre[i][[a, b]]
    centre = mended.centre[at][[a, b]] - original.centre[i][[a, b]]
    spoke = original.start[i][[a, b]] - original.centre[i][[a, b]]
    turned = math.atan2(spoke[0] * arm[1] - spoke[1] * arm[0], spoke @ arm) / (2 * math.pi)
    turns = float(original.sweep[i]) / (2 * math.pi)
    # The angle is known up to whole turns; the rise decides which one, if there is any.
    rise = float(original.end[i][normal] - original.start[i][normal])
    done = turned % math.copysign(1.0, turns)
    heights = [(done + math.copysign(k, turns)) / turns * rise for k in range(math.ceil(abs(turns)) + 1)]
    climbed = float(mended.end[at][normal] - original.start[i][normal])
    return max(
        abs(float(np.linalg.norm(arm) - np.linalg.norm(spoke))),
        float(np.linalg.norm(centre)),
        min(abs(climbed - height) for height in heights),
    )


def _differences(
    original: Toolpath, mended: Toolpath, pieces: NDArray[np.int64], owner: NDArray[np.int64]
) -> tuple[str, ...]:
    """What differs besides geometry and feed, where the geometry is the same."""
    differences = []
    for name, column in (("spindle speed", "n_rpm"), ("tool", "tool")):
        a, b = getattr(original, column)[owner].astype(float), getattr(mended, column).astype(float)
        differ = _differ(a, b)
        if differ.any():
            differences.append(f"the {name} differs from {mended.where(int(differ.argmax()))} on")
    events = [(int(pieces[event.before]), event.kind, event.value) for event in original.events]
    others = [(event.before, event.kind, event.value) for event in mended.events]
    for one, other in zip(events, others, strict=False):
        if one != other and not (one[:2] == other[:2] and math.isnan(one[2]) and math.isnan(other[2])):
            differences.append(
                f"before move {one[0]} the original has {one[1].name} {one[2]:g}, the mended path does not"
            )
            break
    else:
        if len(events) != len(others):
            differences.append(
                f"the original has {len(events)} tool changes, speeds, dwells and stops, the other {len(others)}"
            )
    return tuple(differences)
