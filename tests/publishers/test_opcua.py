# SPDX-License-Identifier: LGPL-2.1-or-later
"""The OPC UA publisher in a process of its own, heard by our connector and by asyncua's client."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.crypto.uacrypto import CertProperties

from controllers.opcua import Certificates, Peer
from controllers.opcua_server import ITEMS, NUMBERS, row
from freecad_camtwin.connectors import Options, open_connector
from freecad_camtwin.connectors.opcua.certificates import read_certificates, read_key
from freecad_camtwin.errors import ConnectorError, InputError
from freecad_camtwin.publishers import PublisherOptions, Spoken, open_publisher
from freecad_camtwin.twin.signals.discovery import propose_signals
from freecad_camtwin.twin.signals.observation import GAP, Event, Samples
from freecad_camtwin.twin.signals.signal_map import Meaning
from observing import numbers, until, words

NODE = "nsu=urn:freecad-camtwin:machine;s="
FEED_OVERRIDE = f"{NODE}Machine.Monitoring.Channel.FeedOverride"
PROGRAM = f"{NODE}Machine.Production.ActiveProgram.Name"
PATIENT = Options(patience=60)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    return {name: made.make(name) for name in ("server", "recorder", "stranger")}


@pytest.fixture(scope="module")
def machine():
    with Peer.python("publisher").running() as shown:
        yield shown


@pytest.fixture(scope="module")
def guarded(certificates):
    certificate, key = certificates["server"]
    authority, _ = certificates["recorder"]
    settings = {"user": "setter", "password": "secret", "certificate": certificate, "key": key}
    with Peer.python("publisher", authority=authority, **settings).running() as shown:
        yield shown


def who(certificates, name="recorder", authority="server", **more):
    certificate, key = certificates[name]
    trusted, _ = certificates[authority]
    return Options(patience=60, certificate=certificate, key=key, authority=trusted, **more)


async def heard(connector, shown, asked, enough):
    """Return what a connector hears until it is enough, of what a server tells once it listens."""
    seen = []
    began = asyncio.Event()

    def check(seen):
        if len(words(seen, PROGRAM)) == 1:
            began.set()
        return enough(seen)

    listening = asyncio.create_task(until(connector, check, seen))
    starting = asyncio.create_task(began.wait())
    await asyncio.wait({listening, starting}, return_when=asyncio.FIRST_COMPLETED)
    starting.cancel()
    for each in asked if began.is_set() else ():
        await asyncio.to_thread(shown.tell, **each)
    return await listening


def test_every_row_of_20_numbers_at_1_khz_is_delivered_whole_and_at_its_time(machine):
    connector = open_connector(machine.address, PATIENT)
    asked = [{"words": {"program": "1001"}}, {"rows": 500}, {"words": {"program": "end"}}]
    seen = asyncio.run(heard(connector, machine, asked, lambda seen: "end" in words(seen, PROGRAM)))
    columns = [FEED_OVERRIDE if name == "feed_override" else f"{NODE}{name}" for name in NUMBERS]
    columns[NUMBERS.index("rapid_override")] = f"{NODE}Machine.Monitoring.Channel.RapidOverride"
    blocks = [each for each in seen if isinstance(each, Samples) and columns[0] in each.items]
    assert not any(np.isnan(block.values).any() for block in blocks)
    times = np.concatenate([block.time for block in blocks])
    np.testing.assert_allclose(np.diff(times), 0.001, atol=2e-6)
    expected = np.array([row(number) for number in range(500)])
    for column, name in enumerate(columns):
        np.testing.assert_array_equal(numbers(seen, name)[1], expected[:, column])
    assert words(seen, PROGRAM) == [None, "1001", "end"]
    assert connector.told.simulated
    assert not connector.told.dropped
    assert words(seen, GAP) == []


async def overflowed(machine):
    """Return the status codes of what somebody hears who lets only five values wait for him."""
    codes = []

    async def take(result):
        for part in result.NotificationMessage.NotificationData or ():
            codes.extend(each.Value.StatusCode.value for each in part.MonitoredItems)

    async with Client(machine.address) as client:
        index = await client.get_namespace_index("urn:freecad-camtwin:machine")
        asked = ua.CreateSubscriptionParameters(RequestedPublishingInterval=100, PublishingEnabled=True)
        made = await client.uaclient.create_subscription(asked, take)
        item = ua.MonitoredItemCreateRequest(
            ItemToMonitor=ua.ReadValueId(NodeId=ua.NodeId("x", index), AttributeId=ua.AttributeIds.Value),
            MonitoringMode=ua.MonitoringMode.Reporting,
            RequestedParameters=ua.MonitoringParameters(ClientHandle=1, QueueSize=5),
        )
        items = ua.CreateMonitoredItemsParameters(SubscriptionId=made.SubscriptionId, ItemsToCreate=[item])
        await client.uaclient.create_monitored_items(items)
        said = await asyncio.to_thread(machine.tell, rows=500)
        async with asyncio.timeout(60):
            while not any(codes):
                await asyncio.sleep(0.01)
    return codes, said["dropped"]


def test_a_value_before_which_a_queue_overflowed_says_so(machine):
    codes, dropped = asyncio.run(overflowed(machine))
    assert 0x480 in codes
    assert dropped["values that a listener did not fetch in time"] > 0


def test_what_it_offers_proposes_a_whole_signal_map(machine):
    offered = asyncio.run(open_connector(machine.address, PATIENT).offered())
    units = {item.name: item.unit for item in offered}
    assert units[f"{NODE}power"] == "W"
    assert units[FEED_OVERRIDE] == "%"
    told = {signal.meaning: signal.item for signal in propose_signals(offered).signals.signals}
    axes = {Meaning.POSITION_X: f"{NODE}x", Meaning.POSITION_Y: f"{NODE}y", Meaning.POSITION_Z: f"{NODE}z"}
    load = {Meaning.SPINDLE_POWER: f"{NODE}power", Meaning.LINE_NUMBER: f"{NODE}line"}
    program = {Meaning.PROGRAM: PROGRAM, Meaning.FEED_OVERRIDE: FEED_OVERRIDE}
    assert (axes | load | program).items() <= told.items()


def test_without_certificates_there_is_a_warning(machine):
    connector = open_connector(machine.address, PATIENT)
    asyncio.run(connector.offered())
    (warning,) = connector.told.warnings
    assert "without encryption" in warning


def test_a_word_that_becomes_unknown_and_the_channels_state_are_told(machine):
    connector = open_connector(machine.address, PATIENT)
    asked = [{"words": {"program": "1002", "execution": "ACTIVE"}}, {"words": {"program": None}}]
    seen = asyncio.run(heard(connector, machine, asked, lambda seen: words(seen, PROGRAM)[-2:] == ["1002", None]))
    assert words(seen, f"{NODE}execution")[-1] == "ACTIVE"
    assert numbers(seen, f"{NODE}Machine.Monitoring.Channel.ChannelState")[1] == [0.0]


def test_the_operator_and_a_reader_are_heard_with_the_best_encryption(guarded, certificates):
    for login in ({"user": "setter", "password": "secret"}, {}):
        connector = open_connector(guarded.address, who(certificates, **login))
        assert asyncio.run(connector.offered())
        assert connector.told.warnings == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"user": "setter", "password": "wrong"}, "refuses us .BadUserAccessDenied.; give a user and a password"),
        ({"user": "somebody", "password": "secret"}, "refuses us .BadUserAccessDenied."),
        ({"name": "stranger", "user": "setter", "password": "secret"}, "does not trust our certificate"),
        ({"name": "stranger"}, "does not trust our certificate"),
        ({"authority": "stranger"}, "is not trusted: no authority has signed the certificate CN=server .SHA-256"),
    ],
)
def test_who_is_refused_is_told_why_at_once(guarded, certificates, options, sentence):
    connector = open_connector(guarded.address, who(certificates, **options))
    with pytest.raises(ConnectorError, match=sentence):
        asyncio.run(until(connector, lambda seen: False))


def test_without_a_certificate_a_guarded_machine_is_not_read(guarded):
    with pytest.raises(ConnectorError, match=r"requires encryption .*; give a certificate and its key"):
        asyncio.run(open_connector(guarded.address, Options(user="setter", password="secret")).offered())


def test_a_channel_without_encryption_that_nobody_offered_is_a_dead_end(guarded, monkeypatch):
    async def run():
        client = Client(guarded.address)
        client.set_user("setter")
        client.set_password("secret")
        async with client:
            pass

    # asyncua's client looks first for such an endpoint; somebody with bad intentions would not.
    monkeypatch.setattr(Client, "find_endpoint", staticmethod(lambda endpoints, *_: endpoints[0]))
    with pytest.raises(ua.uaerrors.BadUserAccessDenied):
        asyncio.run(run())


async def written(guarded, certificates, user, writes):
    """Return the answers to what somebody writes."""
    certificate, key = certificates["recorder"]
    client = Client(guarded.address)
    client.application_uri = "urn:test:recorder"
    if user == "reader":
        (client.user_certificate,), client.user_private_key = read_certificates(certificate), read_key(key)
    elif user:
        client.set_user(user)
        client.set_password("secret")
    await client.set_security(SecurityPolicyBasic256Sha256, certificate, CertProperties(key, "pem"))
    async with client:
        index = await client.get_namespace_index("urn:freecad-camtwin:machine")
        nodes = [ua.NodeId(name, index) for name, _ in writes]
        values = [ua.DataValue(ua.Variant(value, ua.VariantType.Double)) for _, value in writes]
        return [each.name for each in await client.uaclient.write_attributes(nodes, values)]


def test_only_the_operator_may_write_and_only_the_feed_override(guarded, certificates):
    override = "Machine.Monitoring.Channel.FeedOverride"
    wishes = [
        (override, 80.0),
        (override, float("nan")),
        ("power", 1.0),
        ("Machine.Monitoring.Channel.RapidOverride", 1.0),
    ]
    answers = asyncio.run(written(guarded, certificates, "setter", wishes))
    assert answers == ["GoodCompletesAsynchronously", "BadOutOfRange", "BadUserAccessDenied", "BadUserAccessDenied"]
    assert guarded.tell(wish=True) == {"name": "feed_override", "value": 80.0, "sender": "setter"}
    assert asyncio.run(written(guarded, certificates, "reader", wishes[:1])) == ["BadUserAccessDenied"]
    with pytest.raises(ua.uaerrors.BadIdentityTokenRejected):
        asyncio.run(written(guarded, certificates, None, wishes[:1]))


def test_node_opcua_hears_every_row_and_may_write_what_the_operator_may(guarded, certificates, tmp_path):
    certificate, key = certificates["recorder"]
    trusted, _ = certificates["server"]
    override = "Machine.Monitoring.Channel.FeedOverride"
    settings = {"url": guarded.address, "policy": "Aes256_Sha256_RsaPss", "names": ["power", "x", override]}
    settings |= {"writes": [override, "x"], "folder": tmp_path}
    client = Peer.node("client.js", certificate=certificate, key=key, trusted=trusted, **settings)
    with client.running():
        guarded.tell(rows=200)
        said = client.tell(count=100)  # every second row says the same, and is no change
    column = NUMBERS.index("power")
    assert [value for _, value in said["heard"][0]] == [row(number)[column] for number in range(0, 200, 2)]
    assert said["unit"] == "W"
    assert said["answers"] == ["GoodCompletesAsynchronously", "BadUserAccessDenied"]


def test_an_operator_without_a_certificate_is_refused_at_the_start():
    spoken = Spoken("Mill", "1", ITEMS, simulated=True)
    with pytest.raises(InputError, match="would be sent unencrypted"):
        open_publisher("opc.tcp://127.0.0.1:0", spoken, PublisherOptions(user="setter", password="secret"))


def test_what_cannot_be_told_is_counted():
    async def run():
        spoken = Spoken("Mill", "1", ITEMS[:1], simulated=True)
        async with open_publisher("opc.tcp://127.0.0.1:0", spoken) as shown:
            await shown.tell(Samples(np.array([np.nan, 1e300, 1.7e9]), ("x", "other"), np.ones((3, 2))))
            await shown.tell(Event(1.7e9, "program", "1001"))
        await shown.tell(Samples.row(1.7e9, {"x": 1.0}))
        return shown.dropped

    assert asyncio.run(run()) == {
        "a time that no clock says": 2,
        "numbers of an item that was not announced": 1,
        "words of an item that was not announced": 1,
        "told while nobody was served": 1,
    }


def test_the_types_of_the_specifications_are_the_foundations():
    folder = Path(open_publisher.__code__.co_filename).parent / "opcua" / "data"
    files = sorted(folder.glob("*.xml"))
    assert len(files) == 6
    for file in files:
        assert "OPC Foundation MIT License 1.00" in file.read_text(encoding="utf-8")[:400]
