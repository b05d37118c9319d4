# SPDX-License-Identifier: LGPL-2.1-or-later
"""The OPC UA connector against asyncua's server, with variables and a machine tool of its own."""

import asyncio
import random
import signal
import socket
import threading
import time
from contextlib import suppress

import pytest
from asyncua import ua

from controllers.opcua import Peer
from freecad_camtwin.connectors import Options, open_connector
from freecad_camtwin.connectors.opcua.nodes import Variable
from freecad_camtwin.errors import ConnectorError, InputError
from freecad_camtwin.twin.signals.discovery import propose_signals
from freecad_camtwin.twin.signals.observation import GAP
from freecad_camtwin.twin.signals.signal_map import Meaning
from observing import numbers, until, words

PATIENT = Options(patience=60)
LOAD, STATE = "nsu=urn:test:mill;s=load", "nsu=urn:test:mill;s=state"
POSITION = "nsu=urn:test:mill;s=position"
VARIABLES = {"load": 0.0, "state": "", "position": [0.0, 0.0, 0.0]}


@pytest.fixture(scope="module")
def mill():
    with Peer.python("mill", variables=VARIABLES).running() as server:
        yield server


@pytest.fixture(scope="module")
def plain():
    with Peer.python("plain", variables={"load": 0.0}).running() as server:
        yield server


def values(**said):
    """Return what a server shall tell: variable → (type, value, status code, time)."""
    return {"values": [[name, list(value)] for name, value in said.items()]}


async def begun(connector, seen, enough=lambda seen: len(seen) >= 1):
    """Return a task that listens, as soon as the state at the beginning was heard."""
    heard = asyncio.Event()

    def check(seen):
        if enough(seen):
            heard.set()
        return False

    task = asyncio.create_task(until(connector, check, seen))
    waiting = asyncio.create_task(heard.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        await task
    return task


async def ended(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def condition(holds):
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


def test_a_machine_tool_of_a_derived_type_is_found_with_units_and_what_its_maker_added(mill):
    items = {item.label: item for item in asyncio.run(open_connector(mill.address, PATIENT).offered())}
    load = items["Spindle/Load"]
    assert load.name == "nsu=urn:test:mill;i=4711"
    assert load.unit == "%"
    assert items["Production/ActiveProgram/Name"].type == "PROGRAM"
    assert not any(label.startswith("Identification") for label in items)
    assert propose_signals(items.values()).signals.of(Meaning.SPINDLE_LOAD).item == load.name


def test_a_machine_tool_that_is_not_there_is_named_with_those_that_are(mill):
    connector = open_connector(f"{mill.address}?machine=Lathe", PATIENT)
    with pytest.raises(ConnectorError, match="does not have the machine tool 'Lathe'; it has Big Mill"):
        asyncio.run(until(connector, lambda seen: False))


def test_a_node_that_is_not_there_is_named(mill):
    for node in ("nsu=urn:test:mill;s=nothing", "nsu=urn:nobody;s=load"):
        connector = open_connector(f"{mill.address}?nodes={node}", PATIENT)
        with pytest.raises(ConnectorError, match=f"does not have {node}"):
            asyncio.run(until(connector, lambda seen: False))
    connector = open_connector(mill.address, Options(items=("spindle load",)))
    with pytest.raises(InputError, match="'spindle load' is not a node"):
        asyncio.run(until(connector, lambda seen: False))


def test_an_element_of_an_array_is_asked_for_by_its_name(mill):
    async def run():
        connector = open_connector(mill.address, Options(patience=60, items=(f"{POSITION}[2]", STATE)))
        seen = []
        task = await begun(connector, seen, lambda seen: len(seen) == 4)
        mill.tell(**values(position=("Double", [1.0, 2.0, 3.0], 0, time.time())))
        await condition(lambda: numbers(seen, f"{POSITION}[2]")[1] == [3.0])
        await ended(task)

    asyncio.run(run())


def test_bad_values_are_unknown_and_uncertain_ones_are_noted(mill):
    async def run():
        connector = open_connector(mill.address, Options(patience=60, items=(LOAD, STATE)))
        seen = []
        task = await begun(connector, seen, lambda seen: len(seen) == 2)
        now = time.time()
        for at, (value, code) in enumerate([(1.0, 0), (None, 0x808A0000), (None, 0x808A0000), (2.0, 0x40940000)]):
            mill.tell(**values(load=("Double", value, code, now + at)))
        mill.tell(**values(load=("Double", float("nan"), 0, now + 5), state=("String", "ACTIVE", 0, now + 5)))
        await condition(lambda: "ACTIVE" in words(seen, STATE))
        await ended(task)
        return connector, seen, now

    connector, seen, now = asyncio.run(run())
    assert numbers(seen, LOAD) == ([pytest.approx(now, abs=1e-6), pytest.approx(now + 3, abs=1e-6)], [1.0, 2.0])
    assert words(seen, LOAD) == ["0.0", None, None]  # at first, when it went bad, and no number
    assert connector.told.dropped == {"bad value (BadNotConnected)": 2, "no number": 1}
    assert any("uncertain" in warning and LOAD in warning for warning in connector.told.warnings)


def test_a_server_that_restarts_is_a_gap_and_found_again_though_its_namespaces_have_other_numbers(plain):
    async def run(server):
        connector = open_connector(server.address, Options(patience=60, items=(LOAD,)))
        seen = []
        task = await begun(connector, seen)
        server.tell(**values(load=("Double", 1.0, 0, time.time())))
        await condition(lambda: numbers(seen, LOAD)[1] == [1.0])
        await asyncio.to_thread(server.stop)
        server.settings["namespaces"] = ["urn:other:1", "urn:other:2"]
        await asyncio.to_thread(server.start)
        await condition(lambda: words(seen, LOAD)[1:])
        server.tell(**values(load=("Double", 2.0, 0, time.time())))
        await condition(lambda: numbers(seen, LOAD)[1] == [1.0, 2.0])
        await ended(task)
        return seen

    (gap,) = words(asyncio.run(run(plain)), GAP)
    assert "was lost" in gap


def test_a_server_that_is_silent_and_comes_back_is_a_gap_and_read_on(plain):
    async def run():
        connector = open_connector(plain.address, Options(patience=60, quiet=1.0, items=(LOAD,)))
        seen = []
        task = await begun(connector, seen)
        plain.process.send_signal(signal.SIGSTOP)
        await condition(lambda: words(seen, GAP))
        plain.process.send_signal(signal.SIGCONT)
        await condition(lambda: len(words(seen, LOAD)) == 2)
        await ended(task)
        return words(seen, GAP)

    (gap,) = asyncio.run(run())
    assert "was silent for 1 s" in gap


def test_a_password_in_an_address_is_refused():
    with pytest.raises(InputError, match="holds a password"):
        open_connector("opc.tcp://me:secret@mill:4840")


def hostile(answer):
    """Serve whoever comes with the same bytes, again and again; return the address and how many were sent."""
    server = socket.create_server(("127.0.0.1", 0))
    sent = []

    def serve():
        while True:
            try:
                peer, _ = server.accept()
                with peer:
                    peer.recv(4096)
                    while peer.send(answer):
                        sent.append(len(answer))
            except OSError:
                if server.fileno() < 0:
                    return

    threading.Thread(target=serve, daemon=True).start()
    return server, f"opc.tcp://127.0.0.1:{server.getsockname()[1]}", sent


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"MSGF\xff\xff\xff\xff" + bytes(10_000), bytes(10_000)],
    ids=["another protocol", "a chunk without an end", "zeros"],
)
def test_what_is_no_server_is_left_before_it_fills_the_memory(answer):
    server, address, sent = hostile(answer)
    with server, pytest.raises(ConnectorError, match=r"cannot be reached.*tried for 0\.5 s"):
        asyncio.run(until(open_connector(address, Options(patience=0.5, quiet=1)), lambda seen: False))
    assert sum(sent) < 50e6


