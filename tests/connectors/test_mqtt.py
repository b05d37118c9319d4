# SPDX-License-Identifier: LGPL-2.1-or-later
"""The MQTT connector against a real mosquitto."""

import asyncio
import gc
import socket
import ssl
import warnings
from contextlib import suppress

import msgspec
import numpy as np
import pytest
from paho.mqtt import _packet
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from controllers.mosquitto import Certificates, Mosquitto, trusting
from freecad_camtwin.connectors import Options, open_connector
from freecad_camtwin.connectors.mqtt.client import properties
from freecad_camtwin.connectors.mqtt.payload import encode_batch, rows_of
from freecad_camtwin.connectors.mqtt.tended import AT_ONCE, tended
from freecad_camtwin.errors import ConnectorError, InputError
from freecad_camtwin.twin.signals.observation import GAP, Samples
from observing import numbers, until, words

GOODBYE = "shop/end"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def broker(tmp_path):
    with Mosquitto(tmp_path).running() as broker:
        yield broker


@pytest.fixture
def guarded(tmp_path, certificates):
    lines = [
        "allow_anonymous false",
        f"cafile {certificates.authority}",
        f"certfile {certificates.broker[0]}",
        f"keyfile {certificates.broker[1]}",
        "require_certificate true",
        "use_identity_as_username true",
    ]
    with Mosquitto(tmp_path, lines, trusting(certificates, certificates.recorder)).running() as broker:
        yield broker


async def heard(connector, broker, messages):
    """Return what a connector hears of messages, which are published as soon as it listens."""
    seen = []
    listening = asyncio.Event()

    def enough(seen):
        if words(seen, "shop/hello"):
            listening.set()
        return bool(words(seen, GOODBYE))

    task = asyncio.create_task(until(connector, enough, seen))
    with broker.publisher() as publish:
        while not listening.is_set() and not task.done():
            await asyncio.to_thread(publish, "shop/hello", b"hello")
            with suppress(TimeoutError):
                await asyncio.wait_for(listening.wait(), 0.1)
        for topic, payload in messages if listening.is_set() else ():
            await asyncio.to_thread(publish, topic, payload)
        if listening.is_set():
            await asyncio.to_thread(publish, GOODBYE, b"goodbye")
        await task
    return seen


def plain(broker, options=None, topic="shop/#"):
    return open_connector(f"mqtt://127.0.0.1:{broker.port}/{topic}", options or Options(patience=60))


BLOCK = Samples(1767225600 + np.arange(100) / 1000, ("x", "power"), np.arange(200.0).reshape(100, 2))


def test_batches_rows_and_packed_rows_say_the_same(broker):
    messages = [
        ("shop/batch", encode_batch(BLOCK)),
        ("shop/json", msgspec.json.encode(rows_of(BLOCK))),
        ("shop/packed", msgspec.msgpack.encode(rows_of(BLOCK, simulated=True))),
    ]
    connector = plain(broker)
    seen = asyncio.run(heard(connector, broker, messages))
    blocks = [each for each in seen if isinstance(each, Samples)]
    assert len(blocks) == 3
    for block in blocks:
        assert block.items == BLOCK.items
        np.testing.assert_array_equal(block.time, BLOCK.time)
        np.testing.assert_array_equal(block.values, BLOCK.values)
    assert connector.told.simulated
    assert not connector.told.dropped


def test_garbage_is_counted_and_what_follows_is_heard(broker):
    messages = [
        ("shop/a", b"{" * 50_000),
        ("shop/a", b"\x80\x04\x95garbage"),
        ("shop/a", encode_batch(BLOCK)[:-1]),
        ("shop/a", b"x" * 5000),
        ("shop/a", b" " * 150_000),
        ("shop/power", b"431.5"),
    ]
    connector = plain(broker, Options(patience=60, most_bytes=100_000))
    seen = asyncio.run(heard(connector, broker, messages))
    assert numbers(seen, "shop/power")[1] == [431.5]
    assert sum(connector.told.dropped.values()) == 5
    assert connector.told.dropped["message too large"] == 1
    assert connector.told.dropped["damaged batch"] == 1


