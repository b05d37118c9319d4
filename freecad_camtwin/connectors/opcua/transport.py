# SPDX-License-Identifier: LGPL-2.1-or-later
"""asyncua's client, with limits: what a server sends must not fill the memory, whatever it claims about itself."""

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

#: Bytes of one chunk of a message, as most servers send at most.
MOST_CHUNK = 2**16
#: The least that a peer must take in one chunk, says OPC 10000-6.
LEAST_CHUNK = 8192
#: How long a server may take to hear that we leave [s].
GOODBYE = 2.0
#: What asyncua raises where a connection fails, or where what comes over it makes no sense.
NONSENSE = (
    OSError, TimeoutError, ua.UaError, struct.error, ValueError, TypeError, LookupError, AttributeError, AssertionError,
    ArithmeticError, RecursionError,
)  # fmt: skip


def harden() -> None:
    """Have asyncua refuse arrays of nothing: sixty bytes that claim two thousand million elements would be believed.

    Elements of all other types take bytes, which are missed at once.
    """
    unpack = ua_binary.unpack_uatype_array
    if not isinstance(unpack, partial):
        ua_binary.unpack_uatype_array = partial(_unpack_something, unpack)


def _unpack_something(unpack: Callable[[ua.VariantType, Any], Any], kind: ua.VariantType, data: Any) -> Any:
    if kind == ua.VariantType.Null:
        raise ua.UaError("an array of nothing")
    return unpack(kind, data)


class _Limits(TransportLimits):
    """Ours for what we receive, the server's for what we send."""

    max_send_buffer: int

    def update_client_limits(self, msg: ua.Acknowledge) -> None:
        """Take the server's limits."""
        self.max_send_buffer = min(self.max_send_buffer, max(int(msg.ReceiveBufferSize), LEAST_CHUNK))


class _Protocol(UASocketProtocol):
    """Hangs up on who sends chunks without an end; asyncua would gather them. Listens to who refuses us."""

    def data_received(self, data: bytes) -> None:
        """Take bytes, and every chunk that they complete."""
        super().data_received(data)
        if len(self.receive_buffer or b"") > MOST_CHUNK:
            self.disconnect_socket()

    def _process_received_message(self, msg: ua.Message | ua.Acknowledge | ua.ErrorMessage | None) -> None:
        """Hear a server that says why it opens no channel; asyncua would take that for the channel."""
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
    """A client that takes no longer messages than ``most_bytes``; reconnecting is not its business."""

    def __init__(self, url: str, *, quiet: float, most_bytes: int) -> None:
        """``quiet``: a server that has not answered for so long is gone [s]."""
        harden()
        timeout = min(max(quiet, 1.0), 10.0)
        super().__init__(url, timeout=timeout, watchdog_intervall=timeout)
        self.name = self.description = "CAM Twin"
        self.uaclient = _Transport(timeout, most_bytes)
        self.uaclient.pre_request_hook = self._wait_until_ready
        self.nodes = Shortcuts(self.uaclient.session)
        self.max_messagesize = most_bytes

    async def leave(self) -> None:
        """Say goodbye, not for long, and hang up."""
        with suppress(*NONSENSE):
            async with asyncio.timeout(GOODBYE):
                await self.disconnect()
        self.disconnect_socket()
