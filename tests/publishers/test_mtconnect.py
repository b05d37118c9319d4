# SPDX-License-Identifier: LGPL-2.1-or-later
"""The MTConnect agent: every document against the standard's schemas, and heard by our connector."""

import asyncio
import gzip
import time
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import httpx
import numpy as np
import pytest
from lxml import etree

from freecad_camtwin.connectors import Options, open_connector
from freecad_camtwin.errors import ConnectorError
from freecad_camtwin.publishers import Spoken, open_publisher
from freecad_camtwin.publishers.mtconnect import agent as agents
from freecad_camtwin.publishers.mtconnect.http import MOST_CONNECTIONS
from freecad_camtwin.twin.signals.discovery import Item, propose_signals
from freecad_camtwin.twin.signals.observation import GAP, Event, Samples
from freecad_camtwin.twin.signals.signal_map import Meaning
from observing import PATIENCE, numbers, until, words

SCHEMAS = Path(__file__).parent.parent / "data/mtconnect_xsd"
ITEMS = (
    Item("x", "POSITION", "mm", component="Linear X"),
    Item("y", "POSITION", "mm", component="Linear Y"),
    Item("z", "POSITION", "mm", component="Linear Z"),
    Item("power", "WATTAGE", "W"),
    Item("torque", "TORQUE", "N·mm"),
    Item("n_rpm", "ROTARY_VELOCITY", "1/min"),
    Item("line", "LINE_NUMBER"),
    Item("tool", "TOOL_NUMBER"),
    Item("feed", "PATH_FEEDRATE", "mm/s"),
    Item("feed_override", "PATH_FEEDRATE_OVERRIDE", "%"),
    Item("load_x", "LOAD", "%", component="Linear X"),
    Item("program", "PROGRAM"),
    Item("execution", "EXECUTION"),
    Item("availability", "AVAILABILITY"),
    Item("alarm", "CONDITION"),
    Item("weather"),
    Item("7th & last", "PROGRAM"),
)
SPOKEN = Spoken("Mill <3> & more", "mill-3", ITEMS, simulated=True)
NUMBERS = tuple(item.name for item in ITEMS[:11])
START = 1767225600.0


@cache
def schema(kind):
    path = SCHEMAS / f"MTConnect{kind}_2.7_1.0.xsd.gz"
    return etree.XMLSchema(etree.fromstring(gzip.decompress(path.read_bytes()), base_url=str(path)))


def valid(document):
    """Return the root of a document that its schema allows."""
    root = etree.fromstring(document)
    kind = etree.QName(root).localname.removeprefix("MTConnect")
    schema(kind).assertValid(root)
    return root


def row(number):
    values = [number / 10, -2.0, 1e-7, 431.5, 1234.0, 12000.0, number, 3, 16.7, 100, np.nan]
    return Samples(np.array([START + number]), NUMBERS, np.array([values]))


class Client:
    def __init__(self, publisher):
        self.publisher = publisher
        self.http = httpx.AsyncClient(base_url=publisher.address.removeprefix("mtconnect+"), trust_env=False)

    async def get(self, target, status=200):
        answer = await self.http.get(target)
        assert answer.status_code == status, answer.text
        return valid(answer.content)

    async def fault(self, target, status):
        """Return the name and the words of the error that a request is answered by."""
        root = await self.get(target, status)
        (error,) = root.find("{*}Errors")
        return etree.QName(error).localname, error.findtext("{*}ErrorMessage")


@asynccontextmanager
async def running(spoken=SPOKEN):
    async with open_publisher("mtconnect+http://127.0.0.1:0", spoken) as publisher:
        client = Client(publisher)
        async with client.http:
            yield publisher, client


def said(root):
    """Return the ids and texts of a Streams document's observations, in order of their sequences."""
    found = [each for each in root.iter("{*}*") if each.get("sequence")]
    found.sort(key=lambda each: int(each.get("sequence")))
    return [(each.get("dataItemId"), each.text) for each in found]


def header(root, name):
    return root.find("{*}Header").get(name)


