# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of a broker that is read and kept alive by the running loop of asyncio, without a thread."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.packettypes import PacketTypes

from freecad_camtwin.connectors.mqtt.client import properties

#: How often a connection is looked after [s].
TENDS = 1.0
#: How often it is read where the loop watches no sockets, as Windows's does not [s].
READS = 0.005
#: Messages that are read before others have their turn.
AT_ONCE = 100


@asynccontextmanager
async def tended(client: Client, received: Callable[[], int]) -> AsyncIterator[None]:
    """Have the running loop read and write for a client that is connected, and say farewell at the end.

    received: returns how many messages have come until now
    """
    tender = _Tender(client, received)
    tending = asyncio.create_task(tender.tend())
    try:
        yield
    finally:
        tending.cancel()
        # Who leaves on purpose wants nothing kept; on a lost connection this reaches nobody.
        client.disconnect(properties=properties(PacketTypes.DISCONNECT, SessionExpiryInterval=0))
        tender.leave()


class _Tender:
    def __init__(self, client: Client, received: Callable[[], int]) -> None:
        self._client, self._received = client, received
        self._loop = asyncio.get_running_loop()
        self._again: asyncio.Handle | None = None
        self._is_watched = False
        if not (opened := client.socket()):
            return  # it was lost already, and has told so
        with suppress(NotImplementedError):  # what the loop of Windows raises: ``tend`` reads there
            self._loop.add_reader(opened, self._read)
            self._is_watched = True
            client.on_socket_close = lambda _client, _data, closed: self._forget(closed)

    async def tend(self) -> None:
        """Keep the connection alive, and read where nobody calls; ends with the connection."""
        while self._client.socket():
            await asyncio.sleep(TENDS if self._is_watched else READS)
            if not self._is_watched:
                self._read()
            self._client.loop_misc()

    def leave(self) -> None:
        """Drop a connection that could not even be told farewell."""
        if left := self._client.socket():
            self._forget(left)
            left.close()

    def _forget(self, closed: Any) -> None:
        if self._is_watched:
            self._loop.remove_reader(closed)

    def _read(self) -> None:
        if self._again:  # one turn at a time, whoever calls
            self._again.cancel()
        for _ in range(AT_ONCE):
            before = self._received()
            self._client.loop_read()
            if self._received() == before and not self._holds():
                break
        if self._holds():
            self._again = self._loop.call_soon(self._read)
        if self._client.want_write():
            self._client.loop_write()

    def _holds(self) -> bool:
        """Whether TLS has deciphered more than was asked for; the loop knows nothing of that."""
        opened = self._client.socket()
        return isinstance(opened, ssl.SSLSocket) and opened.pending() > 0
