# SPDX-License-Identifier: LGPL-2.1-or-later
import asyncio
import socket
import struct
import zlib
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from controllers.recorded_agent import DATA, RecordedAgent, observed, sequence
from freecad_camtwin.connectors import Options, open_connector
from freecad_camtwin.connectors.mtconnect.documents import NoMtconnectError, items, read_document, xml_readings
from freecad_camtwin.connectors.mtconnect.multipart import MultipartError, MultipartReader, boundary_of
from freecad_camtwin.errors import ConnectorError, InputError
from freecad_camtwin.twin.signals.discovery import propose_signals
from freecad_camtwin.twin.signals.observation import GAP, Event, Samples
from freecad_camtwin.twin.signals.signal_map import Meaning
from observing import numbers, until, words

START = RecordedAgent.beginning
QUICK = Options(patience=60, interval=0.01)


def recorded(agent, item, start=START):
    """Return the numbers that the recorded document tells of an item from a sequence on."""
    return list(_recorded(agent.stream, item, start))


@cache
def _recorded(stream, item, start):
    found = [each for each in observed(stream) if each.get("dataItemId") == item and sequence(each) >= start]
    return [float(each.text) for each in sorted(found, key=sequence) if each.text != "UNAVAILABLE"]


def whole(agent, seen):
    """Whether the last load and the last position were told."""
    return all(
        len(numbers(seen, item)[1]) >= len(recorded(agent, of))
        for item, of in (("LX1load", "LX1load"), ("Lp1Fact", "Lp1Fact"))
    )


async def listen(agent, options=QUICK, enough=None):
    async with agent.running() as url:
        connector = open_connector(url, options)
        seen = await until(connector, enough or (lambda seen: whole(agent, seen)))
        return seen, connector


def check_whole(agent, seen):
    for item in ("LX1load", "LZ1load", "Lp1Fact", "LS6speed"):
        assert numbers(seen, item)[1] == recorded(agent, item), item
        times = numbers(seen, item)[0]
        assert times == sorted(times)


@pytest.mark.parametrize("tells_length", [True, False])
@pytest.mark.parametrize(
    "kind", ["multipart/mixed;boundary={}", 'multipart/x-mixed-replace; boundary="{}"', "text/xml"]
)
def test_every_observation_of_the_real_agent_arrives_once(kind, tells_length):
    agent = RecordedAgent()
    agent.content_type, agent.tells_length, agent.streams = kind, tells_length, kind != "text/xml"
    seen, connector = asyncio.run(listen(agent))
    check_whole(agent, seen)
    assert words(seen, GAP) == []
    assert words(seen, "Lpprogram") == ["IMTS-2022-2-HOB.MIN"]
    assert not connector.told.dropped


def gzipped():
    packer = zlib.compressobj(wbits=31)
    return lambda data: packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)


def test_an_agent_that_compresses_unasked_is_understood():
    agent = RecordedAgent()
    agent.packer = gzipped
    seen, connector = asyncio.run(listen(agent))
    check_whole(agent, seen)
    assert not connector.told.warnings
    assert all("accept-encoding: identity\r\n" in head.lower() for head in agent.heads)


def test_what_cannot_be_decompressed_is_a_lost_connection():
    agent = RecordedAgent()
    agent.packer = lambda: bytes
    with pytest.raises(ConnectorError, match="sent what cannot be decompressed: Error"):
        asyncio.run(listen(agent, Options(patience=0)))
    packers = [gzipped, lambda: bytes]
    agent.packer = lambda: (packers.pop(0) if packers else gzipped)()
    seen, connector = asyncio.run(listen(agent))
    check_whole(agent, seen)
    assert words(seen, GAP) == []
    assert any("cannot be decompressed" in warning for warning in connector.told.warnings)


def test_the_state_at_the_beginning_is_told_as_words_of_its_own_time():
    seen, _ = asyncio.run(listen(RecordedAgent(), enough=lambda seen: isinstance(seen[-1], Samples)))
    state = {each.item: each for each in seen if isinstance(each, Event)}
    assert state["Lpexecution"].value == "ACTIVE"
    assert float(state["LpFovr"].value) == 100
    assert state["Lpexecution"].time < state["LX1load"].time


