# SPDX-License-Identifier: LGPL-2.1-or-later
"""The OPC UA connector against node-opcua, which others wrote and which samples variables by a timer."""

import asyncio

import numpy as np
import pytest

from controllers.opcua import Certificates, Peer
from freecad_camtwin.connectors import Options, open_connector
from freecad_camtwin.errors import ConnectorError
from freecad_camtwin.twin.signals.observation import GAP, Samples
from observing import numbers, until, words

ROWS = 300
SLOW = "nsu=urn:test:node;s=slow"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    return {name: made.make(name) for name in ("node", "recorder", "stranger")}


@pytest.fixture(scope="module")
def server(certificates, tmp_path_factory):
    certificate, key = certificates["node"]
    trusted, _ = certificates["recorder"]
    folder = tmp_path_factory.mktemp("node")
    with Peer.node("server.js", folder=folder, certificate=certificate, key=key, trusted=trusted).running() as server:
        yield server


def who(certificates, name="recorder", **more):
    certificate, key = certificates[name]
    return Options(patience=60, certificate=certificate, key=key, authority=certificates["node"][0], **more)


async def told(connector, server, item, enough, rows=ROWS):
    """Return what a connector hears while a server tells rows, a thousand a second."""
    seen = []
    began = asyncio.Event()

    def check(seen):
        if words(seen, item):
            began.set()
        return enough(numbers(seen, item)[1])

    listening = asyncio.create_task(until(connector, check, seen))
    starting = asyncio.create_task(began.wait())
    await asyncio.wait({listening, starting}, return_when=asyncio.FIRST_COMPLETED)
    starting.cancel()
    await asyncio.to_thread(server.tell, rows=rows, rate=1000)
    return await listening


def test_a_server_that_looks_at_a_variable_now_and_then_is_read_and_warned_about(server):
    connector = open_connector(f"{server.address}?nodes={SLOW}", Options(patience=60))
    seen = asyncio.run(told(connector, server, SLOW, lambda values: len(values) >= 3, rows=1000))
    assert numbers(seen, SLOW)[1][2] > 100
    said = [warning.partition(server.address.removeprefix("opc.tcp://"))[2] for warning in connector.told.warnings]
    assert " sends every 50 ms, not every 10 ms" in said
    assert any("samples variables only every 100 ms, not every 10 ms" in each for each in said)


def test_a_server_that_tells_every_change_loses_none_also_encrypted(server, certificates):
    items = tuple(f"nsu=urn:test:node;s=v{number}" for number in range(20))
    connector = open_connector(server.address, who(certificates, items=items, user="operator", password="secret"))
    seen = asyncio.run(told(connector, server, items[19], lambda values: values[-1:] == [ROWS - 1]))
    rows = np.concatenate([each.values for each in seen if isinstance(each, Samples)])
    np.testing.assert_array_equal(rows, np.tile(np.arange(ROWS)[:, None], 20))
    assert words(seen, GAP) == []
    assert not connector.told.dropped


def test_its_variables_are_offered_though_it_has_no_machine_tool(server, certificates):
    connector = open_connector(server.address, who(certificates))
    labels = {item.label for item in asyncio.run(connector.offered())}
    assert {"Mill/slow", "Mill/v19"} <= labels
    assert "Mill/secret" not in labels
    (warning,) = connector.told.warnings
    assert "no machine tool of OPC 40501" in warning


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"user": "operator", "password": "wrong"}, r"refuses us .*; give a user and a password"),
        ({"name": "stranger"}, "does not trust our certificate"),
    ],
)
def test_who_is_refused_is_told_why_at_once(server, certificates, options, sentence):
    with pytest.raises(ConnectorError, match=sentence):
        asyncio.run(open_connector(server.address, who(certificates, **options)).offered())


def test_a_variable_that_we_may_not_read_is_named_at_once(server, certificates):
    connector = open_connector(server.address, who(certificates, items=("nsu=urn:test:node;s=secret",)))
    with pytest.raises(ConnectorError, match="does not let us read nsu=urn:test:node;s=secret; ask"):
        asyncio.run(until(connector, lambda seen: False))
