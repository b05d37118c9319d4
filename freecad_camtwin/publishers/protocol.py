# SPDX-License-Identifier: LGPL-2.1-or-later
"""The protocol of all publishers, their options, and the description of the machine that they publish."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import Observation

#: The command that a machine accepts.
FEED_OVERRIDE = "feed_override"
#: The item that reports a command and its result.
COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Spoken:
    """The machine that a publisher publishes."""

    name: str  #: "VMC 3"
    uuid: str
    items: tuple[Item, ...]  #: all items that it may publish, words included
    simulated: bool  #: stated in every message: the data are simulated


@dataclass(frozen=True, slots=True)
class PublisherOptions:
    """Options of a publisher beside its address. Secrets are here, so that no address shows them."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    certificate: Path | None = None  #: our certificate
    key: Path | None = None  #: the key of our certificate
    authority: Path | None = None  #: certificate that must have signed the peer's; None: the system's authorities
    batch_s: float = 0.01  #: rows are collected for this long before they are sent [s]


@dataclass(frozen=True, slots=True)
class Command:
    """A command to the machine."""

    name: str  #: "feed_override"
    value: float
    sender: str  #: user or name that the transport reports
    expires: float | None = None  #: not executed after this time, seconds since the epoch


class Publisher(Protocol):
    """Publishes observations: ``async with publisher: await publisher.tell(observation)``."""

    address: str  #: where clients find the data, with the actual port
    dropped: Counter[str]  #: reason → number of messages or words that were not published

    async def __aenter__(self) -> "Publisher":
        """Connect or listen. ConnectorError, one sentence, if that fails."""

    async def __aexit__(self, *_: object) -> None:
        """Send the collected rows, and end."""

    async def tell(self, observation: Observation) -> None:
        """Publish a block of rows or a word. Never waits for a receiver; memory is bounded, losses are counted."""

    def commands(self) -> AsyncIterator[Command]:
        """Yield the commands to the machine; end at once if the protocol has none."""
