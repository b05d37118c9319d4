# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every connector is, what it can be told, and what it counts."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import Observations

#: Warnings that are kept; a source that goes wrong in a thousand ways must not fill the memory.
MOST_WARNINGS = 100


@dataclass(frozen=True, slots=True)
class Options:
    """What a connector is told beside its address. Secrets stand here, so that no address shows them."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    certificate: Path | None = None  #: ours, for those who ask for one (PEM; DER too for OPC UA)
    key: Path | None = None  #: of our certificate
    authority: Path | None = None  #: certificate that the other side's must be signed by; None: the system's
    items: tuple[str, ...] = ()  #: those wanted, of a source that tells only what it is asked for
    words: frozenset[str] = frozenset()  #: items that are words even where they look like numbers, as a program "1001"
    interval: float = 0.01  #: asked of servers that publish at a pace [s]
    quiet: float = 30.0  #: silence after which data are taken to be missing [s]
    patience: float = 30.0  #: how long the first connection is tried for [s]; later ones for ever
    most_bytes: int = 4 * 2**20  #: a longer message is dropped


@dataclass(slots=True)
class Told:
    """What a connector says of its own work, while it works."""

    received: int = 0  #: messages, documents or rows that came
    dropped: Counter[str] = field(default_factory=Counter)  #: reason → how many of them were of no use
    warnings: list[str] = field(default_factory=list)  #: one sentence each, each once
    is_reached: bool = False  #: whether a source that cannot say what it has was ever there
    simulated: bool = False  #: whether the source says that its data are no machine's

    def warn(self, sentence: str) -> None:
        """Keep a sentence, once."""
        if sentence not in self.warnings and len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(sentence)

    def drop(self, reason: str, number: int = 1) -> None:
        """Count what was of no use."""
        self.dropped[reason] += number


class Connector(Protocol):
    """A source of observations: an async generator of them, and nothing else."""

    told: Told

    def observations(self) -> Observations:
        """Yield what the source says until it ends; a lost connection is a ``GAP``, and is made again.

        InputError where a file is none of its kind; ConnectorError where the source refuses us, or was never there.
        """

    async def offered(self) -> tuple[Item, ...]:
        """Return the items that the source says it has; empty where it cannot say."""
