# SPDX-License-Identifier: LGPL-2.1-or-later
"""What notifications of an OPC UA subscription become, whatever stands in them."""

from datetime import UTC, datetime

import numpy as np
import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary, variant_from_binary, variant_to_binary

from freecad_camtwin.connectors.opcua.nodes import name_of, node_of
from freecad_camtwin.connectors.opcua.transport import harden
from freecad_camtwin.connectors.opcua.values import Gatherer
from freecad_camtwin.connectors.protocol import Told
from freecad_camtwin.twin.signals.observation import GAP, Samples
from observing import numbers, words

BEGAN = 1767225600
NAMES = ("x", "power", "program")


def value(said, at, code=0, kind=None):
    moment = datetime.fromtimestamp(BEGAN + at, UTC)
    return ua.DataValue(ua.Variant(said, kind), ua.StatusCode(code), SourceTimestamp=moment)


def message(sequence, *told):
    """Return a message of (handle, value), as it comes out of its bytes."""
    items = [ua.MonitoredItemNotification(ClientHandle=handle, Value=said) for handle, said in told]
    made = ua.NotificationMessage(SequenceNumber=sequence)
    if items:
        made.NotificationData = [ua.DataChangeNotification(MonitoredItems=items)]
    return struct_from_binary(ua.NotificationMessage, ua.utils.Buffer(struct_to_binary(made)))


def gatherer(words=frozenset()):
    """Return one whose items have told their first values."""
    told = Told()
    made = Gatherer(NAMES, words, told)
    first = list(made.take(message(1, (0, value(0.0, -9)), (1, value(0.0, -8)), (2, value("A", -7)))))
    assert not any(isinstance(each, Samples) for each in first)
    return made, told


def test_what_is_told_at_the_same_time_is_a_row():
    made, _ = gatherer()
    times = np.arange(10) / 1000
    said = [(0, value(float(at), at)) for at in times] + [(1, value(7.0, at)) for at in times]
    (block,) = made.take(message(2, *said))
    assert block.items == ("x", "power")
    np.testing.assert_allclose(block.time, BEGAN + times, atol=1e-6)
    np.testing.assert_array_equal(block.values, np.column_stack([times, np.full(10, 7.0)]))


def test_a_row_that_comes_in_several_messages_is_told_when_it_is_whole():
    made, _ = gatherer()
    assert list(made.take(message(2, (0, value(1.0, 1.0))), more=True)) == []
    (block,) = made.take(message(3, (1, value(2.0, 1.0))))
    np.testing.assert_array_equal(block.values, [[1.0, 2.0]])


def test_what_is_older_than_rows_that_were_told_holds_from_now_on():
    made, _ = gatherer()
    list(made.take(message(2, (0, value(1.0, 5.0)))))
    seen = list(made.take(message(3, (1, value(80.0, 2.0)), (0, value(2.0, 6.0)))))
    assert words(seen, "power") == ["80.0"]
    assert numbers(seen, "x")[1] == [2.0]


def test_a_clock_that_is_set_back_goes_on_in_rows():
    made, _ = gatherer()
    list(made.take(message(2, (0, value(1.0, 100.0)), (1, value(1.0, 100.0)))))
    first = list(made.take(message(3, (0, value(2.0, 100.1)), (0, value(3.0, 10.0)), (1, value(3.0, 10.0)))))
    then = list(made.take(message(4, (0, value(4.0, 10.1)), (1, value(4.0, 10.1)))))
    assert numbers(first + then, "x")[1] == [3.0, 2.0, 4.0]
    assert numbers(first + then, "power")[1] == [3.0, 4.0]


def test_a_message_that_did_not_come_is_a_gap_and_a_sign_of_life_is_none():
    made, told = gatherer()
    assert list(made.take(message(2))) == []
    assert list(made.take(message(2))) == []
    assert not words(made.take(message(2, (0, value(1.0, 1.0)))), GAP)
    (gap,) = words(made.take(message(5, (0, value(1.0, 2.0)))), GAP)
    assert gap == "2 messages of the subscription did not come"
    assert told.dropped == {"message that did not come": 2}


def test_a_queue_that_overflowed_is_a_gap():
    made, told = gatherer()
    seen = list(made.take(message(2, (1, value(1.0, 1.0, code=0x480)), (0, value(1.0, 1.0, code=0x480)))))
    assert words(seen, GAP) == ["the server's queue of power overflowed"]
    assert numbers(seen, "power")[1] == [1.0]
    assert told.dropped == {"overflow of the server's queue": 2}


def test_arrays_booleans_and_localized_texts_are_what_they_mean():
    made, _ = gatherer()
    said = [(0, value([1.5, 2.5], 1.0)), (1, value(True, 1.0)), (2, value(ua.LocalizedText("B"), 1.0))]
    seen = list(made.take(message(2, *said)))
    assert numbers(seen, "x[1]")[1] == [2.5]
    assert numbers(seen, "power")[1] == [1.0]
    assert words(seen, "program") == ["B"]


def test_a_number_that_is_a_name_is_told_as_a_word():
    made, _ = gatherer(words=frozenset({"program"}))
    seen = list(made.take(message(2, (2, value(1001, 1.0, kind=ua.VariantType.Int32)))))
    assert words(seen, "program") == ["1001"]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (ua.EUInformation(), "value of type EUInformation"),
        (b"\x80\x04pickled", "value of type bytes"),
        ([0.0] * 65, "array too long"),
        ("x" * 10_001, "text too long"),
        (float("inf"), "no number"),
        (ua.NodeId(1, 0), "value of type NodeId"),
    ],
)
def test_what_is_neither_number_nor_word_is_dropped_and_counted(said, reason):
    made, told = gatherer()
    seen = list(made.take(message(2, (0, value(said, 1.0)), (99, value(1.0, 1.0)), (1, value(1.0, 1.0)))))
    assert words(seen, "x") == [None]
    assert numbers(seen, "power")[1] == [1.0]
    assert told.dropped[reason] == 1
    assert told.dropped["item that was not asked for"] == 1


@pytest.mark.parametrize("node", [ua.NodeId("Spindle;Load=1", 2), ua.NodeId(4711, 1), ua.NodeId(2258, 0)])
def test_the_name_of_a_node_finds_it_again_where_namespaces_have_other_numbers(node):
    namespaces = ["http://opcfoundation.org/UA/", "urn:100%;a", "urn:mill"]
    renumbered = [namespaces[0], "urn:new", namespaces[2], namespaces[1]]
    name = name_of(node, namespaces)
    assert node_of(name, namespaces) == node
    found = node_of(name, renumbered)
    assert found.Identifier == node.Identifier
    assert renumbered[found.NamespaceIndex] == namespaces[node.NamespaceIndex]


def test_an_array_of_nothing_is_refused_before_it_fills_the_memory():
    harden()
    bomb = bytes([0x80]) + (2**31 - 1).to_bytes(4, "little")  # elements of type Null take no bytes
    with pytest.raises(ua.UaError, match="array of nothing"):
        variant_from_binary(ua.utils.Buffer(bomb))
    assert variant_from_binary(ua.utils.Buffer(variant_to_binary(ua.Variant([1.5, 2.5])))).Value == [1.5, 2.5]
