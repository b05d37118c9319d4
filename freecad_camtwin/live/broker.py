# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small MQTT 5 broker on this computer, for the demo and first tests if no broker is installed.

It forwards messages with QoS 0 and 1, keeps retained messages, and supports wildcards. It has no users, no encryption
and no stored sessions: a client misses what is published while it is disconnected. It listens on this computer only.
For a machine, use a real broker.

We have our own because the connectors use MQTT 5; the one maintained broker in Python, amqtt, supports MQTT 3.1.1 only
and would install fifteen other packages. If mosquitto is installed, the demo uses it instead.
"""

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from freecad_camtwin.errors import ConnectorError

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = (
    1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14,
)  # fmt: skip
#: Longest packet; a longer one ends the connection [bytes].
_LONGEST = 8 * 2**20
#: A client for which more than this waits to be sent is disconnected [bytes].
_MOST_WAITING = 32 * 2**20
MOST_RETAINED, MOST_SUBSCRIPTIONS = 10_000, 1000
#: Time limit for the CONNECT packet of a new connection [s].
_PATIENCE = 10.0
#: In CONNACK: at most QoS 1, no identifiers of subscriptions, no shared ones.
_ABILITIES = bytes([0x24, 1, 0x29, 0, 0x2A, 0])


class PacketError(ValueError):
    """The bytes are not valid MQTT 5."""


@dataclass(eq=False)
class Client:
    """One connection."""

    outgoing: asyncio.StreamWriter
    keepalive: float = 0.0
    filters: dict[str, int] = field(default_factory=dict)  #: filter → its options
    number: int = 0  #: identifier of the last packet sent with QoS 1

    def send(self, kind: int, body: bytes) -> None:
        """Send a packet; disconnect the client if too much waits to be sent."""
        transport = self.outgoing.transport
        if transport.is_closing():
            return
        if transport.get_write_buffer_size() > _MOST_WAITING:
            transport.abort()
            return
        self.outgoing.write(bytes([kind]) + _length(len(body)) + body)

    def deliver(self, message: "Message", level: int, *, retained: bool) -> None:
        """Send a message at the lower QoS of message and subscription."""
        level = min(level, message.level)
        number = b""
        if level:
            self.number = self.number % 65535 + 1
            number = struct.pack(">H", self.number)
        flags = level << 1 | int(retained)
        self.send(PUBLISH << 4 | flags, _text(message.topic) + number + message.rest)


@dataclass(frozen=True, slots=True)
class Message:
    """A published message."""

    topic: str
    level: int  #: QoS
    rest: bytes  #: properties and payload, unchanged


class DemoBroker:
    """``async with DemoBroker() as broker: broker.port``."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._server: asyncio.Server
        self._clients: dict[Client, asyncio.Task[None]] = {}
        self._retained: dict[str, Message] = {}

    async def __aenter__(self) -> "DemoBroker":
        """Listen."""
        try:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        except OSError as error:
            raise ConnectorError(f"cannot listen on port {self.port}: {error.strerror or error}") from error
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        self._server.close()
        for client in list(self._clients):
            client.outgoing.transport.abort()
        await asyncio.gather(*self._clients.values(), return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, incoming: asyncio.StreamReader, outgoing: asyncio.StreamWriter) -> None:
        outgoing.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client, task = Client(outgoing), asyncio.current_task()
        assert task is not None
        self._clients[client] = task
        try:
            with suppress(PacketError, ConnectionError, TimeoutError, asyncio.IncompleteReadError, UnicodeDecodeError):
                kind, _, body = await _packet(incoming, _PATIENCE)
                if kind == CONNECT:
                    self._welcome(client, body)
                    while await self._take(client, *await _packet(incoming, client.keepalive)):
                        pass
        finally:
            del self._clients[client]
            outgoing.close()

    def _welcome(self, client: Client, body: bytes) -> None:
        """Accept a client, with any user and password: this broker has no users."""
        name, rest = _take_text(body)
        if name != "MQTT" or rest[:1] != b"\x05":
            client.send(CONNACK << 4, bytes([0, 0x84, 0]))  # unsupported version of the protocol
            raise PacketError("not MQTT 5")
        client.keepalive = 1.5 * struct.unpack(">H", rest[2:4])[0]
        _, rest = _properties(rest[4:])
        identity, _ = _take_text(rest)
        abilities = _ABILITIES if identity else _ABILITIES + bytes([0x12]) + _text(f"client-{id(client)}")
        client.send(CONNACK << 4, bytes([0, 0]) + _length(len(abilities)) + abilities)

    async def _take(self, client: Client, kind: int, flags: int, body: bytes) -> bool:
        """Handle a packet; return False when the connection ends."""
        if kind == PUBLISH:
            self._publish(client, flags, body)
        elif kind == SUBSCRIBE:
            self._subscribe(client, body)
        elif kind == UNSUBSCRIBE:
            _, rest = _properties(body[2:])
            removed = [client.filters.pop(each, None) for each, _ in _filters(rest, has_options=False)]
            client.send(UNSUBACK << 4, body[:2] + b"\x00" + bytes(0 if each is not None else 0x11 for each in removed))
        elif kind == PINGREQ:
            client.send(PINGRESP << 4, b"")
        elif kind != PUBACK:  # acknowledgements are not used
            return False
        # Wait for slow receivers: a client that publishes too fast is then read more slowly.
        await client.outgoing.drain()
        return True

    def _publish(self, client: Client, flags: int, body: bytes) -> None:
        level = flags >> 1 & 3
        topic, rest = _take_text(body)
        if level > 1 or not topic or {"+", "#", "\0"} & set(topic):
            raise PacketError("a QoS or a topic that is not allowed")
        number, rest = (rest[:2], rest[2:]) if level else (b"", rest)
        payload = _properties(rest)[1]
        message = Message(topic, level, rest)
        if flags & 1 and (topic in self._retained or len(self._retained) < MOST_RETAINED):
            self._retained[topic] = message
            if not payload:
                del self._retained[topic]
        for other in list(self._clients):
            options = [each for name, each in other.filters.items() if filter_matches(name, topic)]
            options = [each for each in options if not (each & 4 and other is client)]  # "no local"
            if options:
                other.deliver(message, max(each & 3 for each in options), retained=False)
        if level:
            client.send(PUBACK << 4, number)

    def _subscribe(self, client: Client, body: bytes) -> None:
        _, rest = _properties(body[2:])
        subscriptions = list(_filters(rest, has_options=True))
        codes = []
        for name, options in subscriptions:
            if len(client.filters) >= MOST_SUBSCRIPTIONS:
                codes.append(0x97)  # quota exceeded
                continue
            client.filters[name] = options
            codes.append(min(options & 3, 1))
        client.send(SUBACK << 4, body[:2] + b"\x00" + bytes(codes))
        for name, options in subscriptions:
            for topic, message in self._retained.items() if not options & 0x20 else ():  # "do not send retained"
                if name in client.filters and filter_matches(name, topic):
                    client.deliver(message, options & 3, retained=True)


