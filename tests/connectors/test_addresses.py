# SPDX-License-Identifier: LGPL-2.1-or-later
"""Addresses are shown and logged, so no address may hold a password, whatever it leads to."""

import asyncio

import pytest

from controllers.recorded_agent import RecordedAgent
from freecad_camtwin import connectors, publishers
from freecad_camtwin.connectors import Options, open_connector
from freecad_camtwin.connectors.mtconnect.documents import NoMtconnectError, read_document
from freecad_camtwin.errors import InputError
from freecad_camtwin.publishers import Spoken, open_publisher
from freecad_camtwin.twin.signals.observation import Samples
from observing import until

SPOKEN = Spoken("mill", "mill-1", (), simulated=True)


@pytest.mark.parametrize("user", ["me", ""])
@pytest.mark.parametrize("scheme", sorted(connectors._OPENERS))
def test_no_source_is_opened_by_an_address_with_a_password(scheme, user):
    with pytest.raises(InputError, match="holds a password; leave it out, and give it as an option") as caught:
        open_connector(f"{scheme}://{user}:hunter2@mill:4840/shop/#")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("scheme", sorted(publishers._OPENERS))
def test_no_publisher_is_opened_by_an_address_with_a_password(scheme):
    with pytest.raises(InputError, match="holds a password; leave it out, and give it as an option") as caught:
        open_publisher(f"{scheme}://me:hunter2@mill:4840/shop", SPOKEN)
    assert "hunter2" not in str(caught.value)


def test_a_password_is_not_sent_to_an_agent_that_does_not_ask_for_it():
    agent = RecordedAgent()

    async def listen():
        async with agent.running() as url:
            connector = open_connector(url, Options(user="me", password="hunter2", patience=60))
            return await until(connector, lambda seen: any(isinstance(each, Samples) for each in seen))

    asyncio.run(listen())
    assert len(agent.heads) >= 2
    assert not [head for head in agent.heads if "authorization:" in head.lower()]


def test_a_document_with_a_doctype_is_refused_though_it_is_a_whole_one():
    """What a DOCTYPE declares may be expanded without end, or be fetched from elsewhere."""
    whole = b'<MTConnectStreams><Header instanceId="1" nextSequence="7"/><Streams/></MTConnectStreams>'
    assert read_document(b'<?xml version="1.0"?>' + whole).next == 7
    for doctype in (b"<!DOCTYPE MTConnectStreams>", b'<!DOCTYPE a SYSTEM "file:///etc/passwd">'):
        with pytest.raises(NoMtconnectError, match="no MTConnect document"):
            read_document(b'<?xml version="1.0"?>' + doctype + whole)