def test_a_broker_that_restarts_is_a_gap_and_found_again(broker):
    async def run():
        connector = plain(broker)
        await heard(connector, broker, [])
        seen = []
        again = asyncio.create_task(
            until(connector, lambda seen: bool(words(seen, GAP)) and words(seen, "shop/b"), seen)
        )
        with broker.publisher() as publish:
            while not words(seen, "shop/a"):
                await asyncio.to_thread(publish, "shop/a", b"on")
        await asyncio.to_thread(broker.stop)
        await asyncio.to_thread(broker.start)
        with broker.publisher() as publish:
            while not again.done():
                await asyncio.to_thread(publish, "shop/b", b"on")
                await asyncio.sleep(0.05)
        return await again

    seen = asyncio.run(run())
    (gap,) = words(seen, GAP)
    assert "was lost" in gap


def test_silence_is_a_gap_once(broker):
    connector = plain(broker, Options(patience=60, quiet=0.2))
    seen = asyncio.run(until(connector, lambda seen: len(seen) == 1))
    assert words(seen, GAP) == ["nothing came for 0.2 s"]


def test_a_retained_number_without_a_time_is_no_sample(broker):
    with broker.publisher() as publish:
        publish("shop/power", b"99", retain=True)
        publish("shop/state", b"ACTIVE", retain=True)
    seen = asyncio.run(heard(plain(broker), broker, [("shop/power", b"100")]))
    assert numbers(seen, "shop/power")[1] == [100]
    assert words(seen, "shop/state") == ["ACTIVE"]


def secure(broker, certificates, pair, authority=None):
    certificate, key = pair or (None, None)
    options = Options(
        certificate=certificate, key=key, authority=authority or certificates.authority, patience=0, quiet=20
    )
    return open_connector(f"mqtts://127.0.0.1:{broker.port}/shop/#", options)


def refused(connector, reason):
    with pytest.raises(ConnectorError, match=reason):
        asyncio.run(until(connector, lambda seen: True))
    with warnings.catch_warnings():  # where a handshake fails, paho leaves its socket to the garbage collector
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_certificates_of_both_sides_open_the_door(guarded, certificates):
    connector = secure(guarded, certificates, certificates.recorder)
    seen = asyncio.run(heard(connector, guarded, [("shop/power", b"431.5")]))
    assert numbers(seen, "shop/power")[1] == [431.5]


def test_what_came_enciphered_together_is_heard_at_once(certificates):
    """Mosquitto enciphers every packet alone; other brokers put the answer to us and messages into one record."""

    answers = asyncio.Queue()

    async def broker(reader, writer):
        await reader.readexactly(2)
        writer.write(b"\x20\x03\x00\x00\x00")  # welcome
        while b"shop/#" not in await reader.read(1000):
            pass
        writer.write(b"\x90\x04\x00\x01\x00\x00" + b"\x30\x05\x00\x01a\x007" * 3)  # subscribed, and a = 7 three times
        answers.put_nowait((await reader.read(1000))[0] & 0xF0)
        writer.close()

    async def hear():
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificates.broker)
        async with await asyncio.start_server(broker, "127.0.0.1", ssl=context) as server:
            (_, port), *_ = (each.getsockname() for each in server.sockets)
            options = Options(authority=certificates.authority, patience=0, quiet=20)
            connector = open_connector(f"mqtts://127.0.0.1:{port}/shop/#", options)
            seen = await until(connector, lambda seen: len(numbers(seen, "a")[1]) == 3)
            return seen, await answers.get()

    seen, answer = asyncio.run(hear())
    assert numbers(seen, "a")[1] == [7, 7, 7]
    assert answer == 0xE0  # farewell, and not a question whether the broker is still there