def test_a_lost_connection_costs_nothing_that_the_agent_kept():
    agent = RecordedAgent()
    agent.hangs_up_after = 2
    seen, connector = asyncio.run(listen(agent))
    check_whole(agent, seen)
    assert words(seen, GAP) == []
    assert any("ended the stream" in warning for warning in connector.told.warnings)
    assert len([each for each in agent.requests if "current" in each]) == 1


def forgets(agent):
    agent.first = START + 1000


def starts_anew(agent):
    agent.instance = "7"


@pytest.mark.parametrize(("change", "reason"), [(forgets, "no longer has"), (starts_anew, "was restarted")])
def test_what_an_agent_lost_is_a_gap_and_its_state_is_told_again(change, reason):
    agent = RecordedAgent()
    agent.hangs_up_after = 2

    def enough(seen):
        if agent.hangs_up_after is None and agent.beginning == START:
            agent.beginning = START + 1000  # the agent lived on while nobody listened
            change(agent)
        return words(seen, GAP) and whole_after_gap(seen)

    def whole_after_gap(seen):
        expected = recorded(agent, "Lp1Fact", START + 1000)
        return numbers(seen, "Lp1Fact")[1][-len(expected) :] == expected

    seen, _ = asyncio.run(listen(agent, enough=enough))
    (gap,) = words(seen, GAP)
    assert reason in gap
    after = seen[[isinstance(each, Event) and each.item == GAP for each in seen].index(True) :]
    assert words(after, "Lpexecution")[0] == "ACTIVE"


BOMB = b"""<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<MTConnectStreams><Header instanceId="1" nextSequence="5"/>&b;</MTConnectStreams>"""


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"<MTConnectStreams><Header", "no XML"),
        (b"", "no XML"),
        (b"<html/>", "no MTConnect document"),
        (BOMB, "no MTConnect document"),
        (b"\x00\xff" * 100, "no XML"),
        (b"<a>" * 100_000, "no XML"),
        (b"<MTConnectStreams>" + b" " * 300_000, "document too large"),
    ],
)
def test_a_document_that_is_none_is_counted_and_a_gap(document, reason):
    agent = RecordedAgent()
    agent.spoils = document
    options = Options(patience=60, most_bytes=300_000)
    seen, connector = asyncio.run(listen(agent, options))
    assert connector.told.dropped == {reason: 1}
    assert len(words(seen, GAP)) == 1
    check_whole(agent, seen)


def test_an_agent_that_asks_who_we_are_is_told():
    agent = RecordedAgent()
    agent.password = "secret"
    seen, connector = asyncio.run(listen(agent, Options(user="me", password="secret", patience=60)))
    check_whole(agent, seen)
    assert any("unencrypted" in warning for warning in connector.told.warnings)


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_refusal_is_an_error_at_once(password):
    agent = RecordedAgent()
    agent.password = "secret"
    with pytest.raises(ConnectorError, match=r"refuses us \(401\)") as raised:
        asyncio.run(listen(agent, Options(user=password and "me", password=password, patience=60)))
    assert "wrong" not in str(raised.value)


def test_an_agent_that_is_not_there_is_named():
    async def connect():
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        return await until(open_connector(f"mtconnect+http://127.0.0.1:{port}", Options(patience=0)), lambda seen: True)

    with pytest.raises(ConnectorError, match="cannot be reached"):
        asyncio.run(connect())


def test_what_is_no_agent_and_hangs_up_is_named_with_the_kind_of_failure():
    async def hang_up(incoming, outgoing):
        await incoming.read(1)
        opened = outgoing.get_extra_info("socket")
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # no farewell
        outgoing.transport.abort()

    async def connect():
        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            address = f"mtconnect+http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            await open_connector(address, Options(patience=0)).offered()

    with pytest.raises(ConnectorError, match="cannot be reached: ReadError; tried"):
        asyncio.run(connect())


def test_an_address_without_a_host_is_refused():
    with pytest.raises(InputError, match="names no agent"):
        open_connector("mtconnect+http:///OKUMA")


