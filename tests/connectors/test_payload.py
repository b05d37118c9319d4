# SPDX-License-Identifier: LGPL-2.1-or-later
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from freecad_camtwin.connectors.mqtt.payload import MAGIC, PayloadError, decode, encode_batch, rows_of
from freecad_camtwin.twin.signals.observation import Event, Samples
from observing import numbers, words

NOW = 1767225600.0
PAYLOADS = Path(__file__).parent.parent / "data/mtconnect/agent-2.7-mqtt_payloads.txt"


def said(topic, payload, **options):
    observations, _ = decode(
        topic, payload if isinstance(payload, bytes) else msgspec.json.encode(payload), NOW, **options
    )
    return observations


blocks = st_numpy.arrays(
    np.float64, st.tuples(st.integers(0, 20), st.integers(0, 5)), elements=st.floats(allow_infinity=False)
).map(lambda values: Samples(NOW + np.arange(len(values)), tuple("abcde"[: values.shape[1]]), values))


@given(blocks, st.booleans())
def test_what_is_encoded_is_decoded(block, simulated):
    for payload in (
        encode_batch(block, simulated=simulated),
        msgspec.json.encode(rows_of(block, simulated=simulated)),
        msgspec.msgpack.encode(rows_of(block, simulated=simulated)),
    ):
        (found,), says_simulated = decode("t", payload, 0.0)
        assert says_simulated == simulated
        assert found.items == block.items
        np.testing.assert_array_equal(found.time, block.time)
        np.testing.assert_array_equal(found.values, block.values)


@given(
    st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(MAGIC.__add__), st.text(max_size=60).map(str.encode))
)
def test_any_bytes_are_said_or_refused(payload):
    try:
        found = said("t", payload)
    except PayloadError:
        return
    for each in found:
        assert not isinstance(each, Samples) or np.isfinite(each.time).all()


@pytest.mark.parametrize("value", ["mill", None, True, -1, 2.5, b"bytes"])
def test_messagepack_is_an_object_or_a_list_and_nothing_smaller(value):
    # A single byte of text, such as 'ÿ' in an old encoding, is a number or a word to MessagePack.
    with pytest.raises(PayloadError, match="neither text nor JSON nor MessagePack"):
        said("t", msgspec.msgpack.encode(value))


@given(blocks.filter(lambda block: block.values.size), st.data())
def test_a_cut_batch_is_refused(block, data):
    payload = encode_batch(block)
    with pytest.raises(PayloadError):
        said("t", payload[: data.draw(st.integers(4, len(payload) - 1))])


json_values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
)


@given(st.dictionaries(st.sampled_from(["schema", "MTConnectStreams", "time", "a"]), json_values))
def test_any_object_is_said_or_refused(value):
    try:
        found = said("t", value)
    except PayloadError:
        return
    for each in found:
        assert math.isfinite(each.time if isinstance(each, Event) else each.time.sum())


@pytest.mark.parametrize("payload", [b"{" * 100_000, b'{"a":' * 50_000 + b"1" + b"}" * 50_000, b"\x91" * 100_000])
def test_objects_within_objects_are_refused(payload):
    with pytest.raises(PayloadError):
        said("t", payload)


def test_a_type_that_only_messagepack_knows_is_refused():
    event = {"dataItemId": "a", "timestamp": "2026-01-01T00:00:00Z", "value": {"k": msgspec.msgpack.Ext(5, b"x")}}
    streams = {"DeviceStream": [{"ComponentStream": [{"Events": {"E": [event]}}]}]}
    with pytest.raises(PayloadError, match="no MTConnect document"):
        said("t", msgspec.msgpack.encode({"MTConnectStreams": {"Header": {}, "Streams": streams}}))


