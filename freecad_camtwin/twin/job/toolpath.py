# SPDX-License-Identifier: LGPL-2.1-or-later
"""The toolpath: every move of a job or program as arrays.

Engagement, load, feeds, time and measured runs refer to a move by its index here, and to the whole toolpath by its
hash.
"""

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from freecad_camtwin.errors import ToolpathError
from freecad_camtwin.twin.base.arrays import Floats, Ints, Mask
from freecad_camtwin.twin.base.sequences import sums_before

#: A coordinate beyond this is an error, since no machine tool reaches it [mm].
LARGEST_COORDINATE = 1e5


class MoveKind(IntEnum):
    """The kind of a move."""

    RAPID = 0
    LINE = 1
    ARC = 2


class Plane(IntEnum):
    """The plane of an arc, by its G-code number; the value indexes ``PLANE_AXES``."""

    XY = 0  # G17
    ZX = 1  # G18
    YZ = 2  # G19


#: (first axis, second axis, normal axis) of each plane: the first turns counter-clockwise into the second.
PLANE_AXES = ((0, 1, 2), (2, 0, 1), (1, 2, 0))


class EventKind(IntEnum):
    """An action of the controller between moves."""

    TOOL_CHANGE = 0  # value: tool number
    SPINDLE = 1  # value: signed n_rpm, 0 stops
    DWELL = 2  # value: seconds
    COOLANT = 3  # value: 0 off, 1 mist, 2 flood, 3 both
    STOP = 4  # M0, M1; value: the M number
    PATH_MODE = 5  # value: 61 exact path, 61.1 exact stop, 64 blending; tolerance: P, second: Q
    END = 6  # M2, M30


@dataclass(frozen=True, slots=True)
class PathEvent:
    """An action of the controller before move ``before``; ``before == moves`` means at the end."""

    before: int
    kind: EventKind
    value: float
    line: int = -1
    tolerance: float | None = None  #: G64 P [mm]
    naive: float | None = None  #: G64 Q, naive-CAM tolerance [mm]


_COLUMNS: dict[str, tuple[Any, int]] = {
    "kind": (np.int8, 1),
    "start": (np.float64, 2),
    "end": (np.float64, 2),
    "centre": (np.float64, 2),
    "plane": (np.int8, 1),
    "sweep": (np.float64, 1),
    "feed": (np.float64, 1),
    "n_rpm": (np.float64, 1),
    "cycle": (np.int8, 1),
    "tool": (np.int32, 1),
    "operation": (np.int32, 1),
    "command": (np.int32, 1),
    "line": (np.int32, 1),
}


