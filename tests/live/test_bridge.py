# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bridge tells what its controller says and passes on what is asked, through a broker that knows who may do what."""

import asyncio
import os
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress

import msgspec
import numpy as np
import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from calling import ROOT
from controllers.linuxcnc.harness import Controller as Fenced
from controllers.linuxcnc.harness import unavailable
from controllers.mosquitto import PATIENCE, Certificates, Mosquitto, trusting
from freecad_camtwin.connectors import Options, Told, open_connector
from freecad_camtwin.connectors.linuxcnc.controller import ENVIRONMENT
from freecad_camtwin.live.bridge import SOONEST, Bridge
from freecad_camtwin.publishers import Command
from freecad_camtwin.twin.signals.observation import GAP, Event, Samples
from observing import numbers, until, words

ROWS = Samples(np.array([1.0, 2.0]), ("work.x",), np.array([[5.0], [6.0]]))


class Source:
    """A controller that says little, and does what it is asked."""

    def __init__(self, *said, refuses=None):
        self.said, self.refuses, self.asked, self.told = said, refuses, [], Told()

    async def observations(self):
        for observation in self.said:
            await asyncio.sleep(0)
            yield observation

    async def offered(self):
        return ()

    async def ask_feed_override(self, percent):
        self.asked.append(percent)
        return self.refuses


class Publisher:
    """Hears what a bridge tells, and asks."""

    address = "nowhere"

    def __init__(self, *commands):
        self.heard, self.dropped, self._commands, self.is_open = [], Counter(), commands, None

    async def __aenter__(self):
        self.is_open = True
        return self

    async def __aexit__(self, *_):
        self.is_open = False

    async def tell(self, observation):
        assert self.is_open
        self.heard.append(observation)

    async def commands(self):
        for command in self._commands:
            yield command


def test_everybody_hears_everything_in_order():
    said = (Event(0.5, "program", "a.ngc"), ROWS, Event(3.0, GAP, "LinuxCNC was shut down"))
    publishers = Publisher(), Publisher()
    crossing = Bridge(Source(*said), publishers)
    asyncio.run(crossing.run())
    assert [publisher.heard for publisher in publishers] == [list(said)] * 2
    assert [publisher.is_open for publisher in publishers] == [False, False]
    assert crossing.told == 3


def test_a_command_is_followed_and_everybody_is_told():
    source, other = Source(*[ROWS] * 5), Publisher()
    crossing = Bridge(source, (Publisher(Command("feed_override", 80.0, "ada")), other))
    asyncio.run(crossing.run())
    assert source.asked == [80.0]
    assert words(other.heard, "command") == ["feed_override 80 by ada: done"]
    assert (crossing.followed, crossing.refused) == (1, 0)


def test_a_refusal_is_told_with_its_reason():
    source, publisher = Source(*[ROWS] * 5, refuses="the door is open"), Publisher(Command("feed_override", 80.0, ""))
    asyncio.run(Bridge(source, (publisher,)).run())
    assert words(publisher.heard, "command") == ["feed_override 80: the door is open"]


@pytest.mark.parametrize(
    ("commands", "why"),
    [
        ((Command("spindle_stop", 1.0, ""),), "this source has no command of that name"),
        ((Command("feed_override", 80.0, "", expires=99.0),), "it has expired"),
        ((Command("feed_override", 80.0, ""),) * 2, f"another command came less than {SOONEST:g} s before"),
    ],
)
def test_what_must_not_reach_the_controller_does_not(commands, why):
    source = Source()
    crossing = Bridge(source, (), clock=lambda: 100.0)

    async def ask():
        return [await crossing.ask(command) for command in commands]

    assert asyncio.run(ask())[-1] == why
    assert len(source.asked) == len(commands) - 1


def test_a_source_that_cannot_be_asked_is_not():
    class Mute:
        told = Told()

    answer = asyncio.run(Bridge(Mute(), ()).ask(Command("feed_override", 80.0, "")))
    assert answer == "this source has no command of that name"


# A real controller, a broker with certificates and an access list, and the command line.


