# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which signal map holds, and that a source which does not hear when it is told to stop does not keep us."""

import asyncio
import socket
import time
from types import SimpleNamespace

import pytest

from controllers.mosquitto import free_port
from controllers.recorded_agent import RecordedAgent
from freecad_camtwin.connectors import Options
from freecad_camtwin.connectors.protocol import Told
from freecad_camtwin.errors import ConnectorError, InputError
from freecad_camtwin.live import choose as choosing
from freecad_camtwin.live.choose import choose_signals, proposed
from freecad_camtwin.live.flow import Flow
from freecad_camtwin.live.recorder import Recorder, Until
from freecad_camtwin.store.schema import RecordingHeader
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import GAP, Event
from freecad_camtwin.twin.signals.signal_map import Meaning, Signal, SignalMap, encode_signals
from live_sources import PATIENCE, SIGNALS, rows


class Stubborn:
    """A source that tells rows for ever, and that loses the first cancellation, as some libraries do."""

    def __init__(self, items=()):
        self.told = Told()
        self.items = items

    async def offered(self):
        return self.items

    async def observations(self):
        number, is_deaf = 0, True
        while True:
            try:
                await asyncio.sleep(0.005)
            except asyncio.CancelledError:
                if not is_deaf:
                    raise
                is_deaf = False
            yield rows(number, 5)
            yield Event(0.0, "state", "ACTIVE")
            number += 5


def asked(call):
    return asyncio.run(asyncio.wait_for(call, PATIENCE))


def test_a_source_that_cannot_say_what_it_has_is_heard_for_a_while(monkeypatch):
    monkeypatch.setattr(choosing, "open_connector", lambda *_: Stubborn())
    begun = time.monotonic()
    found = asked(proposed("mqtt://broker/a", Options(), listen=0.2))
    assert time.monotonic() - begun < PATIENCE / 2
    assert 0.2 <= found.listened < PATIENCE / 2
    assert found.signals.of(Meaning.SPINDLE_POWER).item == "watt"


def test_a_source_that_does_not_hear_does_not_keep_a_recording_from_its_end(tmp_path):
    recorder = Recorder(
        Flow(Stubborn(), SIGNALS), tmp_path / "run", RecordingHeader(0.0), package=None, until=Until(duration=0.2)
    )
    assert asked(recorder.run()).rows > 0


def test_the_map_that_was_given_comes_first_then_the_packages_where_it_fits_the_source(tmp_path, monkeypatch):
    mine = SignalMap((Signal("w", Meaning.SPINDLE_POWER),), name="mine")
    (tmp_path / "map.toml").write_bytes(encode_signals(mine))
    theirs = SignalMap((Signal("clamp", Meaning.SPINDLE_POWER),), name="theirs")
    package = SimpleNamespace(signals=theirs)
    for items, said, signals in (
        ((), tmp_path / "map.toml", mine),
        ((), None, theirs),
        ((Item("clamp"), Item("x")), None, theirs),
        ((Item("power"),), None, None),
    ):
        monkeypatch.setattr(choosing, "open_connector", lambda *_, items=items: Stubborn(items))
        choice = asked(choose_signals("csv:a", Options(), said, package))
        assert choice.is_proposed == (signals is None)
        assert signals is None or choice.signals == signals


def test_a_source_of_which_nothing_can_be_understood_is_named(monkeypatch):
    monkeypatch.setattr(choosing, "open_connector", lambda *_: Stubborn((Item("colour"), Item("mood"))))
    with pytest.raises(InputError, match="offers colour, mood, but no item has a known meaning"):
        asked(proposed("csv:a", Options()))


def test_a_server_that_starts_after_us_is_asked_what_it_has():
    async def late():
        port = free_port()
        asking = asyncio.create_task(proposed(f"mtconnect+http://127.0.0.1:{port}", Options(patience=PATIENCE)))
        await asyncio.sleep(0.3)
        async with RecordedAgent().running(port):
            return await asking

    assert asked(late()).signals.signals


@pytest.mark.parametrize("scheme", ["mtconnect+http", "opc.tcp"])
def test_a_server_that_never_comes_is_waited_for_as_long_as_we_have_patience(scheme):
    with pytest.raises(ConnectorError, match=r"cannot be reached: .+; tried for 0\.5 s"):
        asked(proposed(f"{scheme}://127.0.0.1:{free_port()}", Options(patience=0.5)))


def test_a_server_that_refuses_us_is_not_asked_again():
    agent = RecordedAgent()
    agent.password = "secret"

    async def refused():
        async with agent.running() as url:
            await proposed(url, Options(patience=10 * PATIENCE))

    with pytest.raises(ConnectorError, match=r"refuses us \(401\)"):
        asked(refused())
    assert len(agent.heads) == 1


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("mqtt://127.0.0.1:{}/a/#", "the broker 127.0.0.1:{}"),
        ("mqtt://nosuch.host.invalid:{}/a/#", "the broker nosuch.host.invalid:{}"),
        ("shdr://127.0.0.1:{}", "the adapter 127.0.0.1:{}"),
    ],
)
def test_a_source_that_is_not_there_is_no_source_that_offers_nothing(address, name):
    port = free_port()
    with pytest.raises(ConnectorError, match=f"{name.format(port)} cannot be reached: .+; tried for 0.5 s"):
        asked(proposed(address.format(port), Options(patience=0.5), listen=PATIENCE))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (b"", r"nothing was received from shdr:.* for 0\.5 s; .*--signals.*--patience"),
        (b"hello\n", r"only unreadable messages \(1\) were received from shdr:"),
    ],
)
def test_an_adapter_that_says_nothing_of_use_is_told_from_one_that_is_not_there(line, sentence):
    async def speak(incoming, outgoing):
        outgoing.write(line)
        await incoming.read()
        outgoing.close()

    async def listen():
        server = await asyncio.start_server(speak, "127.0.0.1", 0)
        async with server:
            address = f"shdr://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            await proposed(address, Options(patience=0.3), listen=0.2)

    with pytest.raises(ConnectorError, match=sentence):
        asked(listen())


def test_a_host_that_never_answers_cannot_be_reached():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        address = f"mqtt://127.0.0.1:{deaf.getsockname()[1]}/a"
        with pytest.raises(ConnectorError, match="cannot be reached: no answer"):
            asked(proposed(address, Options(patience=0.2), listen=0.2))


def test_a_gap_is_nothing_that_was_heard(monkeypatch):
    class Silent(Stubborn):
        async def observations(self):
            self.told.is_reached = True
            for _ in range(100):
                yield Event(0.0, GAP, "nothing came")
                await asyncio.sleep(0.05)

    monkeypatch.setattr(choosing, "open_connector", lambda *_: Silent())
    with pytest.raises(ConnectorError, match="nothing was received"):
        asked(proposed("mqtt://broker/a", Options(patience=0.1), listen=0.2))
