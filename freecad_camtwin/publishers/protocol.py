# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every publisher is, and what it is told of the machine that it speaks for."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import Observation

#: What can be asked of a machine.
FEED_OVERRIDE = "feed_override"
#: The item that tells what was asked, and what became of it.
COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Spoken:
    """The machine that a publisher speaks for."""

    name: str  #: "VMC 3"
    uuid: str
    items: tuple[Item, ...]  #: all that it will ever tell, words included
    simulated: bool  #: said in every message: these data are no machine's


@dataclass(frozen=True, slots=True)
class PublisherOptions:
    """What a publisher is told beside its address. Secrets stand here, so that no address shows them."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    certificate: Path | None = None  #: ours
    key: Path | None = None  #: of our certificate
    authority: Path | None = None  #: what the other side's certificate must be signed by; None: the system's
    batch_s: float = 0.01  #: rows are gathered for this long before they are sent [s]


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody asks of the machine."""

    name: str  #: "feed_override"
    value: float
    sender: str  #: who asks, as the transport knows them
    expires: float | None = None  #: not to be followed after this time, seconds since the epoch


class Publisher(Protocol):
    """Tells observations: ``async with publisher: await publisher.tell(observation)``."""

    address: str  #: where it is heard, with the port that was really taken
    dropped: Counter[str]  #: reason → how many messages or words nobody will hear

    async def __aenter__(self) -> "Publisher":
        """Begin: connect or listen. ConnectorError, one sentence, where that cannot be done."""

    async def __aexit__(self, *_: object) -> None:
        """Tell what is gathered, and end."""

    async def tell(self, observation: Observation) -> None:
        """Tell a block of rows or a word. Never waits for a listener; memory is bounded, what is lost is counted."""

    def commands(self) -> AsyncIterator[Command]:
        """Yield what is asked of the machine; ends at once where the protocol takes no commands."""