@pytest.mark.parametrize(
    "rows",
    [
        {"time": [NOW], "items": ["a"], "values": [[1.0, 2.0]]},
        {"time": [NOW, NOW], "items": ["a"], "values": [[1.0]]},
        {"time": [-1.0], "items": ["a"], "values": [[1.0]]},
        {"time": [1000 * NOW], "items": ["a"], "values": [[1.0]]},
        {"time": [NOW], "items": ["a"], "values": [[1.0]], "words": [[1000 * NOW, "state", "ACTIVE"]]},
        {"time": [NOW], "items": ["a", "a"], "values": [[1.0, 2.0]]},
        {"time": [NOW], "items": ["a"], "values": [["1.0"]]},
        {"time": [NOW], "items": ["a"], "values": [[1.0]], "code": "import os"},
        {"time": [NOW], "items": ["a"], "values": [[1.0], [2.0]]},
    ],
)
def test_rows_that_do_not_fit_are_refused(rows):
    with pytest.raises(PayloadError):
        said("t", {"schema": "camtwin.rows/1"} | rows)


def test_a_power_plug_that_knows_nothing_of_us_is_understood():
    found = said(
        "tele/plug/SENSOR", {"Time": "2026-01-01T02:00:00", "ENERGY": {"Power": 431, "On": True, "Factor": None}}
    )
    assert numbers(found, "tele/plug/SENSOR/ENERGY/Power") == ([NOW], [431])  # its clock has no zone: arrival counts
    assert words(found, "tele/plug/SENSOR/ENERGY/On") == ["true"]
    assert words(found, "tele/plug/SENSOR/ENERGY/Factor") == [None]


@pytest.mark.parametrize("time", [1e9, 1e12, 1e15, 1e18, "2001-09-09T01:46:40Z", "2001-09-09T03:46:40+02:00"])
def test_a_sensor_with_a_clock_is_believed(time):
    assert numbers(said("s", {"ts": time, "watt": 12}), "s/watt") == ([1e9], [12])


@pytest.mark.parametrize(
    ("payload", "value"), [(b"12.5", 12.5), (b" -3 ", -3.0), (b"\xe2\x82\xac 5", "€ 5"), (b"nan", None)]
)
def test_a_bare_payload_is_a_number_or_a_word(payload, value):
    (found,) = said("s", payload)
    assert (found.values[0, 0] if isinstance(found, Samples) else found.value) == value


@pytest.mark.parametrize("value", [{"a": b"bytes"}, [msgspec.msgpack.Ext(5, b"code")], {"a": {1: {2: b""}}}])
def test_what_is_neither_number_nor_word_is_refused(value):
    with pytest.raises(PayloadError, match="neither numbers nor words"):
        said("t", msgspec.msgpack.encode(value))


def test_a_program_with_a_number_for_a_name_is_a_word():
    assert words(said("program", b"1001", words=frozenset({"program"})), "program") == ["1001"]
    assert words(said("program", b"1001.5", words=frozenset({"program"})), "program") == ["1001.5"]


def test_what_is_not_finite_is_unknown():
    block = Samples(np.array([NOW]), ("a", "b"), np.array([[np.inf, 1.0]]))
    (found,) = said("t", encode_batch(block, "f4"))
    np.testing.assert_array_equal(found.values, [[np.nan, 1.0]])


def test_the_documents_of_the_real_agent_are_understood():
    told = {}
    for line in PAYLOADS.read_text().splitlines():
        topic, payload = line.split(" ", 1)
        told[topic] = said(topic, payload.encode())
    okuma = told["MTConnect/Sample/OKUMA.123456"]
    assert words(okuma, "Lpexecution") == ["PROGRAM_COMPLETED", "READY"]
    assert words(okuma, "Lfmode") == ["PROCESS_DEVELOPMENT"]
    loads = numbers(okuma, "LYS1load")[1]
    assert loads[:4] == [0, 1, 0, 1]
    expected = PAYLOADS.read_text().count('"dataItemId":"LYS1load"')
    assert len(loads) == expected
    state = said("MTConnect/Current/OKUMA.123456", PAYLOADS.read_text().splitlines()[1].split(" ", 1)[1].encode())
    assert all(isinstance(each, Event) for each in state)
    assert told["MTConnect/Sample/Mazak"] == []
