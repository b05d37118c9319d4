# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write a feed plan into stored commands: the same path, split where the feed changes, with new F words.

Only F words and split points differ. Split points lie on the original move: a line stays a line, an arc
becomes arcs about the same center over proportional angles, a helix climbs in proportion. What cannot be
split without guessing (a canned cycle, G91, an arc by radius, a start that no command has given yet) gets
the slowest feed of its pieces as a whole. Lengths in mm, F in mm/s. Standard library alone.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from freecad_camtwin.twin.feeds.plan import Change, OperationPlan, commands_hash
from freecad_camtwin.twin.job.command import PathCommand

_ARCS = ("G2", "G3")
_CYCLES = ("G73", "G74", "G76", "G81", "G82", "G83", "G84", "G85", "G86", "G87", "G88", "G89")
_CUTS = ("G1", *_ARCS, *_CYCLES)
#: (first axis, second axis, normal) and the words of the center, by the plane's G-code.
_PLANES = {
    "G17": (("X", "Y", "Z"), ("I", "J")),
    "G18": (("Z", "X", "Y"), ("K", "I")),
    "G19": (("Y", "Z", "X"), ("J", "K")),
}
_MOTIONS = ("G0", *_CUTS)
_ELSEWHERE = ("G10", "G28", "G30", "G43", "G49", "G52", "G53", "G92", *(f"G5{n}" for n in range(4, 10)), "M6")


@dataclass(frozen=True, slots=True)
class Applied:
    """The commands to execute, and a sentence if the plan was not used."""

    commands: list[tuple[str, dict[str, float]]]
    sentence: str | None = None  #: None if the plan was written


def apply_to_commands(commands: Sequence[PathCommand], plan: OperationPlan) -> Applied:
    """Write ``plan`` into ``commands``. A plan for other commands changes nothing, and the sentence states that."""
    plain = [(name, dict(parameters)) for name, parameters in commands]
    if plan.base_hash != commands_hash(plain):
        return Applied(
            plain,
            f"'{plan.label}' is not the path that its feeds were planned for: it keeps its own feeds; plan again.",
        )
    pieces: dict[int, list[Change]] = {}
    for change in plan.changes:
        pieces.setdefault(change.command, []).append(change)
    beyond = [index for index in pieces if not 0 <= index < len(plain)]
    if beyond:
        return Applied(
            plain, f"'{plan.label}' has no command {beyond[0]}, but its plan has: it keeps its own feeds; plan again."
        )
    state = _State()
    written: list[tuple[str, dict[str, float]]] = []
    for index, (name, parameters) in enumerate(plain):
        written += state.write(_plain_name(name), name, parameters, pieces.get(index, []))
    return Applied(written)


def _plain_name(name: str) -> str:
    """G01 and g1 are G1; a comment is itself."""
    word = name.strip().upper()
    if len(word) > 2 and word[0] in "GM" and word[1:].isdigit():
        return word[0] + str(int(word[1:]))
    return word


