# SPDX-License-Identifier: LGPL-2.1-or-later
"""The protocol of all connectors, their options, and their counters and warnings."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import Observations

#: Most warnings that are kept, so that a faulty source cannot fill the memory.
MOST_WARNINGS = 100


@dataclass(frozen=True, slots=True)
class Options:
    """Options of a connector beside its address. Secrets are here, so that no address shows them."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    certificate: Path | None = None  #: our certificate, for servers that require one (PEM; for OPC UA also DER)
    key: Path | None = None  #: the key of our certificate
    authority: Path | None = None  #: certificate that must have signed the peer's; None: the system's authorities
    items: tuple[str, ...] = ()  #: the items to request from a source that sends only requested items
    words: frozenset[str] = frozenset()  #: items that are words even if they look like numbers (a program "1001")
    interval: float = 0.01  #: interval requested from servers that publish periodically [s]
    quiet: float = 30.0  #: silence after which data count as missing [s]
    patience: float = 30.0  #: time limit of the first connection [s]; later ones are tried without limit
    most_bytes: int = 4 * 2**20  #: longest message; a longer one is dropped [bytes]


@dataclass(slots=True)
class Told:
    """Counters and warnings of a running connector."""

    received: int = 0  #: messages, documents or rows received
    dropped: Counter[str] = field(default_factory=Counter)  #: reason → number of them that could not be used
    warnings: list[str] = field(default_factory=list)  #: one sentence each, without repetition
    is_reached: bool = False  #: whether a source that cannot list its items was ever connected
    simulated: bool = False  #: whether the source states that its data are simulated

    def warn(self, sentence: str) -> None:
        """Keep a warning unless it is already there."""
        if sentence not in self.warnings and len(self.warnings) < MOST_WARNINGS:
            self.warnings.append(sentence)

    def drop(self, reason: str, number: int = 1) -> None:
        """Count data that could not be used, by reason."""
        self.dropped[reason] += number


class Connector(Protocol):
    """A source of observations: an async generator."""

    told: Told

    def observations(self) -> Observations:
        """Yield observations until the source ends; a lost connection yields a ``GAP`` and is opened again.

        InputError if a file has the wrong format; ConnectorError if the source refuses us or was never reached.
        """

    async def offered(self) -> tuple[Item, ...]:
        """Return the items that the source lists; empty if it cannot list them."""
