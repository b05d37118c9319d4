# SPDX-License-Identifier: LGPL-2.1-or-later
"""Decodes a message: four kinds of payload, distinguished by their first bytes; nothing in them is ever executed.

CAM Twin's rows, in JSON or MessagePack, for machines that publish in this format::

    {"schema": "camtwin.rows/1", "time": [1767225600.0, 1767225600.01], "items": ["x", "power"],
     "values": [[12.5, 431.0], [12.6, null]], "words": [[1767225600.0, "execution", "ACTIVE"]], "simulated": false}

Batches, for more than a thousand rows a second: ``CTB1``, the length of a head in four bytes, the head in MessagePack
({"items": […], "rows": n, "type": "f4" or "f8", "simulated": false}), n times as f8, n·items values; little-endian.

MTConnect's Streams documents in JSON. Any other sensor: a number, a word, or an object of these, whose items are
named by topic and path: plug/ENERGY/Power. If it has a time of its own with a zone, that is used, else its arrival.
"""

import re
import struct
from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec import Struct

from freecad_camtwin.connectors.mqtt import mtconnect_json
from freecad_camtwin.connectors.readings import (
    LAST_SECOND,
    Reading,
    number_of,
    observations,
    seconds_of,
    time_of,
    value_of,
)
from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.signals.observation import Event, Observation, Samples

MAGIC = b"CTB1"
_MOST_ITEMS = 2000
MOST_DEPTH = 8
LONGEST_WORD = 1000
_CLOCKS = ("time", "timestamp", "Time", "Timestamp", "ts")
_ZONED = re.compile(r"(Z|[+-][0-9]{2}:?[0-9]{2})$")


class PayloadError(ValueError):
    """A payload that cannot be used; the text is the reason for which it is dropped."""


class PayloadRows(Struct, forbid_unknown_fields=True):
    """CAM Twin's rows."""

    schema: Literal["camtwin.rows/1"]
    time: list[float]
    items: list[str]
    values: list[list[float | None]]
    words: list[tuple[float, str, str | None]] = []
    simulated: bool = False


class Head(Struct, forbid_unknown_fields=True):
    """The head of a batch."""

    items: list[str]
    rows: int
    type: Literal["f4", "f8"]
    simulated: bool = False


_heads = msgspec.msgpack.Decoder(Head)


def encode_batch(samples: Samples, kind: Literal["f4", "f8"] = "f8", *, simulated: bool = False) -> bytes:
    """Return a block as a batch, with values in four or eight bytes and times always in eight."""
    head = msgspec.msgpack.encode(Head(list(samples.items), len(samples.time), kind, simulated))
    times, values = samples.time.astype("<f8").tobytes(), samples.values.astype(f"<{kind}").tobytes()
    return MAGIC + struct.pack("<I", len(head)) + head + times + values


def rows_of(samples: Samples, words: list[Event] | None = None, *, simulated: bool = False) -> PayloadRows:
    """Return a block and words as CAM Twin's rows, for msgspec's JSON or MessagePack."""
    values = [[None if np.isnan(each) else float(each) for each in row] for row in samples.values]
    events = [(word.time, word.item, word.value) for word in words or ()]
    return PayloadRows("camtwin.rows/1", samples.time.tolist(), list(samples.items), values, events, simulated)


def decode(
    topic: str, payload: bytes, arrival: float, *, words: frozenset[str] = frozenset(), retained: bool = False
) -> tuple[list[Observation], bool]:
    """Return a message's observations, and whether it states that it is simulated. PayloadError if it is invalid.

    Of a retained message without a time only the words are used: its numbers may be old.
    """
    if payload.startswith(MAGIC):
        return _batch(payload)
    value = _value(payload)
    if isinstance(value, dict) and str(value.get("schema", "")).startswith("camtwin."):
        return _rows(value)
    if isinstance(value, dict) and "MTConnectStreams" in value:
        return _streams(topic, value["MTConnectStreams"], words)
    if isinstance(value, dict) and any(str(key).startswith("MTConnect") for key in value):
        return [], False  # devices and assets are not observations
    return _plain(topic, value, None if retained else arrival, arrival, words), False


def _value(payload: bytes) -> Any:
    try:
        if payload[:1] and (0x80 <= payload[0] <= 0x9F or 0xDC <= payload[0] <= 0xDF):
            return msgspec.msgpack.decode(payload)
        if payload.lstrip()[:1] in (b"{", b"[", b'"'):
            return msgspec.json.decode(payload)
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise PayloadError("neither text nor JSON nor MessagePack") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise PayloadError("damaged JSON or MessagePack") from error
    if not text.strip() or len(text) > LONGEST_WORD or not text.strip().isprintable():
        raise PayloadError("neither text nor JSON nor MessagePack")
    return value_of(text)