@dataclass(slots=True)
class _State:
    """The modal state between commands: position, plane, distance mode, and feeds as read and as written."""

    position: dict[str, float] = field(default_factory=dict)
    plane: str = "G17"
    absolute: bool = True
    # Readers differ on whether a rapid's F counts for later cuts: both readings are followed, [counts, does not].
    before: list[float | None] = field(default_factory=lambda: [None, None])
    after: list[float | None] = field(default_factory=lambda: [None, None])

    def write(
        self, word: str, name: str, parameters: dict[str, float], changes: list[Change]
    ) -> list[tuple[str, dict[str, float]]]:
        """Return the commands that replace one, and update the state."""
        if word in _PLANES:
            self.plane = word
        elif word in ("G90", "G91"):
            self.absolute = word == "G90"
        own = parameters.get("F")
        if word in _CUTS:
            written = self._cut(word, name, parameters, changes)
        else:
            written = [(name, parameters)]
            if own is not None:
                self.before[0] = self.after[0] = own
        self._follow(word, parameters)
        return written

    def _cut(
        self, word: str, name: str, parameters: dict[str, float], changes: list[Change]
    ) -> list[tuple[str, dict[str, float]]]:
        own = parameters.get("F")
        if own is not None:
            self.before = [own, own]
        feeds = list(self._stretches(changes))
        if len(feeds) > 1 and not self._can_split(word, parameters):
            feeds = [(0.0, 1.0, _slowest([feed for _, _, feed in feeds]))]
        if not feeds:
            return [(name, self._unchanged(parameters))]
        points = self._points(word, parameters, feeds)
        written = []
        for place, feed in zip(points, (feed for _, _, feed in feeds), strict=True):
            piece = {**parameters, **place}
            if feed is not None:
                piece["F"] = feed
                self.after = [feed, feed]
            written.append((name, piece))
        return written

    def _unchanged(self, parameters: dict[str, float]) -> dict[str, float]:
        """A command that keeps its feed gets an F word if the modal feed before it has changed."""
        own = parameters.get("F")
        if own is not None:
            self.after = [own, own]
        elif self.after != self.before:
            own = _slowest(self.before)
            if own is not None:
                self.after = [own, own]
                return {**parameters, "F": own}
        return parameters

    def _stretches(self, changes: list[Change]) -> Iterator[tuple[float, float, float | None]]:
        """The whole command as (start, end, feed) without gaps; between changes it keeps its own feed."""
        if not changes:
            return
        keep = _slowest(self.before) or _slowest([change.feed_after for change in changes])
        at = 0.0
        for change in sorted(changes, key=lambda change: change.start):
            if change.start > at:
                yield at, change.start, keep
            yield change.start, change.end, change.feed_after
            at = change.end
        if at < 1.0:
            yield at, 1.0, keep

    def _can_split(self, word: str, parameters: dict[str, float]) -> bool:
        if word in _CYCLES or not self.absolute or any(axis in parameters for axis in "ABCUVWR"):
            return False
        needed = {axis for axis in "XYZ" if axis in parameters}
        if word in _ARCS:
            axes, centre = _PLANES[self.plane]
            needed |= set(axes[:2])
            if not any(letter in parameters for letter in centre):
                return False
        return needed <= self.position.keys()

    def _points(
        self, word: str, parameters: dict[str, float], feeds: Sequence[tuple[float, float, float | None]]
    ) -> list[dict[str, float]]:
        """The end and center words of every piece; empty if the command stays whole."""
        if len(feeds) == 1:
            return [{}]
        start = dict(self.position)
        end = start | {axis: parameters[axis] for axis in "XYZ" if axis in parameters}
        if word not in _ARCS:
            places = [{axis: start[axis] + (end[axis] - start[axis]) * to for axis in end} for _, to, _ in feeds]
        else:
            turn = Turn.of(word == "G3", self.plane, start, end, parameters)
            places = [turn.piece(at, to) for at, to, _ in feeds]
        places[-1] |= end
        return places

    def _follow(self, word: str, parameters: dict[str, float]) -> None:
        """Update the position after a command; an unknown coordinate is removed."""
        if word in _ELSEWHERE:
            self.position.clear()
        elif word in _MOTIONS:
            for axis in [axis for axis in "XYZ" if axis in parameters]:
                here = 0.0 if self.absolute else self.position.get(axis, math.nan)
                self.position[axis] = here + parameters[axis]
            # A cycle ends at its clear height, which depends on G98 or G99; so Z is unknown then.
            lost = [
                axis for axis, value in self.position.items() if value != value or (axis == "Z" and word in _CYCLES)
            ]
            for axis in lost:
                del self.position[axis]


def _slowest(feeds: Sequence[float | None]) -> float | None:
    stated = [feed for feed in feeds if feed is not None]
    return min(stated) if stated else None


@dataclass(frozen=True, slots=True)
class Turn:
    """An arc or helix about its center."""

    axes: tuple[str, str, str]  #: first axis, second axis, normal
    words: tuple[str, str]  #: the words of the offsets of the center
    centre: tuple[float, float]  #: [mm], in the plane
    start: Mapping[str, float]
    angle: float  #: of the start [rad]
    sweep: float  #: signed [rad]
    radius: tuple[float, float]  #: at start and end [mm]; rounding makes them differ a little
    rise: float  #: along the normal over the whole sweep [mm]

    @classmethod
    def of(
        cls,
        counter_clockwise: bool,
        plane: str,
        start: Mapping[str, float],
        end: Mapping[str, float],
        offsets: Mapping[str, float],
    ) -> "Turn":
        """Read a G2 or G3 with offsets relative to its start; equal ends in the plane are a full circle."""
        axes, words = _PLANES[plane]
        a, b, normal = axes
        shift = [offsets.get(word, 0.0) for word in words]
        centre = (start[a] + shift[0], start[b] + shift[1])
        first = math.atan2(-shift[1], -shift[0])
        reach = (end[a] - centre[0], end[b] - centre[1])
        sweep = math.atan2(reach[1], reach[0]) - first
        if math.hypot(end[a] - start[a], end[b] - start[b]) < 1e-9:
            sweep = 0.0
        if counter_clockwise:
            sweep += 2 * math.pi * (1 - math.ceil(sweep / (2 * math.pi)))
        else:
            sweep -= 2 * math.pi * (1 + math.floor(sweep / (2 * math.pi)))
        rise = end[normal] - start[normal] if normal in start and normal in end else 0.0
        return cls(axes, words, centre, start, first, sweep, (math.hypot(*shift), math.hypot(*reach)), rise)

    def point(self, at: float) -> dict[str, float]:
        """Coordinates at a fraction of the sweep; the normal's only where it is known."""
        a, b, normal = self.axes
        angle = self.angle + self.sweep * at
        radius = self.radius[0] + (self.radius[1] - self.radius[0]) * at
        place = {a: self.centre[0] + radius * math.cos(angle), b: self.centre[1] + radius * math.sin(angle)}
        if at == 0:
            place = {a: self.start[a], b: self.start[b]}
        if normal in self.start:
            place[normal] = self.start[normal] + self.rise * at
        return place

    def piece(self, at: float, to: float) -> dict[str, float]:
        """End and center words of the arc between two fractions."""
        a, b, _ = self.axes
        here = self.point(at)
        return self.point(to) | {self.words[0]: self.centre[0] - here[a], self.words[1]: self.centre[1] - here[b]}