@pytest.fixture
def guarded(tmp_path):
    """A broker where the bridge tells, an operator asks, and a viewer only reads."""
    certificates = Certificates(tmp_path)
    people = {name: certificates.named(name) for name in ("bridge", "operator", "viewer")}
    access = tmp_path / "access"
    access.write_text(
        "user bridge\ntopic write mill/#\ntopic read mill/cmd/#\n"
        "user operator\ntopic read mill/#\ntopic write mill/cmd/feed_override\n"
        "user viewer\ntopic read mill/#\n"
    )
    lines = [
        "allow_anonymous false",
        f"acl_file {access}",
        f"cafile {certificates.authority}",
        f"certfile {certificates.broker[0]}",
        f"keyfile {certificates.broker[1]}",
        "require_certificate true",
        "use_identity_as_username true",
    ]
    with Mosquitto(tmp_path, lines, trusting(certificates, people["viewer"])).running() as broker:
        yield broker, certificates, people


@pytest.fixture
def crossing(guarded):
    """``camtwin bridge`` from a real controller to the broker; yields the broker and who may talk to it."""
    reason = unavailable()
    if reason:
        pytest.fail(f"{reason}: make test installs it")
    broker, certificates, people = guarded
    with Fenced(speed=10) as fenced:
        certificate, key = people["bridge"]
        words = [
            *(sys.executable, "-m", "freecad_camtwin.cli.main", "bridge", "linuxcnc:?rate=200&feed_override=50:120"),
            *("--to", f"mqtts://127.0.0.1:{broker.port}/mill", "--simulated"),
            *("--cert", certificate, "--key", key, "--ca", certificates.authority),
        ]
        ours = {ENVIRONMENT: shlex.join(fenced.poller()), "PYTHONPATH": f"{ROOT}:{ROOT / 'kernels'}"}
        process = subprocess.Popen(
            words, env=os.environ | ours, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        yield broker, certificates, people, process
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


@asynccontextmanager
async def viewer(broker, certificates, pair):
    """Yield what a connector with a certificate hears, and a wait for it."""
    options = Options(certificate=pair[0], key=pair[1], authority=certificates.authority, patience=PATIENCE)
    seen = []
    connector = open_connector(f"mqtts://127.0.0.1:{broker.port}/mill/#", options)
    task = asyncio.create_task(until(connector, lambda _: False, seen))

    async def heard(condition):
        async with asyncio.timeout(PATIENCE):
            while not condition(seen):
                if task.done():
                    await task
                await asyncio.sleep(0.01)

    try:
        yield seen, heard, connector
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def ask(broker, certificates, pair, value):
    """Publish a command with somebody's certificate; return the broker's reason code."""
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
    client.tls_set_context(trusting(certificates, pair))
    codes = []
    client.on_publish = lambda _client, _data, _number, code, _more: codes.append(code)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    command = {"schema": "camtwin.command/1", "value": value, "sender": "ada", "expires": time.time() + 5}
    client.publish("mill/cmd/feed_override", msgspec.json.encode(command), qos=1)
    deadline = time.monotonic() + PATIENCE
    while not codes and time.monotonic() < deadline:
        time.sleep(0.005)
    client.disconnect()
    client.loop_stop()
    return str(codes[0])


def test_a_real_controller_is_heard_and_asked_over_mutual_tls(crossing):
    broker, certificates, people, process = crossing

    async def run():
        async with viewer(broker, certificates, people["viewer"]) as (seen, heard, connector):
            await heard(lambda seen: any(isinstance(each, Samples) for each in seen))
            refused = await asyncio.to_thread(ask, broker, certificates, people["viewer"], 70.0)
            for value, answer in ((70.0, "done"), (200.0, "200 % is outside of 50 to 120 %")):
                while f"feed_override {value:g} by ada: {answer}" not in words(seen, "command"):
                    await asyncio.to_thread(ask, broker, certificates, people["operator"], value)
                    await heard(lambda seen, value=value: f" {value:g} " in str(words(seen, "command")))
            await heard(lambda seen: 70.0 in numbers(seen, "feed_override")[1][-3:])
            return seen, refused, connector.told.simulated

    seen, refused, simulated = asyncio.run(run())
    assert refused == "Not authorized"
    assert "AVAILABLE" in words(seen, "availability")
    assert simulated
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    assert " commands passed on, " in out
