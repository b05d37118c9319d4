# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which signal map holds: the one that was given, the package's, or one proposed from what the source offers.

Where a source cannot say what it has, as a broker cannot, it is listened to for a while.
"""

import asyncio
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from freecad_camtwin.connectors import Connector, Options, open_connector
from freecad_camtwin.errors import ConnectorError, InputError
from freecad_camtwin.twin.signals.discovery import Item, propose_signals
from freecad_camtwin.twin.signals.observation import GAP, Event
from freecad_camtwin.twin.signals.signal_map import SignalMap, read_signals

if TYPE_CHECKING:  # it loads the simulation, which takes a second that a plain recording need not wait for
    from freecad_camtwin.twin.package.package import Package

#: How long a source is listened to, from its first word on [s].
LISTEN = 3.0
_MOST_ITEMS = 2000


@dataclass(frozen=True, slots=True)
class Choice:
    """A signal map, and what is to be told of it."""

    signals: SignalMap
    notes: tuple[str, ...]  #: one sentence each
    is_proposed: bool = False
    listened: float = 0.0  #: for how long a source was heard, and not recorded, to propose the map [s]


async def choose_signals(url: str, options: Options, said: Path | None, package: "Package | None") -> Choice:
    """Return the signal map for a source; InputError where nothing that it offers could be understood.

    A package's map is of its machine: for a source that offers other items, as a recording does, one is proposed.
    """
    if said is not None:
        return Choice(read_signals(said), ())
    if package is not None and package.signals is not None:
        offered = {item.name for item in await open_connector(url, options).offered()}
        if not offered or offered & {signal.item for signal in package.signals.signals}:
            return Choice(package.signals, ())
    return await proposed(url, options)


async def proposed(url: str, options: Options, listen: float = LISTEN) -> Choice:
    """Propose a map for what a source offers, or is heard to say for ``listen`` seconds."""
    connector = open_connector(url, options)
    items, listened = await connector.offered(), 0.0
    if not items:
        items, listened = await _heard(url, connector, options.patience, listen)
    proposal = propose_signals(items, source=url)
    if not proposal.signals.signals:
        names = ", ".join(item.name for item in items[:10]) or "nothing"
        raise InputError(f"{url} offers {names}, of which nothing could be understood; give a signal map (--signals)")
    return Choice(proposal.signals, proposal.notes, is_proposed=True, listened=listened)


def open_mapped(url: str, options: Options, signals: SignalMap) -> Connector:
    """Open a source of which we know what we want, and which items are words, from its signal map."""
    items = tuple(dict.fromkeys(signal.item for signal in signals.signals))
    words = frozenset(signal.item for signal in signals.signals if signal.quantity.unit is None)
    return open_connector(url, replace(options, items=items, words=words))


def _is_over(limit: asyncio.Timeout) -> bool:
    """Whether a time limit has passed; a library may lose the cancellation that tells of it."""
    end = limit.when()
    return limit.expired() or (end is not None and asyncio.get_running_loop().time() > end)


async def _heard(url: str, connector: Connector, patience: float, listen: float) -> tuple[tuple[Item, ...], float]:
    """Return the items that a source speaks of, and how long it was heard to speak [s].

    ConnectorError where it is not there, or does not speak.
    """
    names: dict[str, None] = {}
    loop = asyncio.get_running_loop()
    begun = loop.time()
    silence = patience + listen  # so that a source that is not there is named, with the reason, by its connector
    async with aclosing(connector.observations()) as found:
        with suppress(TimeoutError):
            async with asyncio.timeout(silence) as limit:
                async for observation in found:
                    said = (observation.item,) if isinstance(observation, Event) else observation.items
                    new = dict.fromkeys(name for name in said if name != GAP)
                    if new and not names:
                        begun = loop.time()
                        limit.reschedule(begun + listen)
                    names |= new
                    if len(names) >= _MOST_ITEMS or _is_over(limit):
                        break
    if not names and _is_over(limit):
        raise _nothing_heard(url, connector, silence)
    return tuple(Item(name) for name in names), loop.time() - begun


def _nothing_heard(url: str, connector: Connector, silence: float) -> ConnectorError:
    """Say that a source was not there, or has not said anything that we understand."""
    if not connector.told.is_reached:
        return ConnectorError(f"{url} cannot be reached: no answer; tried for {silence:g} s")
    received = connector.told.received
    said = f"only messages that cannot be understood ({received:,}) came" if received else "nothing was heard"
    return ConnectorError(
        f"{said} from {url} for {silence:g} s; is that the right address? Give a signal map (--signals), "
        "or listen for longer (--patience S)"
    )