def filter_matches(name: str, topic: str) -> bool:
    """Whether a filter with wildcards matches a topic.

    >>> filter_matches("shop/+/cmd", "shop/mill/cmd"), filter_matches("shop/#", "shop"), filter_matches("shop/+", "a/b")
    (True, True, False)
    """
    parts, words = name.split("/"), topic.split("/")
    if topic.startswith("$") and parts[0] in ("#", "+"):
        return False
    for index, part in enumerate(parts):
        if part == "#":
            return True
        if index >= len(words) or part not in ("+", words[index]):
            return False
    return len(parts) == len(words)


async def _packet(incoming: asyncio.StreamReader, patience: float) -> tuple[int, int, bytes]:
    """Read one packet: its kind, its flags and its body."""
    async with asyncio.timeout(patience or None):
        first = (await incoming.readexactly(1))[0]
        length = shift = 0
        while True:
            byte = (await incoming.readexactly(1))[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
            if shift > 21:
                raise PacketError("a length of more than four bytes")
        if length > _LONGEST:
            raise PacketError("a packet that is too long")
        return first >> 4, first & 0x0F, await incoming.readexactly(length)


def _length(value: int) -> bytes:
    """Encode a length in as few bytes as possible, seven bits in each."""
    data = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        data.append(low | (0x80 if value else 0))
        if not value:
            return bytes(data)


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def _take_text(data: bytes) -> tuple[str, bytes]:
    if len(data) < 2:
        raise PacketError("a packet that ends too early")
    end = 2 + int.from_bytes(data[:2], "big")
    if end > len(data):
        raise PacketError("a packet that ends too early")
    return data[2:end].decode(), data[end:]


def _properties(data: bytes) -> tuple[bytes, bytes]:
    """Return the properties, not decoded, and the bytes after them."""
    length = shift = at = 0
    while True:
        if at >= min(len(data), 4):
            raise PacketError("a packet that ends too early")
        byte = data[at]
        length |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            break
    if at + length > len(data):
        raise PacketError("a packet that ends too early")
    return data[at : at + length], data[at + length :]


def _filters(data: bytes, *, has_options: bool) -> Iterator[tuple[str, int]]:
    while data:
        name, data = _take_text(data)
        if has_options and not data:
            raise PacketError("a packet that ends too early")
        yield name, data[0] if has_options else 0
        data = data[1:] if has_options else data