def test_a_real_probe_proposes_a_map():
    async def offered():
        agent = RecordedAgent()
        async with agent.running() as url:
            return await open_connector(url, QUICK).offered()

    found = {item.name: item for item in asyncio.run(offered())}
    assert found["LX1load"].type == "LOAD"
    assert found["LX1load"].component.startswith("Linear X")
    assert found["Lp1LPathPos.Z"].component.startswith("Linear Z")
    proposal = propose_signals(found.values())
    assert proposal.signals.of(Meaning.EXECUTION).item == "Lpexecution"
    assert proposal.signals.of(Meaning.FEED).item == "Lp1Fact"


def test_a_position_of_three_numbers_is_three_items(shared_data):
    document = read_document((shared_data / "mtconnect_agent/stepnc-moldy_100ms.xml").read_bytes())
    found = [reading for reading in xml_readings(document) if reading[1] == "Mp1LPathPos.Z"]
    assert len(found) == 11_520
    assert found[0][2] == 57.228


def test_a_time_series_ends_at_its_time():
    series = (
        b'<MTConnectStreams><Header/><ComponentStream><Samples><AccelerationTimeSeries dataItemId="a" sampleRate="10" '
        b'timestamp="1970-01-01T00:00:10Z">1 2 3</AccelerationTimeSeries></Samples></ComponentStream>'
        b"</MTConnectStreams>"
    )
    found = list(xml_readings(read_document(series)))
    np.testing.assert_allclose([at for at, _, _ in found], [9.8, 9.9, 10])
    assert [value for _, _, value in found] == [1, 2, 3]


@given(st.binary(max_size=300))
def test_no_bytes_but_a_document_are_read(data):
    with pytest.raises(NoMtconnectError):
        read_document(data)


def test_an_error_document_tells_its_code():
    assert read_document((DATA / "agent-2.7-error.xml").read_bytes()).errors == (
        ("OUT_OF_RANGE", "'from' must be less than 16316"),
    )
    assert list(items(read_document((DATA / "agent-2.7-error.xml").read_bytes()))) == []


bodies = st.lists(st.binary(max_size=60).filter(lambda body: b"--cut" not in body and body.strip() == body), max_size=5)


@given(bodies, st.booleans(), st.lists(st.integers(1, 40), min_size=1), st.integers(20, 100))
def test_parts_are_whole_however_the_network_cuts_them(bodies, tells_length, cuts, most):
    stream = b""
    for body in bodies:
        length = b"Content-length: %d\r\n" % len(body) if tells_length else b""
        stream += b"--cut\r\nContent-type: text/xml\r\n" + length + b"\r\n" + body + b"\r\n"
    stream += b"--cut--\r\n"
    parts, found = MultipartReader(b"cut", most), []
    try:
        while stream:
            size = cuts[len(stream) % len(cuts)]
            found += parts.feed(stream[:size])
            stream = stream[size:]
    except MultipartError:
        assert not tells_length
        assert max(map(len, bodies)) >= most - 40
        return
    assert found == [body if not tells_length or len(body) <= most else None for body in bodies]


def test_what_never_becomes_a_part_is_not_kept():
    parts = MultipartReader(b"cut", 1000)
    parts.feed(b"x" * 8000)
    with pytest.raises(MultipartError, match="no part begins"):
        parts.feed(b"x" * 1000)


def test_boundaries_of_either_kind():
    assert boundary_of("multipart/mixed;boundary=1bb3") == b"1bb3"
    assert boundary_of('multipart/x-mixed-replace; boundary="1bb3"; x=1') == b"1bb3"
    assert boundary_of("text/xml") is None


def test_all_elements_of_the_recorded_state_are_readings():
    root = etree.fromstring((DATA / "agent-2.7-current.xml").read_bytes())
    told = {item for _, item, _ in xml_readings(read_document(etree.tostring(root)))}
    silent = {
        each.get("dataItemId")
        for each in observed(root)
        if not any(item == each.get("dataItemId") or item.startswith(f"{each.get('dataItemId')}.") for item in told)
    }
    assert silent == set()
