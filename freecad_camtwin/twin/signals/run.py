# SPDX-License-Identifier: LGPL-2.1-or-later
"""One recorded run as it was read: its columns, its silences, and where all that comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from freecad_camtwin.twin.signals.columns import Columns


@dataclass(frozen=True, slots=True)
class Silence:
    """A stretch of time of which nothing is known."""

    start: float  #: [s] since the epoch
    stop: float | None  #: None: it had not ended
    reason: str


@dataclass(frozen=True)
class Run:
    """What a machine told while it ran; unknown is None. A run need not be one execution: see ``twin.execution``."""

    columns: Columns
    source: str  #: the file's name
    name: str | None = None  #: names this run wherever it is copied to
    toolpath_hash: str | None = None  #: of the path that it was recorded along
    program_hash: str | None = None  #: of the posted program's bytes
    program: str | None = None
    machine: str | None = None
    operator: str | None = None
    simulated: bool = False
    finished: bool | None = None  #: whether its recorder ended it; None where nobody could say
    silences: tuple[Silence, ...] = ()
    received: int | None = None  #: rows that the source delivered
    dropped: Mapping[str, int] = field(default_factory=dict)  #: reason → rows that are not here
    notes: tuple[str, ...] = ()  #: sentences: what was odd while reading
