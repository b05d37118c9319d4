# SPDX-License-Identifier: LGPL-2.1-or-later
"""A minimal HTTP server for the agent: GET, complete and endless answers, over asyncio and h11.

h11 implements the protocol and its bounds; this module handles the connections. Slow, silent or too many connections
do not delay the others.

A server such as uvicorn or aiohttp would be another dependency, while h11 comes with httpx, which the connectors need.
Most of this file would remain: limits on connections, on silence and on waiting bytes.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass

import h11

from freecad_camtwin.errors import ConnectorError

MOST_CONNECTIONS = 64
#: A connection that sends no request, or reads nothing, for this long is closed [s].
_PATIENCE = 30.0
_CHUNK = 65536
#: Bytes of an answer that wait in memory for a slow client.
_MOST_WAITING = 2**20


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer: status, content type, and its bytes, or the parts of an endless answer."""

    status: int
    kind: str
    body: bytes | AsyncGenerator[bytes, None]


class Server:
    """Listens on one port and calls ``answer`` with method and target of each request."""

    def __init__(self, host: str, port: int, answer: Callable[[str, str], HttpResponse]) -> None:
        self._host, self.port, self._answer = host, port, answer
        self._server: asyncio.Server
        self._open: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. ConnectorError if the port is in use."""
        try:
            self._server = await asyncio.start_server(self._serve, self._host, self.port)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConnectorError(f"cannot listen on {self._host}:{self.port}: {reason}") from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close all connections."""
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._open) < MOST_CONNECTIONS:
            self._open.add(task)
            try:
                outgoing.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                outgoing.transport.set_write_buffer_limits(_MOST_WAITING)
                with suppress(ConnectionError, TimeoutError, h11.ProtocolError, asyncio.CancelledError):
                    await _Connection(incoming, outgoing, self._answer).run()
            finally:
                self._open.discard(task)
        outgoing.close()


class _Connection:
    """One connection."""

    def __init__(
        self, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter, answer: Callable[[str, str], HttpResponse]
    ) -> None:
        self._incoming, self._outgoing, self._answer = incoming, outgoing, answer
        self._state = h11.Connection(h11.SERVER)

    async def run(self) -> None:
        """Answer one request after the other."""
        while True:
            request = await self._next()
            if not isinstance(request, h11.Request):
                return
            while not isinstance(await self._next(), h11.EndOfMessage | h11.ConnectionClosed):
                pass  # the body of a request is ignored
            await self._reply(self._answer(request.method.decode(), request.target.decode("latin-1")))
            if self._state.our_state is h11.MUST_CLOSE:
                return
            self._state.start_next_cycle()

    async def _next(self) -> object:
        while (event := self._state.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(_PATIENCE):
                self._state.receive_data(await self._incoming.read(_CHUNK))
        return event

    async def _reply(self, answer: HttpResponse) -> None:
        headers = [("Content-Type", answer.kind), ("Cache-Control", "no-cache"), ("Server", "camtwin")]
        if isinstance(answer.body, bytes):
            headers.append(("Content-Length", str(len(answer.body))))
            await self._send(h11.Response(status_code=answer.status, headers=headers))
            await self._send(h11.Data(data=answer.body))
        else:
            headers.append(("Connection", "close"))
            await self._send(h11.Response(status_code=answer.status, headers=headers))
            async with aclosing(answer.body):
                async for part in answer.body:
                    await self._send(h11.Data(data=part))
        await self._send(h11.EndOfMessage())

    async def _send(self, event: h11.Event) -> None:
        data = self._state.send(event)
        if data:
            self._outgoing.write(data)
            async with asyncio.timeout(_PATIENCE):
                await self._outgoing.drain()
