# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads an MQTT 5 broker: one subscription, read in the event loop that also processes its messages.

A thread of paho's would also work, but two Python threads delay each other: rows came two thirds later, and at times
milliseconds later. Messages wait in a bounded inbox; the receiver decodes and validates the payload.
"""

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import uuid4

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from freecad_camtwin.connectors.mqtt.client import REFUSALS, connect, new_client, properties
from freecad_camtwin.connectors.mqtt.payload import PayloadError, decode
from freecad_camtwin.connectors.mqtt.tended import tended
from freecad_camtwin.connectors.protocol import Options, Told
from freecad_camtwin.connectors.retry import LostError, sessions
from freecad_camtwin.errors import ConnectorError, InputError
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import GAP, Event, Observation, Observations

#: Messages that wait in the inbox; more are dropped and counted.
_MOST_WAITING = 100_000
#: Bytes of the waiting messages, as a multiple of the longest message.
MOST_WAITING_MESSAGES = 16
#: How long the broker keeps messages published with QoS 1 while we are disconnected [s].
_KEPT = 300


#: A topic filter, and its greatest length [bytes].
_FILTER, _LONGEST_FILTER = re.compile(r"(([^/+#\0]*|\+)/)*([^/+#\0]*|\+|#)"), 65535


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a session."""

    reason: str
    is_refusal: bool = False


class Heard(NamedTuple):
    """A received message."""

    topic: str
    payload: bytes
    is_retained: bool
    arrival: float  #: [s] since the epoch


class Inbox:
    """Messages that wait for a task of the same event loop; bounded in number and in bytes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most_bytes: int, told: Told) -> None:
        self._loop, self._most, self._told = loop, most_bytes, told
        self._waiting: list[Heard] = []
        self._bytes = 0
        self._ended: Ended | None = None
        self._news = asyncio.Event()

    def put(self, message: MQTTMessage) -> None:
        """Add a message, or drop and count it if the inbox is full."""
        self._told.received += 1
        try:
            heard = Heard(message.topic, bytes(message.payload), message.retain, time.time())
        except UnicodeDecodeError:
            self._told.drop("topic that is no text")
            return
        size = len(heard.topic) + len(heard.payload)
        if len(self._waiting) >= _MOST_WAITING or self._bytes + size > self._most:
            self._told.drop("came faster than it was read")
            return
        self._waiting.append(heard)
        self._bytes += size
        self._news.set()

    def end(self, ended: Ended) -> None:
        """Note the end of the session, perhaps from the connecting thread; the first reason is kept."""
        self._ended = self._ended or ended
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._news.set)

    async def take(self, patience: float) -> list[Heard]:
        """Return all waiting messages; TimeoutError after ``patience`` seconds [s] without one.

        After the last message the end of the session is raised: ConnectorError for a refusal, else LostError.
        """
        while not self._waiting:
            if self._ended:
                raise ConnectorError(self._ended.reason) if self._ended.is_refusal else LostError(self._ended.reason)
            self._news.clear()
            async with asyncio.timeout(patience):  # wait_for of Python 3.11 loses a cancellation that comes with news
                await self._news.wait()
        messages, self._waiting, self._bytes = self._waiting, [], 0
        return messages


class BrokerClient:
    """A broker and a topic filter, such as shop/mill1/#; InputError if the filter is invalid."""

    def __init__(self, host: str, port: int, topic: str, encrypted: bool, options: Options) -> None:
        if not _FILTER.fullmatch(topic) or len(topic.encode()) > _LONGEST_FILTER:
            raise InputError(f"{topic!r} is not a topic filter: + stands for one level, # at the end for all levels")
        self.told = Told()
        self._host, self._port, self._topic, self._encrypted = host, port, topic, encrypted
        self._options = options
        self._identity = f"camtwin-{uuid4().hex[:12]}"
        self._has_session = False
        self._name = f"the broker {host}:{port}"

    def observations(self) -> Observations:
        """Yield the published observations; see ``protocol.Connector``."""
        return sessions(self._session, self.told, patience=self._options.patience)

    async def offered(self) -> tuple[Item, ...]:
        """Return nothing: a broker cannot list its items."""
        return ()

    async def _session(self) -> Observations:
        inbox = Inbox(asyncio.get_running_loop(), MOST_WAITING_MESSAGES * self._options.most_bytes, self.told)
        client = self._client(inbox)
        await self._connect(client)
        is_silent = False
        async with tended(client, lambda: self.told.received):
            while True:
                try:
                    messages = await inbox.take(self._options.quiet)
                except TimeoutError:
                    if not is_silent:
                        yield Event(time.time(), GAP, f"nothing came for {self._options.quiet:g} s")
                    is_silent = True
                    continue
                is_silent = False
                for heard in messages:
                    for observation in self._decoded(heard):
                        yield observation

    def _decoded(self, heard: Heard) -> list[Observation]:
        if len(heard.payload) > self._options.most_bytes:
            self.told.drop("message too large")
            return []
        topic, payload, is_retained, arrival = heard
        try:
            observed, simulated = decode(topic, payload, arrival, words=self._options.words, retained=is_retained)
        except PayloadError as error:
            self.told.drop(str(error))
            return []
        self.told.simulated |= simulated
        return observed

    def _client(self, inbox: Inbox) -> Client:
        client = new_client(self._name, self._identity, self._options, self.told.warn, encrypted=self._encrypted)

        def on_connect(_client: Client, _data: Any, _flags: ConnectFlags, code: ReasonCode, _more: Any) -> None:
            if code.is_failure:
                inbox.end(Ended(f"{self._name} refuses us: {code}", code.value in REFUSALS))
            else:
                self.told.is_reached = True
                client.subscribe(self._topic, qos=1)

        def on_subscribe(_client: Client, _data: Any, _number: int, codes: list[ReasonCode], _more: Any) -> None:
            for code in codes:
                if code.is_failure:
                    inbox.end(Ended(f"{self._name} does not let us read {self._topic}: {code}", is_refusal=True))

        def on_disconnect(_client: Client, _data: Any, _flags: DisconnectFlags, code: ReasonCode, _more: Any) -> None:
            inbox.end(Ended(f"{self._name} was lost: {code}"))

        client.on_connect = on_connect
        client.on_subscribe = on_subscribe
        client.on_disconnect = on_disconnect
        client.on_message = lambda _client, _data, message: inbox.put(message)
        return client

    async def _connect(self, client: Client) -> None:
        session = properties(
            PacketTypes.CONNECT, SessionExpiryInterval=_KEPT, MaximumPacketSize=4 * self._options.most_bytes
        )
        try:
            await asyncio.to_thread(
                connect,
                self._name,
                client,
                self._host,
                self._port,
                clean_start=not self._has_session,
                properties=session,
            )
        except OSError as error:
            raise LostError(f"{self._name} cannot be reached: {error.strerror or error}") from error
        self._has_session = True
