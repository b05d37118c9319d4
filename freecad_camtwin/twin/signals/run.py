# SPDX-License-Identifier: LGPL-2.1-or-later
"""One recorded run as it was read: its columns, its silences and its origin."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from freecad_camtwin.twin.signals.columns import Columns


@dataclass(frozen=True, slots=True)
class Silence:
    """A period without data."""

    start: float  #: [s] since the epoch
    stop: float | None  #: None if it had not ended
    reason: str


@dataclass(frozen=True)
class Run:
    """The data of a machine during a run; unknown is None. A run may be several executions: see ``runs.execution``."""

    columns: Columns
    source: str  #: the file's name
    name: str | None = None  #: identifies this run and its copies
    toolpath_hash: str | None = None  #: of the path that it was recorded along
    program_hash: str | None = None  #: of the posted program's bytes
    program: str | None = None
    machine: str | None = None
    operator: str | None = None
    simulated: bool = False
    finished: bool | None = None  #: whether its recorder ended it; None if that is unknown
    silences: tuple[Silence, ...] = ()
    received: int | None = None  #: rows that the source delivered
    dropped: Mapping[str, int] = field(default_factory=dict)  #: reason → number of rows left out
    notes: tuple[str, ...] = ()  #: sentences: problems found while reading
