# SPDX-License-Identifier: LGPL-2.1-or-later
"""The MQTT publisher, heard by our connector and asked by a plain client, through a real mosquitto."""

import asyncio
import gc
import socket
import threading
import time
import warnings
from contextlib import aclosing, asynccontextmanager, suppress

import msgspec
import numpy as np
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from controllers.mosquitto import PATIENCE, Certificates, Mosquitto, free_port, trusting
from freecad_camtwin.connectors import Options, open_connector
from freecad_camtwin.errors import ConnectorError, InputError
from freecad_camtwin.live.broker import DemoBroker, filter_matches
from freecad_camtwin.publishers import PublisherOptions, Spoken, mqtt, open_publisher
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import GAP, Event, Samples
from observing import until, words

SPOKEN = Spoken("VMC 3", "vmc-3", (Item("x"), Item("power"), Item("program")), simulated=True)
BLOCK = Samples(1767225600 + np.arange(100) / 1000, ("x", "power"), np.arange(200.0).reshape(100, 2))
BLOCK.values[7, 1] = np.nan


class Embedded:
    """Our own small broker, in a thread of its own."""

    def __init__(self):
        self.port = 0

    def start(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._broker = asyncio.run_coroutine_threadsafe(DemoBroker(self.port).__aenter__(), self._loop).result(PATIENCE)
        self.port = self._broker.port
        return self

    def stop(self):
        asyncio.run_coroutine_threadsafe(self._broker.__aexit__(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


@pytest.fixture(params=["mosquitto", "embedded"])
def broker(request, tmp_path):
    broker = (Mosquitto(tmp_path) if request.param == "mosquitto" else Embedded()).start()
    yield broker
    broker.stop()


def speaker(broker, query="", options=None):
    return open_publisher(f"mqtt://127.0.0.1:{broker.port}/shop/mill1{query}", SPOKEN, options)


def rows(seen, items=BLOCK.items):
    return [block for block in seen if isinstance(block, Samples) and block.items == items]


@asynccontextmanager
async def listening(broker, publisher, options=None):
    """Yield what a connector hears of a publisher, from when it surely hears it."""
    url = f"mqtt://127.0.0.1:{broker.port}/shop/mill1/#"
    connector, seen = open_connector(url, options or Options(patience=PATIENCE)), []
    task = asyncio.create_task(until(connector, lambda _: False, seen))

    async def heard(condition):
        async with asyncio.timeout(PATIENCE):
            while not condition(seen):
                if task.done():
                    await task
                await asyncio.sleep(0.005)
        return seen

    await publisher.tell(Event(1.0, "state", "hello"))  # retained: it is heard whenever the connector comes
    await heard(lambda seen: words(seen, "state"))
    try:
        yield heard, connector
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("query", ["", "?form=json", "?form=msgpack&qos=0"])
def test_rows_and_words_arrive_as_they_were_told(broker, query):
    async def run():
        async with speaker(broker, query) as publisher, listening(broker, publisher) as (heard, connector):
            await publisher.tell(Event(2.0, "program", "1001"))
            await publisher.tell(BLOCK)
            await publisher.tell(Event(3.0, "program", None))
            seen = await heard(lambda seen: len(words(seen, "program")) == 2 and rows(seen))
            return seen, connector, publisher

    seen, connector, publisher = asyncio.run(run())
    (block,) = rows(seen)
    np.testing.assert_array_equal(block.time, BLOCK.time)
    np.testing.assert_array_equal(block.values, BLOCK.values)
    told = [each for each in seen if isinstance(each, Event) and each.item == "program"]
    assert told == [Event(2.0, "program", "1001"), Event(3.0, "program", None)]
    order = [id(each) for each in seen]
    assert order.index(id(told[0])) < order.index(id(block)) < order.index(id(told[1]))
    assert connector.told.simulated
    assert not connector.told.dropped
    assert not publisher.dropped


def test_rows_are_gathered_and_a_long_block_is_told_in_several_messages(broker, monkeypatch):
    monkeypatch.setattr(mqtt, "_MOST_CELLS", 300)

    async def run():
        options = PublisherOptions(batch_s=30.0)
        async with speaker(broker, "", options) as publisher, listening(broker, publisher) as (heard, _):
            for row in range(250):
                await publisher.tell(Samples.row(float(row), {"x": row, "power": 0.0}))
            await publisher.tell(Event(300.0, "program", "done"))  # what was gathered goes before a word
            return await heard(lambda seen: words(seen, "program"))

    blocks = rows(asyncio.run(run()))
    assert [len(block.time) for block in blocks] == [100, 100, 50]
    np.testing.assert_array_equal(np.concatenate([block.time for block in blocks]), np.arange(250.0))


def test_what_is_told_while_the_broker_is_away_is_heard_when_it_is_back(broker):
    async def run():
        options = PublisherOptions(batch_s=0.0)
        async with speaker(broker, "", options) as publisher, listening(broker, publisher) as (heard, _):
            await publisher.tell(Samples.row(1.0, {"x": 1, "power": 1}))
            await heard(rows)
            await asyncio.to_thread(broker.stop)
            for number in range(2, 50):
                await publisher.tell(Samples.row(float(number), {"x": 1, "power": 1}))
            await asyncio.to_thread(broker.start)
            await heard(lambda seen: words(seen, GAP))
            again = open_connector(f"mqtt://127.0.0.1:{broker.port}/shop/mill1", Options(patience=PATIENCE))
            late = asyncio.create_task(until(again, rows))
            while not late.done():  # told once it is back, so that whoever came back later hears something too
                await publisher.tell(Samples.row(time.time(), {"x": 1, "power": 1}))
                await asyncio.sleep(0.02)
            return publisher

    assert not asyncio.run(run()).dropped


def test_memory_is_bounded_while_the_broker_is_away(broker, monkeypatch):
    monkeypatch.setattr(mqtt, "_MOST_WAITING", 10_000)

    async def run():
        async with speaker(broker, "", PublisherOptions(batch_s=0.0)) as publisher:
            await asyncio.to_thread(broker.stop)
            for _ in range(10):
                await publisher.tell(BLOCK)
            return publisher

    try:
        publisher = asyncio.run(run())
    finally:
        broker.start()
    assert publisher.dropped["the broker was away or slow for too long"] == 6
    assert publisher.dropped["not taken by the broker when we left"] == 4


class Planner:
    """A plain client that asks, and hears the answers."""

    def __init__(self, port):
        self.answers = []
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self.client.on_message = lambda _client, _data, message: self.answers.append(message)
        self.client.connect("127.0.0.1", port)
        listens = threading.Event()
        self.client.on_subscribe = lambda *_: listens.set()
        self.client.loop_start()
        self.client.subscribe("shop/answers", qos=1)
        assert listens.wait(PATIENCE)

    async def ask(self, payload, name="feed_override", expires=None, retain=False, correlation=b"7"):
        said = Properties(PacketTypes.PUBLISH)
        said.ResponseTopic, said.CorrelationData = "shop/answers", correlation
        if expires is not None:
            said.MessageExpiryInterval = expires
        sent = self.client.publish(f"shop/mill1/cmd/{name}", payload, 1, retain, said)
        await asyncio.to_thread(sent.wait_for_publish, PATIENCE)

    async def answered(self, count):
        async with asyncio.timeout(PATIENCE):
            while len(self.answers) < count:
                await asyncio.sleep(0.005)
        return [msgspec.json.decode(each.payload) for each in self.answers]

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()


WANTED = b'{"schema": "camtwin.command/1", "value": 80, "sender": "planner"}'


def test_a_command_is_passed_on_and_answered(broker):
    async def run():
        planner = Planner(broker.port)
        try:
            async with speaker(broker) as publisher:
                await planner.ask(WANTED, expires=30)
                async with asyncio.timeout(PATIENCE), aclosing(publisher.commands()) as commands:
                    command = await anext(commands)
                return command, await planner.answered(1), planner.answers
        finally:
            planner.leave()

    command, (answer,), (message,) = asyncio.run(run())
    assert (command.name, command.value, command.sender) == ("feed_override", 80, "planner")
    assert 0 < command.expires - time.time() <= 30
    assert answer["passed_on"] is True
    assert answer["simulated"] is True
    assert message.properties.CorrelationData == b"7"


@pytest.mark.parametrize(
    ("payload", "more", "reason"),
    [
        (b"80", {}, "not a valid camtwin.command/1"),
        (b'{"schema": "camtwin.command/1", "value": 1e999}', {}, "not a valid camtwin.command/1"),
        (b'{"schema": "camtwin.command/1", "value": 80, "run": "rm"}', {}, "not a valid camtwin.command/1"),
        (b'{"schema": "camtwin.command/1", "value": 80, "expires": 1.0}', {}, "expired"),
        (b"[" * 5000, {}, "not a valid camtwin.command/1"),
        (WANTED, {"name": "Feed Override"}, "not a valid camtwin.command/1"),
    ],
)
def test_what_is_no_command_is_refused_with_a_reason(broker, payload, more, reason):
    async def run():
        planner = Planner(broker.port)
        try:
            async with speaker(broker) as publisher:
                await planner.ask(payload, **more)
                (answer,) = await planner.answered(1)
                assert publisher._commands.empty()
                return answer
        finally:
            planner.leave()

    answer = asyncio.run(run())
    assert answer["passed_on"] is False
    assert reason in answer["reason"]


def test_a_command_kept_by_the_broker_is_not_followed(broker):
    async def run():
        planner = Planner(broker.port)
        try:
            await planner.ask(WANTED, retain=True, correlation=b"kept")
            async with speaker(broker):
                await planner.ask(WANTED, correlation=b"new")
                await planner.answered(1)
            return planner.answers
        finally:
            planner.leave()

    (answer,) = asyncio.run(run())
    assert answer.properties.CorrelationData == b"new"


@pytest.mark.parametrize(
    ("name", "topic", "fits"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("+/b/#", "a/b", True),
        ("a/#", "a/b/c", True),
        ("#", "a/b", True),
        ("#", "$SYS/load", False),
        ("a/b", "a/bc", False),
    ],
)
def test_a_filter_fits_the_topics_that_the_standard_says(name, topic, fits):
    assert filter_matches(name, topic) is fits


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\nHost: mill\r\nUser-Agent: a browser that was sent to the wrong port\r\n\r\n",
        b"\x10\xff\xff\xff\xff\x7f",
        b"\x10\xff\xff\xff\x7f",
        b"\x10\x0c\x00\x04MQTT\x04\x02\x00<\x00\x00",
        b"\x10\x03\x00\x10M",
        b"\x10\x0d\x00\x04MQTT\x05\x02\x00<\x00\x00\x00\x82\x05\x00\x01\x00\x00\x09",
        b"\x10\x0d\x00\x04MQTT\x05\x02\x00<\x00\x00\x00\x30\x04\x00\x01#\x00",
    ],
)
def test_garbage_ends_its_own_connection_and_no_other(garbage):
    broker = Embedded().start()
    try:
        planner = Planner(broker.port)
        with socket.create_connection(("127.0.0.1", broker.port), PATIENCE) as stranger:
            stranger.sendall(garbage)
            while stranger.recv(1000):
                pass
        planner.client.publish("shop/answers", b"still here", 1).wait_for_publish(PATIENCE)
        assert planner.client.is_connected()
        planner.leave()
    finally:
        broker.stop()


def test_certificates_are_shown_and_checked(tmp_path):
    made = Certificates(tmp_path)
    lines = [
        "allow_anonymous false",
        f"cafile {made.authority}",
        f"certfile {made.broker[0]}",
        f"keyfile {made.broker[1]}",
        "require_certificate true",
        "use_identity_as_username true",
    ]

    async def tell(broker, pair, authority=made.authority):
        options = PublisherOptions(certificate=pair[0], key=pair[1], authority=authority)
        url = f"mqtts://127.0.0.1:{broker.port}/shop/mill1"
        async with open_publisher(url, SPOKEN, options) as publisher:
            await publisher.tell(BLOCK)
        return publisher

    with Mosquitto(tmp_path, lines, trusting(made, made.recorder)).running() as broker:
        assert not asyncio.run(tell(broker, made.recorder)).dropped
        with pytest.raises(ConnectorError, match=r"closed the connection|cannot be reached"):
            asyncio.run(tell(broker, made.stranger))
        with pytest.raises(ConnectorError, match="not trusted"):
            asyncio.run(tell(broker, made.recorder, made.other_authority))
        with warnings.catch_warnings():  # where a handshake fails, paho leaves its socket to the garbage collector
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def test_a_broker_that_is_not_there_is_one_sentence():
    async def enter():
        async with open_publisher(f"mqtt://127.0.0.1:{free_port()}/shop", SPOKEN):
            pass

    with pytest.raises(ConnectorError, match="cannot be reached"):
        asyncio.run(enter())


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://mill", "must begin with one of"),
        ("mqtt://broker", "must name a broker and a topic without wildcards"),
        ("mqtt://broker/shop/#", "must name a broker and a topic without wildcards"),
        ("mqtt://broker/shop?form=csv", "possible are form="),
        ("mqtt://broker/shop?from=csv", "possible are form="),
        ("mqtt://me:secret@broker/shop", "holds a password"),
        ("mqtt://broker:99999/shop", "is not a valid address"),
    ],
)
def test_an_address_that_is_none_is_refused(url, reason):
    with pytest.raises(InputError, match=reason) as told:
        open_publisher(url, SPOKEN)
    assert "secret" not in str(told.value)