def test_the_probe_is_valid_and_proposes_a_whole_signal_map():
    async def run():
        async with running() as (publisher, client):
            for target in ("/", "/probe", "/Mill__3____more/probe", "/mill-3"):
                root = await client.get(target)
            offered = await open_connector(publisher.address).offered()
            return publisher, root, offered

    publisher, root, offered = asyncio.run(run())
    assert "simulated" in root.findtext(".//{*}Description")
    assert header(root, "testIndicator") == "true"
    assert publisher.model.left_out == ["weather", "7th & last"]
    assert {item.name for item in offered} >= set(NUMBERS)
    found = propose_signals(offered).signals
    assert {signal.item for signal in found.signals} >= {*NUMBERS, "program", "execution", "availability"}
    assert found.of(Meaning.POSITION_Z).item == "z"
    assert found.of(Meaning.AXIS_LOAD_X).item == "load_x"
    assert found.of(Meaning.SPINDLE_TORQUE).conversion == (1000.0, 0.0)
    assert found.coordinates == "work"


def test_current_and_sample_are_valid_and_tell_only_what_is_new():
    async def run():
        async with running() as (publisher, client):
            blank = await client.get("/current")
            assert {text for _, text in said(blank)} <= {"UNAVAILABLE", None}
            begin = header(blank, "nextSequence")
            await publisher.tell(Event(START, "program", "<1001> & co"))
            await publisher.tell(Event(START, "execution", "ACTIVE"))
            await publisher.tell(Event(START, "alarm", "FAULT E7 too <hot>"))
            await publisher.tell(row(1))
            await publisher.tell(row(2))
            await publisher.tell(Event(START + 3, "execution", "DREAMING"))
            await publisher.tell(Event(START + 3, "alarm", None))
            return begin, await client.get(f"/sample?from={begin}&count=500"), await client.get("/current")

    begin, sample, current = asyncio.run(run())
    told = said(sample)
    assert [text for name, text in told if name == "line"] == ["1", "2"]
    assert [text for name, text in told if name == "power"] == ["431.5"]
    assert [text for name, text in told if name == "torque"] == ["1.234"]
    assert [text for name, text in told if name == "execution"] == ["ACTIVE", "UNAVAILABLE"]
    assert ("program", "<1001> & co") in told
    assert "too" in sample.findtext(".//{*}Fault")
    assert told.index(("line", "2")) < told.index(("x", "0.2"))
    assert int(header(sample, "nextSequence")) == int(begin) + len(told)
    assert dict(said(current))["x"] == "0.2"
    assert header(sample, "testIndicator") == "true"


def test_a_state_of_the_past_and_a_part_of_the_machine_can_be_asked_for():
    async def run():
        async with running() as (publisher, client):
            for number in range(1, 4):
                await publisher.tell(row(number))
            now = await client.get("/current")
            lines = await client.get("/sample?count=500&path=//DataItem[@type='LINE_NUMBER']")
            axes = await client.get("/current?path=//Axes//Linear[@name='X']")
            at = {text: each for each in lines.iter("{*}LineNumber") for text in [each.text]}["2"].get("sequence")
            past = await client.get(f"/current?at={at}")
            return now, lines, axes, past

    now, lines, axes, past = asyncio.run(run())
    assert [text for _, text in said(lines)] == ["UNAVAILABLE", "1", "2", "3"]
    assert {name for name, _ in said(axes)} == {"x", "load_x"}
    assert (dict(said(past))["line"], dict(said(past))["x"]) == ("2", "0.1")
    assert dict(said(now))["line"] == "3"


@pytest.mark.parametrize(
    ("target", "status", "kind", "reason"),
    [
        ("/sample?from=100000", 404, "OutOfRange", "from must be from 1 to"),
        ("/sample?from=0", 404, "OutOfRange", "from must be from 1 to"),
        ("/current?at=5000", 404, "OutOfRange", "at must be from 1 to"),
        ("/sample?from=first", 400, "InvalidParameterValue", "whole number"),
        ("/sample?count=0", 400, "InvalidParameterValue", "whole number"),
        ("/sample?count=9999999", 400, "InvalidParameterValue", "whole number"),
        ("/sample?interval=-1", 400, "InvalidParameterValue", "whole number"),
        ("/sample?form=1", 400, "InvalidURI", "no parameter form"),
        ("/lathe/probe", 404, "NoDevice", "no device lathe"),
        ("/secret", 404, "InvalidURI", "none of probe"),
        ("/asset/T1", 404, "AssetNotFound", "no asset T1"),
        ("/current?path=//[", 400, "InvalidXPath", "the path is invalid"),
        ("/current?path=//Door", 400, "InvalidXPath", "selects no data item"),
        ("/current?path=count(//*)", 400, "InvalidXPath", "selects no data item"),
    ],
)
def test_what_cannot_be_answered_is_a_valid_error(target, status, kind, reason):
    async def run():
        async with running() as (_, client):
            return await client.fault(target, status)

    found, text = asyncio.run(run())
    assert found == kind
    assert reason in text