class Grudging:
    """A session with a server that revises all that it is asked for, and knows no filters."""

    def __init__(self):
        self.uaclient = self
        self.session = self

    async def create_subscription(self, _asked, _callback):
        return ua.CreateSubscriptionResult(SubscriptionId=7, RevisedPublishingInterval=100.0)

    async def update_subscription(self, asked):
        self.sign_of_life = asked.RequestedPublishingInterval * asked.RequestedMaxKeepAliveCount

    async def create_monitored_items(self, asked):
        return [self.answer(item) for item in asked.ItemsToCreate]

    @staticmethod
    def answer(item):
        if item.ItemToMonitor.NodeId.Identifier == "hidden":
            return ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(ua.StatusCodes.BadTooManyMonitoredItems))
        if isinstance(item.RequestedParameters.Filter, ua.DataChangeFilter):
            return ua.MonitoredItemCreateResult(StatusCode=ua.StatusCode(ua.StatusCodes.BadFilterNotAllowed))
        return ua.MonitoredItemCreateResult(RevisedSamplingInterval=20.0, RevisedQueueSize=1)


def test_what_a_server_revises_is_said_with_its_figures():
    connector = open_connector("opc.tcp://mill", Options(quiet=30))
    session = Grudging()
    variables = [Variable(ua.NodeId(name, 2), name, ("Mill", name)) for name in ("load", "hidden")]
    asyncio.run(connector._subscribe(session, variables, asyncio.Queue()))
    assert [warning.removeprefix("the server mill:4840 ") for warning in connector.told.warnings] == [
        "sends every 100 ms, not every 10 ms",
        "does not send hidden (BadTooManyMonitoredItems)",
        "does not send unchanged values: they are assumed to stay the same",
        "samples variables only every 20 ms, not every 10 ms; values in between are not recorded",
        "keeps 1 values of a variable and may have 5 before it sends them; some may be lost",
    ]
    assert session.sign_of_life == pytest.approx(10_000, rel=0.01)  # [ms] a third of what counts as silence


async def spoiling(port, seed):
    """Listen in a server's stead, pass on what it says with some bytes changed, and return where."""
    draw = random.Random(seed)

    async def carry(reader, writer, spoils):
        with suppress(OSError):
            while data := bytearray(await reader.read(65536)):
                if spoils and len(data) > 8 and draw.random() < 0.4:
                    data[draw.randrange(8, len(data))] = draw.randrange(256)
                writer.write(bytes(data))
                await writer.drain()

    async def serve(reader, writer):
        serving.append(asyncio.current_task())
        theirs, ours = await asyncio.open_connection("127.0.0.1", port)
        ways = [asyncio.create_task(carry(reader, ours, False)), asyncio.create_task(carry(theirs, writer, True))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        ours.close()
        writer.close()
        await asyncio.gather(*ways)

    serving = []

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}/plain", serving


@pytest.mark.parametrize("seed", range(16))
def test_bytes_that_were_changed_on_the_way_are_one_of_our_errors_or_do_no_harm(plain, seed):
    async def run():
        server, address, serving = await spoiling(plain.port, seed)
        async with server:
            items = ()
            with suppress(ConnectorError):
                items = await open_connector(address, Options(quiet=1.0, patience=0)).offered()
            await asyncio.gather(*serving)
            return items

    for item in asyncio.run(run()):  # where the changed bytes were none that matter
        assert item.name