def _batch(payload: bytes) -> tuple[list[Observation], bool]:
    start = len(MAGIC) + 4
    length = int.from_bytes(payload[len(MAGIC) : start], "little")
    try:
        head = _heads.decode(payload[start : start + length])
    except (msgspec.MsgspecError, ValueError) as error:
        raise PayloadError("damaged batch") from error
    at, columns, width = start + length, len(head.items), int(head.type[1])
    if not 0 <= columns <= _MOST_ITEMS or head.rows < 0 or len(payload) != at + head.rows * (8 + columns * width):
        raise PayloadError("damaged batch")
    time = np.frombuffer(payload, "<f8", head.rows, at)
    values = np.frombuffer(payload, f"<{head.type}", head.rows * columns, at + 8 * head.rows)
    return [_block(time, head.items, values.reshape(head.rows, columns))], head.simulated


def _rows(value: dict[str, Any]) -> tuple[list[Observation], bool]:
    try:
        rows = msgspec.convert(value, PayloadRows)
        size = len(rows.time), len(rows.items)
        matrix = np.array(rows.values, np.float64) if size[0] else np.empty(size)
    except (msgspec.ValidationError, ValueError, OverflowError) as error:
        raise PayloadError("rows that do not fit") from error
    if matrix.shape != size or size[1] > _MOST_ITEMS:
        raise PayloadError("rows that do not fit")
    if any(time_of(at) is None for at, _, _ in rows.words):
        raise PayloadError("words without a time")
    events = [Event(*word) for word in rows.words]
    block = _block(np.array(rows.time), rows.items, matrix)
    return [*events, block] if size[0] or not events else [*events], rows.simulated


def _block(time: Any, items: list[str], values: Any) -> Samples:
    """Make a block with valid times; numbers that are not finite become NaN."""
    if len(set(items)) < len(items):
        raise PayloadError("an item told twice in a row")
    if len(time) and not (time.min() >= 0 and time.max() < LAST_SECOND):
        raise PayloadError("rows without a time")
    with np.errstate(invalid="ignore"):
        numbers = np.array(values, np.float64)
    known = np.isfinite(numbers)
    if not known.all():
        numbers[~known] = np.nan
    try:
        return Samples(np.array(time), tuple(items), numbers)
    except InputError as error:
        raise PayloadError("rows that do not fit") from error


def _streams(topic: str, value: Any, words: frozenset[str]) -> tuple[list[Observation], bool]:
    try:
        document = mtconnect_json.read_streams(value)
        readings = list(mtconnect_json.json_readings(document, words))
    except (msgspec.ValidationError, OverflowError, TypeError) as error:  # TypeError: MessagePack's own types
        raise PayloadError("no MTConnect document") from error
    if "/Current/" in topic:  # the state, much of it older: known, but not samples
        ordered = sorted(readings, key=lambda reading: reading[0])
        state = [Event(at, item, repr(each) if isinstance(each, float) else each) for at, item, each in ordered]
        return list(state), document.header.test_indicator
    return list(observations(readings)), document.header.test_indicator


def _plain(topic: str, value: Any, otherwise: float | None, arrival: float, words: frozenset[str]) -> list[Observation]:
    """Return the observations of any other sensor; ``otherwise``: their time if the message has none."""
    own = _own_time(value)
    at = otherwise if own is None else own
    readings: list[Reading] = []
    for item, each in _leaves(topic, value, 0):
        if isinstance(each, float) and item not in words:
            if at is not None:
                readings.append((at, item, number_of(each)))
        else:
            readings.append((arrival if at is None else at, item, _word(each)))
        if len(readings) > _MOST_ITEMS:
            raise PayloadError("too many items")
    return list(observations(readings))


def _leaves(path: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the numbers and words of an object, each with its path; every number a float."""
    if depth > MOST_DEPTH:
        raise PayloadError("objects within objects")
    if isinstance(value, dict):
        for key, each in value.items():
            if depth or key not in _CLOCKS:
                yield from _leaves(f"{path}/{key}", each, depth + 1)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _leaves(f"{path}/{index}", each, depth + 1)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield path, float(value) if abs(value) < 2**63 else None
    else:
        yield path, value


def _word(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if not isinstance(value, str | None):
        raise PayloadError("neither numbers nor words")
    return value and value[:LONGEST_WORD]


def _own_time(value: Any) -> float | None:
    """Return an object's own time [s since the epoch]: ISO 8601 with a zone, or seconds, or ms, µs or ns."""
    stamp = next((value[key] for key in _CLOCKS if key in value), None) if isinstance(value, dict) else None
    if isinstance(stamp, str):
        return seconds_of(stamp) if _ZONED.search(stamp.strip()) else None
    if isinstance(stamp, bool) or not isinstance(stamp, int | float):
        return None
    for part in (1, 1e3, 1e6, 1e9):  # seconds up to the year 5138, or milliseconds, microseconds, nanoseconds
        if 0 <= stamp < 1e11 * part:
            return stamp / part
    return None