@dataclass(frozen=True)
class Toolpath:
    """The moves of a job, in the order in which the machine makes them. Arrays are read-only.

    Raises ToolpathError, naming the first wrong move, if a coordinate is not finite or too large, or if the two
    radii of an arc differ.
    """

    kind: NDArray[np.int8]  #: (moves,) MoveKind
    start: Floats  #: (moves, 3) [mm], work coordinates of the tool tip
    end: Floats  #: (moves, 3) [mm]
    centre: Floats  #: (moves, 3) centre of an arc at its start height [mm], NaN for other moves
    plane: NDArray[np.int8]  #: (moves,) Plane of an arc, 0 for other moves
    sweep: Floats  #: (moves,) signed angle of an arc [rad], counter-clockwise about the plane's normal > 0, else 0
    feed: Floats  #: (moves,) programmed feed vf [mm/s], NaN if the source has none; of a rapid mostly NaN
    n_rpm: Floats  #: (moves,) programmed spindle speed, ≥ 0; NaN where unknown
    cycle: NDArray[np.int8]  #: (moves,) G number of the canned cycle it belongs to (73, 81, 82, 83), else 0
    tool: Ints  #: (moves,) index into the job's tools, -1 for none
    operation: Ints  #: (moves,) index into the job's operations, -1 for none
    command: Ints  #: (moves,) index of the command in its operation's stored path, -1 from a program
    line: Ints  #: (moves,) 1-based physical line in the program, -1 from a document
    events: tuple[PathEvent, ...] = field(default=())  #: in order of ``before``

    def __post_init__(self) -> None:
        for name, (dtype, dimensions) in _COLUMNS.items():
            column = np.ascontiguousarray(getattr(self, name), dtype=dtype)
            shape = (self.moves, 3)[:dimensions]
            if column.shape != shape:
                raise ToolpathError(f"the toolpath's column {name!r} has shape {column.shape}, not {shape}")
            column.flags.writeable = False
            object.__setattr__(self, name, column)
        self._reject_absurd_coordinates()
        self._reject_uneven_arcs()

    def _reject_absurd_coordinates(self) -> None:
        points = np.hstack([self.start, self.end])
        bad = ~(np.abs(points) <= LARGEST_COORDINATE).all(axis=1)
        if bad.any():
            raise ToolpathError(f"{self.where(int(bad.argmax()))} goes to a coordinate that no machine reaches")

    def _reject_uneven_arcs(self) -> None:
        arcs = self.kind == MoveKind.ARC
        if not arcs.any():
            return
        first, last = (self._radius_about_centre(points) for points in (self.start, self.end))
        # LinuxCNC's bounds, of an inch program: 2·√2 thousandths of an inch, and beyond it a thousandth of the radius.
        gap = np.abs(first - last)
        bad = arcs & ~(gap <= np.maximum(0.0719, 0.001 * np.maximum(first, last)))
        if bad.any():
            move = int(bad.argmax())
            raise ToolpathError(
                f"{self.where(move)} is an arc whose radius is {first[move]:.4f} mm at its start "
                f"and {last[move]:.4f} mm at its end"
            )

    def _radius_about_centre(self, points: Floats) -> Floats:
        normal = np.array([axes[2] for axes in PLANE_AXES])[self.plane]
        offset = points - self.centre
        offset[np.arange(self.moves), normal] = 0.0
        return np.asarray(np.linalg.norm(offset, axis=1))

    @property
    def moves(self) -> int:
        """How many moves there are."""
        return len(self.kind)

    @cached_property
    def radius(self) -> Floats:
        """Radius of every arc [mm], shape (moves,); NaN for other moves."""
        return self._radius_about_centre(self.start)

    @cached_property
    def length(self) -> Floats:
        """Length of every move [mm], shape (moves,); a helix counts its whole length."""
        straight = np.linalg.norm(self.end - self.start, axis=1)
        arcs = self.kind == MoveKind.ARC
        normal = np.array([axes[2] for axes in PLANE_AXES])[self.plane]
        rise = (self.end - self.start)[np.arange(self.moves), normal]
        return np.asarray(np.where(arcs, np.hypot(np.nan_to_num(self.radius) * self.sweep, rise), straight))

    @cached_property
    def way(self) -> Floats:
        """Length of path before every move, and of the whole [mm], shape (moves + 1,)."""
        return sums_before(self.length)

    @cached_property
    def is_cutting(self) -> Mask:
        """Whether a move is a feed move, shape (moves,); it may still cut only air."""
        return np.asarray(self.kind != MoveKind.RAPID)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the program for the machine (geometry, feed, spindle, tool), at 1e-6 resolution."""
        digest = hashlib.sha256(b"camtwin.toolpath/1")
        for name in ("kind", "plane", "cycle", "tool"):
            digest.update(np.asarray(getattr(self, name), np.int32).tobytes())
        for name in ("start", "end", "centre", "sweep", "feed", "n_rpm"):
            values = np.nan_to_num(getattr(self, name), nan=-1e12)
            digest.update(np.rint(values * 1e6).astype(np.int64).tobytes())
        return digest.hexdigest()

    def where(self, move: int) -> str:
        """Return the name of a move for the user: its line if it has one, else its operation and command."""
        if self.line[move] >= 0:
            return f"line {self.line[move]}"
        return f"command {self.command[move]} of operation {self.operation[move] + 1} (move {move})"