def test_it_is_read_and_not_written_and_has_no_assets():
    async def run():
        async with running() as (_, client):
            refused = await client.http.put("/Mill?program=1", content=b"x" * 100_000)
            assert (await client.get("/assets")).find("{*}Assets") is not None
            return refused

    refused = asyncio.run(run())
    assert refused.status_code == 405
    assert etree.QName(valid(refused.content).find("{*}Errors")[0]).localname == "InvalidRequest"


async def hear(publisher, enough, options=None):
    connector = open_connector(publisher.address, options or Options(patience=PATIENCE))
    return await until(connector, enough), connector


def test_our_connector_hears_every_row_in_its_order():
    async def run():
        async with running() as (publisher, _):
            listening = asyncio.create_task(hear(publisher, lambda seen: len(numbers(seen, "x")[1]) >= 60))
            for number in range(1, 10_000):
                await publisher.tell(row(number))
                await asyncio.sleep(0.002)
                if listening.done():
                    return await listening
            raise AssertionError

    seen, connector = asyncio.run(run())
    times, values = numbers(seen, "x")
    np.testing.assert_allclose(np.diff(times), 1.0)
    np.testing.assert_allclose(np.diff(values), 0.1)
    assert connector.told.simulated
    assert not connector.told.dropped
    assert words(seen, GAP) == []


def test_a_client_that_was_away_too_long_is_told_so_and_resumes(monkeypatch):
    monkeypatch.setattr(agents, "BUFFER", 64)

    async def run():
        async with running() as (publisher, _):
            connector = open_connector(publisher.address, Options(patience=PATIENCE))

            def enough(seen):
                if len(seen) == len(publisher.model.items):  # the state was told; now more than the buffer holds
                    for number in range(1, 200):
                        publisher._buffer.tell(publisher.model.index["x"], START + number, str(number))
                return bool(words(seen, GAP)) and words(seen[seen_gap(seen) :], "x")

            return await until(connector, enough)

    def seen_gap(seen):
        return [isinstance(each, Event) and each.item == GAP for each in seen].index(True)

    seen = asyncio.run(run())
    assert "no longer has the observations" in words(seen, GAP)[0]
    assert words(seen[seen_gap(seen) :], "x")[0] == "199.0"


def test_heartbeats_come_and_intervals_are_kept():
    async def run():
        async with running() as (publisher, client):
            documents, came = b"", []
            target = f"/sample?from={publisher._buffer.next}&interval=100&heartbeat=20"
            async with client.http.stream("GET", target) as answer:
                kind = answer.headers["content-type"]
                async for chunk in answer.aiter_raw():
                    documents += chunk
                    came.append(time.monotonic())
                    if len(came) == 4:
                        break
            return kind, documents, came

    kind, documents, came = asyncio.run(run())
    assert kind.startswith("multipart/x-mixed-replace;boundary=")
    assert min(np.diff(came[1:])) > 0.09
    for part in documents.split(b"--camtwin-part\r\n")[1:]:
        assert said(valid(part.split(b"\r\n\r\n", 1)[1].strip())) == []


def test_nobody_keeps_the_others_out():
    async def run():
        async with running() as (publisher, client):
            port = int(publisher.address.rsplit(":", 1)[1])
            idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_CONNECTIONS + 5)]
            idle[0][1].write(b"G\x00T / HTTP/1.1\r\n\r\n" + b"x" * 100_000)
            for _, writer in idle:
                writer.close()
            async with asyncio.timeout(PATIENCE):
                while True:
                    try:
                        return await client.get("/probe")
                    except httpx.TransportError:
                        await asyncio.sleep(0.01)

    assert asyncio.run(run()) is not None


def test_a_port_that_is_taken_is_one_sentence():
    async def run():
        async with running() as (publisher, _), open_publisher(publisher.address, SPOKEN):
            pass

    with pytest.raises(ConnectorError, match="cannot listen on"):
        asyncio.run(run())
