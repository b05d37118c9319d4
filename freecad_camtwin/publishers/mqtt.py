# SPDX-License-Identifier: LGPL-2.1-or-later
"""Publishes a machine over MQTT 5: rows on its topic, words on topics of their own; receives commands.

``TOPIC`` has the rows, collected for a short time, as batches, JSON or MessagePack (``connectors.mqtt.payload``).
``TOPIC/words/ITEM`` has each word, retained, so that later subscribers receive the program and the state.
``TOPIC/cmd/NAME`` is subscribed for commands: see ``commands``.

Messages are acknowledged (QoS 1) by default. While the broker is unreachable they wait, up to ``_MOST_WAITING`` bytes;
later ones are dropped and counted, so that the data received afterwards are complete up to there.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from threading import Lock
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import msgspec
import numpy as np
from paho.mqtt.client import MQTT_ERR_NO_CONN, MQTT_ERR_SUCCESS, Client, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from freecad_camtwin.connectors.mqtt.client import connect, new_client, properties
from freecad_camtwin.connectors.mqtt.payload import encode_batch, rows_of
from freecad_camtwin.connectors.retry import Backoff
from freecad_camtwin.errors import CamTwinError, ConnectorError
from freecad_camtwin.publishers.commands import Asked, Refused, read_command
from freecad_camtwin.publishers.protocol import Command, PublisherOptions, Spoken
from freecad_camtwin.twin.signals.observation import Event, Observation, Samples

#: Bytes that wait while the broker is unreachable or slow.
_MOST_WAITING = 64 * 2**20
#: Cells of one message; a longer block is sent in several messages.
_MOST_CELLS = 100_000
#: Commands that wait for the machine.
MOST_COMMANDS = 16
#: Time limit for connecting, and for the acknowledgement of the last messages [s].
_PATIENCE = 10.0
#: How long the broker keeps commands for us while the connection is lost [s].
_KEPT = 60


class Speaker:
    """Publishes one machine on a topic of a broker."""

    def __init__(
        self,
        broker: tuple[str, int, bool],
        topic: str,
        form: str,
        level: int,
        spoken: Spoken,
        options: PublisherOptions,
    ) -> None:
        host, port, encrypted = self._broker = broker
        self.address = f"mqtt{'s' if encrypted else ''}://{host}:{port}/{topic}"
        self.dropped: Counter[str] = Counter()
        self.warnings: list[str] = []
        self._name = f"the broker {host}:{port}"
        self._topic, self._form, self._level = topic, form, level
        self._spoken, self._options = spoken, options
        self._gathered: list[Samples] = []
        self._flush: asyncio.TimerHandle | None = None
        self._waiting = _Waiting()
        self._commands: asyncio.Queue[Command | None] = asyncio.Queue(MOST_COMMANDS)
        self._loop: asyncio.AbstractEventLoop
        self._entered: asyncio.Future[None]
        self._client: Client

    async def __aenter__(self) -> "Speaker":
        """Connect; ConnectorError if the broker refuses us or cannot be reached."""
        self._loop = asyncio.get_running_loop()
        self._entered = self._loop.create_future()
        host, port, encrypted = self._broker
        identity = f"camtwin-{uuid4().hex[:12]}"
        self._client = client = new_client(
            self._name, identity, self._options, self.warnings.append, encrypted=encrypted, comes_back=True
        )
        client.reconnect_delay_set(Backoff().pause(), 30)  # type: ignore[arg-type]
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_publish, client.on_subscribe = self._on_publish, self._on_subscribe
        client.on_message = lambda _client, _data, message: self._soon(self._take, message, time.time())
        session = properties(PacketTypes.CONNECT, SessionExpiryInterval=_KEPT)
        try:
            await asyncio.to_thread(connect, self._name, client, host, port, properties=session)
        except OSError as error:
            raise ConnectorError(f"{self._name} cannot be reached: {error.strerror or error}") from error
        client.loop_start()
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._entered
        except BaseException as error:
            await self._leave()
            if isinstance(error, TimeoutError):
                raise ConnectorError(f"{self._name} did not answer within {_PATIENCE:g} s") from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Send the collected rows, wait at most ``_PATIENCE`` for their acknowledgement, and disconnect."""
        self._send_gathered()
        deadline = time.monotonic() + _PATIENCE
        while self._waiting.bytes and self._client.is_connected() and time.monotonic() < deadline:
            await asyncio.sleep(0.005)
        self.dropped["not taken by the broker when we left"] += self._waiting.forget()
        self._end_commands()
        await self._leave()
        self.dropped = +self.dropped

    async def tell(self, observation: Observation) -> None:
        """Send a word now, after the rows before it; collect rows."""
        if isinstance(observation, Event):
            self._send_gathered()
            rows = rows_of(_NOTHING, [observation], simulated=self._spoken.simulated)
            topic = f"{self._topic}/words/{quote(observation.item, safe='')}"
            self._publish(topic, msgspec.json.encode(rows), retain=True)
            return
        if self._gathered and self._gathered[0].items != observation.items:
            self._send_gathered()
        self._gathered.append(observation)
        if self._options.batch_s <= 0:
            self._send_gathered()
        elif self._flush is None:
            self._flush = self._loop.call_later(self._options.batch_s, self._send_gathered)

    async def commands(self) -> AsyncIterator[Command]:
        """Yield the commands on ``TOPIC/cmd/NAME``, checked and not expired.

        If the sender names a response topic, the answer there states that the command was passed on, or why not.
        """
        while (command := await self._commands.get()) is not None:
            yield command

    def _send_gathered(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if not self._gathered:
            return
        block, self._gathered = _joined(self._gathered), []
        rows = max(1, _MOST_CELLS // (len(block.items) + 1))
        for begin in range(0, len(block.time), rows):
            part = slice(begin, begin + rows)
            self._publish(self._topic, self._encoded(Samples(block.time[part], block.items, block.values[part])))

    def _encoded(self, block: Samples) -> bytes:
        simulated = self._spoken.simulated
        if self._form == "batch":
            return encode_batch(block, simulated=simulated)
        rows = rows_of(block, simulated=simulated)
        return msgspec.msgpack.encode(rows) if self._form == "msgpack" else msgspec.json.encode(rows)

    def _publish(self, topic: str, payload: bytes, *, retain: bool = False, more: Properties | None = None) -> None:
        if self._waiting.bytes + len(payload) > _MOST_WAITING:
            self.dropped["the broker was away or slow for too long"] += 1
            return
        sent = self._client.publish(topic, payload, self._level, retain, more)
        if sent.rc == MQTT_ERR_SUCCESS or (self._level and sent.rc == MQTT_ERR_NO_CONN):
            self._waiting.add(sent.mid, len(payload))
        else:
            self.dropped["the broker was away or slow for too long"] += 1

    # The next four run in paho's thread.

    def _on_connect(self, client: Client, _data: Any, _flags: Any, code: ReasonCode, _more: Any) -> None:
        if code.is_failure:
            self._soon(self._settle, ConnectorError(f"{self._name} refuses us: {code}"))
            return
        options = SubscribeOptions(1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        client.subscribe([(f"{self._topic}/cmd/+", options)])

    def _on_subscribe(self, _client: Client, _data: Any, _number: int, codes: list[ReasonCode], _more: Any) -> None:
        for code in codes:
            if code.is_failure:  # a machine can publish without receiving commands
                self._soon(self.warnings.append, f"{self._name} does not let us read commands: {code}")
        self._soon(self._settle, None)

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, code: ReasonCode, _more: Any) -> None:
        if not self._level:  # with QoS 0 nothing is sent again
            self._soon(self._count, "the broker was lost", self._waiting.forget())
        self._soon(self._settle, ConnectorError(f"{self._name} closed the connection: {code}"))

    def _on_publish(self, _client: Client, _data: Any, number: int, code: ReasonCode, _more: Any) -> None:
        self._waiting.take(number)
        if code.is_failure:
            self._soon(self._count, f"the broker refuses the message: {code}", 1)

    def _settle(self, error: CamTwinError | None) -> None:
        """Set the result of the first connection."""
        if not self._entered.done():
            self._entered.set_result(None) if error is None else self._entered.set_exception(error)

    def _count(self, reason: str, number: int) -> None:
        self.dropped[reason] += number

    def _soon(self, function: Any, *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def _take(self, message: MQTTMessage, arrival: float) -> None:
        """Check a command, pass it on, and answer its sender."""
        options = message.properties
        name = message.topic.rsplit("/", 1)[-1]
        expires = getattr(options, "MessageExpiryInterval", None) if options else None
        asked = Asked(name, bytes(message.payload), None if expires is None else arrival + expires, message.retain)
        refusal = None
        try:
            self._commands.put_nowait(read_command(asked))
        except Refused as reason:
            refusal = str(reason)
        except asyncio.QueueFull:
            refusal = "too many commands wait"
        if refusal is not None:
            self.dropped[f"command refused: {refusal}"] += 1
        self._answer(options, name, refusal)

    def _answer(self, options: Properties | None, name: str, refusal: str | None) -> None:
        topic = getattr(options, "ResponseTopic", None)
        if topic is None or {"+", "#"} & set(topic):
            return
        more: dict[str, Any] = {}
        correlation = getattr(options, "CorrelationData", None)
        if correlation is not None:
            more["CorrelationData"] = correlation
        answer = {
            "schema": "camtwin.answer/1",
            "name": name,
            "passed_on": refusal is None,
            "reason": refusal or "",
            "simulated": self._spoken.simulated,
        }
        self._publish(topic, msgspec.json.encode(answer), more=properties(PacketTypes.PUBLISH, **more))

    def _end_commands(self) -> None:
        while not self._commands.empty():
            self._commands.get_nowait()
            self.dropped["command came too late"] += 1
        self._commands.put_nowait(None)

    async def _leave(self) -> None:
        self._client.disconnect(properties=properties(PacketTypes.DISCONNECT, SessionExpiryInterval=0))
        await asyncio.to_thread(self._client.loop_stop)


class _Waiting:
    """Messages not yet acknowledged, with their bytes; paho's thread may acknowledge one before it is added here."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.bytes = 0
        self._messages: dict[int, int] = {}
        self._early: set[int] = set()

    def add(self, number: int, size: int) -> None:
        """Note a message that was sent."""
        with self._lock:
            if number in self._early:
                self._early.remove(number)
                return
            self._messages[number] = size
            self.bytes += size

    def take(self, number: int) -> None:
        """Note that a message was acknowledged."""
        with self._lock:
            size = self._messages.pop(number, None)
            if size is None:
                self._early.add(number)
            else:
                self.bytes -= size

    def forget(self) -> int:
        """Return the number of waiting messages, and forget them."""
        with self._lock:
            count, self._messages, self.bytes = len(self._messages), {}, 0
            self._early.clear()
        return count


_NOTHING = Samples(np.empty(0), (), np.empty((0, 0)))


def _joined(blocks: list[Samples]) -> Samples:
    """Join blocks of the same items."""
    if len(blocks) == 1:
        return blocks[0]
    return Samples(
        np.concatenate([block.time for block in blocks]),
        blocks[0].items,
        np.concatenate([block.values for block in blocks]),
    )
