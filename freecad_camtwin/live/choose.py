# SPDX-License-Identifier: LGPL-2.1-or-later
"""Chooses the signal map: the given one, the package's, or one proposed from the items that the source offers.

A source that cannot list its items, such as a broker, is observed for a short time to collect them.
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

if TYPE_CHECKING:  # it loads the simulation: one second, which a recording without a package does not need
    from freecad_camtwin.twin.package.package import Package

#: Time of observing a source that cannot list its items, from its first observation [s].
LISTEN = 3.0
_MOST_ITEMS = 2000


@dataclass(frozen=True, slots=True)
class Choice:
    """A signal map with the notes for the user."""

    signals: SignalMap
    notes: tuple[str, ...]  #: one sentence each
    is_proposed: bool = False
    listened: float = 0.0  #: how long the source was observed, without recording, to propose the map [s]


async def choose_signals(url: str, options: Options, said: Path | None, package: "Package | None") -> Choice:
    """Return the signal map for a source; InputError if none of its items has a known meaning.

    ``said``: the file of a signal map that the user gives, or None. A package's map is for its machine: for a source
    with other items, such as a recording, a map is proposed.
    """
    if said is not None:
        return Choice(read_signals(said), ())
    if package is not None and package.signals is not None:
        offered = {item.name for item in await open_connector(url, options).offered()}
        if not offered or offered & {signal.item for signal in package.signals.signals}:
            return Choice(package.signals, ())
    return await proposed(url, options)


async def proposed(url: str, options: Options, listen: float = LISTEN) -> Choice:
    """Propose a map for the items that a source lists, or that are observed within ``listen`` seconds."""
    connector = open_connector(url, options)
    items, listened = await connector.offered(), 0.0
    if not items:
        items, listened = await _observed(url, connector, options.patience, listen)
    proposal = propose_signals(items, source=url)
    if not proposal.signals.signals:
        names = ", ".join(item.name for item in items[:10]) or "nothing"
        raise InputError(f"{url} offers {names}, but no item has a known meaning; give a signal map (--signals)")
    return Choice(proposal.signals, proposal.notes, is_proposed=True, listened=listened)


def open_mapped(url: str, options: Options, signals: SignalMap) -> Connector:
    """Open a source for the items of a signal map, which also states which of them are words."""
    items = tuple(dict.fromkeys(signal.item for signal in signals.signals))
    words = frozenset(signal.item for signal in signals.signals if signal.quantity.unit is None)
    return open_connector(url, replace(options, items=items, words=words))


def _is_over(limit: asyncio.Timeout) -> bool:
    """Whether a time limit has passed; the clock is checked too, since a library may lose the cancellation."""
    end = limit.when()
    return limit.expired() or (end is not None and asyncio.get_running_loop().time() > end)


async def _observed(url: str, connector: Connector, patience: float, listen: float) -> tuple[tuple[Item, ...], float]:
    """Return the items that a source sends, and how long it was observed [s].

    ConnectorError if the source cannot be reached or sends no observation.
    """
    names: dict[str, None] = {}
    loop = asyncio.get_running_loop()
    begun = loop.time()
    silence = patience + listen  # longer than the connector's patience, so that its own error comes first
    async with aclosing(connector.observations()) as observations:
        with suppress(TimeoutError):
            async with asyncio.timeout(silence) as limit:
                async for observation in observations:
                    items = (observation.item,) if isinstance(observation, Event) else observation.items
                    new = dict.fromkeys(name for name in items if name != GAP)
                    if new and not names:
                        begun = loop.time()
                        limit.reschedule(begun + listen)
                    names |= new
                    if len(names) >= _MOST_ITEMS or _is_over(limit):
                        break
    if not names and _is_over(limit):
        raise _no_observation(url, connector, silence)
    return tuple(Item(name) for name in names), loop.time() - begun


def _no_observation(url: str, connector: Connector, silence: float) -> ConnectorError:
    """Return the error of a source that was not reached or sent nothing usable."""
    if not connector.told.is_reached:
        return ConnectorError(f"{url} cannot be reached: no answer; tried for {silence:g} s")
    received = connector.told.received
    result = f"only unreadable messages ({received:,}) were received" if received else "nothing was received"
    return ConnectorError(
        f"{result} from {url} for {silence:g} s; check the address, give a signal map (--signals), "
        "or wait longer (--patience S)"
    )
