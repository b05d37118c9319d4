# SPDX-License-Identifier: LGPL-2.1-or-later
"""asyncua's client with limits: data from a server cannot fill the memory; sizes that it states are not trusted."""

import asyncio
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from asyncua import Client, ua
from asyncua.client.ua_client import UaClient, UASocketProtocol
from asyncua.common.connection import TransportLimits
from asyncua.common.shortcuts import Shortcuts
from asyncua.ua import ua_binary

#: Longest chunk of a message, the usual limit of servers [bytes].
MOST_CHUNK = 2**16
#: Least size of a chunk that a peer must accept by OPC 10000-6 [bytes].
LEAST_CHUNK = 8192
#: Time limit for disconnecting [s].
GOODBYE = 2.0
#: Exceptions that asyncua raises if a connection fails or its data are invalid.
NONSENSE = (
    OSError, TimeoutError, ua.UaError, struct.error, ValueError, TypeError, LookupError, AttributeError, AssertionError,
    ArithmeticError, RecursionError,
)  # fmt: skip


def harden() -> None:
    """Make asyncua refuse arrays of type Null: sixty bytes could otherwise state two thousand million elements.

    Elements of all other types need bytes, so a false number of them is detected at once.
    """
    unpack = ua_binary.unpack_uatype_array
    if not isinstance(unpack, partial):
        ua_binary.unpack_uatype_array = partial(_unpack_something, unpack)


def _unpack_something(unpack: Callable[[ua.VariantType, Any], Any], kind: ua.VariantType, data: Any) -> Any:
    if kind == ua.VariantType.Null:
        raise ua.UaError("an array of nothing")
    return unpack(kind, data)


class _Limits(TransportLimits):
    """Our limits for receiving, the server's limits for sending."""

    max_send_buffer: int

    def update_client_limits(self, msg: ua.Acknowledge) -> None:
        """Apply the server's limits."""
        self.max_send_buffer = min(self.max_send_buffer, max(int(msg.ReceiveBufferSize), LEAST_CHUNK))


class _Protocol(UASocketProtocol):
    """Disconnects a server that sends too long a chunk, and reports a refusal to open the channel."""

    def data_received(self, data: bytes) -> None:
        """Process bytes and every chunk that they complete; disconnect if a chunk is too long."""
        super().data_received(data)
        if len(self.receive_buffer or b"") > MOST_CHUNK:
            self.disconnect_socket()

    def _process_received_message(self, msg: ua.Message | ua.Acknowledge | ua.ErrorMessage | None) -> None:
        """Raise the server's reason if it opens no channel; asyncua would treat that answer as an open channel."""
        if isinstance(msg, ua.Message) and not self._connection.is_open():
            self.check_answer(msg.body(), " before the channel was open")
        super()._process_received_message(msg)


class _Transport(UaClient):
    def __init__(self, timeout: float, most_bytes: int) -> None:
        super().__init__(timeout)
        self._most_bytes = most_bytes

    def _make_protocol(self) -> UASocketProtocol:
        limits = _Limits(MOST_CHUNK, MOST_CHUNK, self._most_bytes // LEAST_CHUNK + 1, self._most_bytes)
        self.protocol = _Protocol(self._timeout, security_policy=self.security_policy, limits=limits)
        self.protocol.pre_request_hook = self.pre_request_hook
        self.protocol.on_connection_lost = self._on_transport_lost
        self.protocol.is_session_closing = self._is_session_closing
        return self.protocol


class BoundedClient(Client):
    """A client that accepts messages of at most ``most_bytes``; it does not reconnect."""

    def __init__(self, url: str, *, quiet: float, most_bytes: int) -> None:
        """``quiet``: a server that does not answer for this long counts as lost, 1 to 10 s [s]."""
        harden()
        timeout = min(max(quiet, 1.0), 10.0)
        super().__init__(url, timeout=timeout, watchdog_intervall=timeout)
        self.name = self.description = "CAM Twin"
        self.uaclient = _Transport(timeout, most_bytes)
        self.uaclient.pre_request_hook = self._wait_until_ready
        self.nodes = Shortcuts(self.uaclient.session)
        self.max_messagesize = most_bytes

    async def leave(self) -> None:
        """Disconnect, within ``GOODBYE`` seconds, and close the socket."""
        with suppress(*NONSENSE):
            async with asyncio.timeout(GOODBYE):
                await self.disconnect()
        self.disconnect_socket()
