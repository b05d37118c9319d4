# SPDX-License-Identifier: LGPL-2.1-or-later
"""MTConnect over MQTT: converts the Streams document in JSON, version 2, as agents publish it, into readings.

Items have the same names as over HTTP: the data item's id, for positions with .X, .Y and .Z.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from freecad_camtwin.connectors.readings import MOST_NUMBERS, Reading, number_of, seconds_of, value_of


class JsonObservation(Struct, rename="camel"):
    """One observation."""

    data_item_id: str
    timestamp: str
    value: float | str | bool | list[Any] | dict[str, Any] | None = None
    native_code: str = ""
    sample_rate: float = 0.0


class Component(Struct, rename="pascal"):
    """The observations of a component, by category and by type."""

    samples: dict[str, list[JsonObservation]] = {}
    events: dict[str, list[JsonObservation]] = {}
    condition: dict[str, list[JsonObservation]] = {}


class Device(Struct, rename="pascal"):
    """The components of a device."""

    component_stream: list[Component] = []


class Streams(Struct, rename="pascal"):
    """The devices of a document."""

    device_stream: list[Device] = []


class StreamsHeader(Struct, rename="camel"):
    """The document's header."""

    test_indicator: bool = False


class StreamsDocument(Struct, rename="pascal"):
    """A Streams document."""

    header: StreamsHeader
    streams: Streams


def read_streams(value: object) -> StreamsDocument:
    """Read a decoded document; msgspec.ValidationError if it is not a Streams document."""
    return msgspec.convert(value, StreamsDocument)


def json_readings(document: StreamsDocument, words: frozenset[str]) -> Iterator[Reading]:
    """Yield the readings of a document; events and the items ``words`` are words, even if they look like numbers."""
    for component in (each for device in document.streams.device_stream for each in device.component_stream):
        for kind, each in _pairs(component.samples):
            yield from _words(each) if each.data_item_id in words else _sample(kind, each)
        for _, each in _pairs(component.events):
            yield from _words(each)
        for kind, each in _pairs(component.condition):
            yield from _condition(kind, each)


def _pairs(group: dict[str, list[JsonObservation]]) -> Iterator[tuple[str, JsonObservation]]:
    return ((kind, each) for kind, observations in group.items() for each in observations)


def _sample(kind: str, each: JsonObservation) -> Iterator[Reading]:
    at, item, value = seconds_of(each.timestamp), each.data_item_id, each.value
    if at is None:
        return
    if isinstance(value, list) and each.sample_rate > 0:
        last = len(value) - 1
        for index, number in enumerate(value[:MOST_NUMBERS]):
            yield at - (last - index) / each.sample_rate, item, _number(number)
    elif isinstance(value, list) and len(value) == 3:
        for axis, number in zip("XYZ", value, strict=True):
            yield at, f"{item}.{axis}", _number(number)
    else:
        yield at, item, _number(value)
        if value == "UNAVAILABLE" and kind.endswith("Position"):
            yield from ((at, f"{item}.{axis}", None) for axis in "XYZ")


def _number(value: object) -> float | str | None:
    if isinstance(value, str):
        return value_of(value)
    return number_of(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _words(each: JsonObservation) -> Iterator[Reading]:
    at, value = seconds_of(each.timestamp), each.value
    if at is None:
        return
    if isinstance(value, dict):
        for key, entry in value.items():
            yield at, f"{each.data_item_id}.{key}", _text(entry)
    else:
        yield at, each.data_item_id, _text(value)


def _condition(kind: str, each: JsonObservation) -> Iterator[Reading]:
    at = seconds_of(each.timestamp)
    if at is not None:
        text = each.value if isinstance(each.value, str) else ""
        condition = " ".join(filter(None, (kind.upper(), each.native_code, text)))
        yield at, each.data_item_id, None if kind == "Unavailable" else condition


def _text(value: object) -> str | None:
    """Return a value as the agent writes it in XML."""
    if value is None or value == "UNAVAILABLE":
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return msgspec.json.encode(value).decode()
