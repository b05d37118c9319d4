# SPDX-License-Identifier: LGPL-2.1-or-later
"""The present state of a machine and of its data: the last known value of each quantity, in one structure."""

from msgspec import Struct


class State(Struct, kw_only=True, omit_defaults=True):
    """The last known values; None if unknown. Units: mm, mm/s, 1/min, W, N·mm, %, A."""

    time: float | None = None  #: of the newest row, seconds since the epoch
    execution: str | None = None
    program: str | None = None
    mode: str | None = None
    operation: int | None = None
    label: str | None = None  #: of the operation
    move: int | None = None
    line: int | None = None
    tool: int | None = None
    progress: float | None = None  #: share of the program's path, 0 … 1
    x: float | None = None
    y: float | None = None
    z: float | None = None
    feed: float | None = None
    n_rpm: float | None = None
    power: float | None = None
    predicted_power: float | None = None
    confidence: float | None = None
    spindle_load: float | None = None
    current: float | None = None
    torque: float | None = None
    feed_override: float | None = None
    rapid_override: float | None = None
    spindle_override: float | None = None
    rows: int = 0
    unplaced: int = 0  #: of these, rows without a position on the package's path
    rate: float = 0.0  #: rows a second
    gaps: int = 0
    lost: str | None = None  #: why no data come now
    received: int = 0  #: messages
    dropped: dict[str, int] = {}  #: by reason; without items that are not in the signal map
    simulated: bool = False