class WatchesNoSockets(asyncio.SelectorEventLoop):
    """A loop as Windows has it."""

    def add_reader(self, opened, callback, *said):
        raise NotImplementedError


def test_a_loop_that_watches_no_sockets_hears_all_the_same(broker):
    with asyncio.Runner(loop_factory=WatchesNoSockets) as runner:
        seen = runner.run(heard(plain(broker), broker, [("shop/power", b"%d" % number) for number in range(500)]))
    assert numbers(seen, "shop/power")[1] == list(range(500))


@pytest.mark.parametrize("pair", ["stranger", None])
def test_who_shows_no_certificate_of_the_shop_stays_outside(guarded, certificates, pair):
    connector = secure(guarded, certificates, pair and getattr(certificates, pair))
    refused(connector, r"the broker 127\.0\.0\.1")


def test_a_broker_that_shows_a_strange_certificate_is_not_trusted(guarded, certificates):
    connector = secure(guarded, certificates, certificates.recorder, certificates.other_authority)
    refused(connector, "is not trusted")


def test_a_wrong_password_is_refused_at_once(tmp_path):
    with Mosquitto(tmp_path, ["allow_anonymous false"]).running() as broker:
        connector = plain(broker, Options(user="me", password="wrong", patience=600))
        with pytest.raises(ConnectorError, match="refuses us") as raised:
            asyncio.run(until(connector, lambda seen: True))
    assert "wrong" not in str(raised.value)
    assert any("unencrypted" in warning for warning in connector.told.warnings)


def test_a_broker_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConnectorError, match="cannot be reached"):
        asyncio.run(until(plain(Mosquitto(tmp_path), Options(patience=0)), lambda seen: True))


@pytest.mark.parametrize("address", ["mqtt://broker", "mqtt:///shop/#", "mqtts://broker/"])
def test_an_address_names_a_broker_and_a_topic(address):
    with pytest.raises(InputError, match="must name a broker and a topic"):
        open_connector(address)


@pytest.mark.parametrize("topic", ["shop/%23/a", "shop%23", "shop/a+/b", "a/++", "a" * 70_000])
def test_a_topic_filter_that_is_none_is_named(topic):
    with pytest.raises(InputError, match="is not a topic filter"):
        open_connector(f"mqtt://broker/{topic}")


class Flooded:
    """A client whose socket always holds another message."""

    def __init__(self, opened):
        self.opened, self.read = opened, 0

    def socket(self):
        return self.opened

    def loop_read(self):
        self.read += 1

    def want_write(self):
        return False

    def disconnect(self, **said):
        pass


def test_others_have_their_turn_in_a_flood():
    async def turns():
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.send(b"and more")
            client, read = Flooded(ours), []
            async with tended(client, lambda: client.read):
                for _ in range(12):
                    await asyncio.sleep(0)
                    read.append(client.read)
        return np.diff(read)

    assert asyncio.run(turns()).max() == AT_ONCE


def test_certificates_that_are_none_are_named(tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    connector = open_connector("mqtts://127.0.0.1:1/a", Options(authority=tmp_path / "ca.pem"))
    with pytest.raises(InputError, match="cannot be used"):
        asyncio.run(until(connector, lambda seen: True))


def test_lean_properties_say_what_pahos_own_say():
    own = properties(PacketTypes.PUBLISH, ResponseTopic="a/b", CorrelationData=b"7", MessageExpiryInterval=30)
    own.UserProperty = [("schema", "rows/1"), ("by", "me")]
    for packed in (own.pack(), b"\x00"):
        read, length = _packet.Properties(PacketTypes.PUBLISH).unpack(packed + b"payload")
        expected, expected_length = Properties(PacketTypes.PUBLISH).unpack(packed + b"payload")
        assert type(read) is not type(expected)
        assert (length, read.json()) == (expected_length, expected.json())
        again, _ = read.unpack(b"\x00")  # what it said before is forgotten
        assert again.isEmpty()
