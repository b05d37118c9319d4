# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a client of a broker in the running event loop of asyncio, without a thread."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.packettypes import PacketTypes

from freecad_camtwin.connectors.mqtt.client import properties

#: Interval of keeping the connection alive [s].
TENDS = 1.0
#: Interval of reading if the loop cannot watch sockets, as on Windows [s].
READS = 0.005
#: Messages read in one turn of the event loop.
AT_ONCE = 100


@asynccontextmanager
async def tended(client: Client, received: Callable[[], int]) -> AsyncIterator[None]:
    """Read and write for a connected client in the running loop, and disconnect at the end.

    received: returns the number of messages received so far
    """
    tender = _Tender(client, received)
    tending = asyncio.create_task(tender.tend())
    try:
        yield
    finally:
        tending.cancel()
        # After a deliberate end the broker need not keep the session; on a lost connection this has no effect.
        client.disconnect(properties=properties(PacketTypes.DISCONNECT, SessionExpiryInterval=0))
        tender.leave()


class _Tender:
    def __init__(self, client: Client, received: Callable[[], int]) -> None:
        self._client, self._received = client, received
        self._loop = asyncio.get_running_loop()
        self._again: asyncio.Handle | None = None
        self._is_watched = False
        if not (opened := client.socket()):
            return  # it was lost already, and has reported it
        with suppress(NotImplementedError):  # raised by the loop of Windows: ``tend`` reads there
            self._loop.add_reader(opened, self._read)
            self._is_watched = True
            client.on_socket_close = lambda _client, _data, closed: self._forget(closed)

    async def tend(self) -> None:
        """Keep the connection alive, and read if the loop does not watch the socket; ends with the connection."""
        while self._client.socket():
            await asyncio.sleep(TENDS if self._is_watched else READS)
            if not self._is_watched:
                self._read()
            self._client.loop_misc()

    def leave(self) -> None:
        """Close a connection that is still open after the disconnect."""
        if left := self._client.socket():
            self._forget(left)
            left.close()

    def _forget(self, closed: Any) -> None:
        if self._is_watched:
            self._loop.remove_reader(closed)

    def _read(self) -> None:
        if self._again:  # one scheduled call at a time
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
        """Whether TLS has decrypted more data than were read; the loop does not see them on the socket."""
        opened = self._client.socket()
        return isinstance(opened, ssl.SSLSocket) and opened.pending() > 0
