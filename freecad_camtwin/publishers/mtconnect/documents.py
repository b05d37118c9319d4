# SPDX-License-Identifier: LGPL-2.1-or-later
"""The agent's documents, as text: MTConnect 2.7. Every header of a simulated machine has ``testIndicator``.

Streams documents are written as text and not as a tree: a thousand observations then take a few milliseconds.
"""

import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape, quoteattr

from freecad_camtwin import __version__
from freecad_camtwin.publishers.mtconnect.buffer import Buffer, BufferedObservation
from freecad_camtwin.publishers.mtconnect.model import DataItem, Model

_VERSION = "2.7"
_GROUPS = (("SAMPLE", "Samples"), ("EVENT", "Events"), ("CONDITION", "Condition"))


@dataclass(frozen=True, slots=True)
class Fault:
    """An error in a request: MTConnect's name for it, a text, and the parameter that is wrong."""

    kind: str  #: OutOfRange, InvalidURI, NoDevice …
    text: str
    parameter: tuple[tuple[str, str], ...] = ()  #: name, Value, Minimum, Maximum … as far as known
    asset: str = ""  #: id of an asset that does not exist


class Documents:
    """Writes the documents of one agent."""

    def __init__(self, model: Model, buffer: Buffer) -> None:
        self._model, self._buffer = model, buffer
        self.instance = time.time_ns() // 1000  # new at every start, since sequences begin at 1 again
        self._sender = socket.gethostname() or "camtwin"
        self._tags = self._item_tags()

    def probe(self) -> bytes:
        """Return the Devices document: the machine's data items."""
        more = {"assetBufferSize": 1, "assetCount": 0, "bufferSize": self._buffer.size}
        device = ET.tostring(self._model.device, encoding="unicode")
        return self._document("Devices", more, f"<Devices>{device}</Devices>")

    def assets(self) -> bytes:
        """Return the Assets document, which is empty: this machine has no assets."""
        return self._document("Assets", {"assetBufferSize": 1, "assetCount": 0}, "<Assets/>")

    def error(self, fault: Fault, uri: str) -> bytes:
        """Return the Error document for a request."""
        fields = dict(fault.parameter)
        parameter = ""
        if fields:
            name = fields.pop("name")
            inside = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in fields.items())
            parameter = f"<QueryParameter name={quoteattr(name)}>{inside}</QueryParameter>"
        words = f"<URI>{escape(uri)}</URI><ErrorMessage>{escape(fault.text)}</ErrorMessage>"
        words += f"<AssetId>{escape(fault.asset)}</AssetId>" if fault.asset else ""
        errors = f"<Errors><{fault.kind}>{words}{parameter}</{fault.kind}></Errors>"
        return self._document("Error", {"bufferSize": self._buffer.size}, errors)

    def streams(self, observations: Iterable[BufferedObservation], following: int) -> bytes:
        """Return the Streams document of observations; ``following``: the sequence to ask for next."""
        parts: dict[tuple[int, str], list[str]] = {}
        at, stamp = -1.0, ""
        for each in observations:
            if each.time != at:
                at, stamp = each.time, _stamp(each.time)
            key, begin, end = self._tags[each.item]
            parts.setdefault(key, []).append(_observation(begin, end, each, stamp))
        buffer = self._buffer
        more = {
            "bufferSize": buffer.size,
            "nextSequence": following,
            "firstSequence": buffer.first,
            "lastSequence": max(buffer.next - 1, buffer.first),
        }
        name, uuid = quoteattr(self._model.name), quoteattr(self._model.spoken.uuid)
        inside = "".join(self._components(parts))
        device = f"<DeviceStream name={name} uuid={uuid}>{inside}</DeviceStream>"
        return self._document("Streams", more, f"<Streams>{device}</Streams>")

    def _components(self, parts: Mapping[tuple[int, str], list[str]]) -> Iterable[str]:
        for index, (kind, name) in enumerate(self._places):
            groups = "".join(
                f"<{element}>{''.join(parts[index, category])}</{element}>"
                for category, element in _GROUPS
                if (index, category) in parts
            )
            if not groups:
                continue
            identity = "device" if kind == "Device" else f"{kind.lower()}-{name}"
            name = self._model.name if kind == "Device" else name
            yield f'<ComponentStream component="{kind}" componentId="{identity}" name={quoteattr(name)}>'
            yield f"{groups}</ComponentStream>"

    def _item_tags(self) -> list[tuple[tuple[int, str], str, str]]:
        """Return component and category of each item, and the begin and end of its observations' elements."""
        self._places = list(dict.fromkeys(item.component for item in self._model.items))
        return [((self._places.index(item.component), item.category), *_tags(item)) for item in self._model.items]

    def _document(self, kind: str, more: Mapping[str, int], inside: str) -> bytes:
        space = f"urn:mtconnect.org:MTConnect{kind}:{_VERSION}"
        header: dict[str, object] = {
            "creationTime": _stamp(time.time()),
            "sender": self._sender,
            "instanceId": self.instance,
            "version": f"{_VERSION}.0.0",
            "deviceModelChangeTime": _stamp(self.instance / 1e6),
            **more,
        }
        if self._model.spoken.simulated:
            header["testIndicator"] = "true"
        attributes = " ".join(f"{key}={quoteattr(str(value))}" for key, value in header.items())
        comment = f"<!-- CAM Twin {__version__}: {escape(self._model.description).replace('--', '- -')} -->"
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n{comment}\n'
            f'<MTConnect{kind} xmlns="{space}"><Header {attributes}/>{inside}</MTConnect{kind}>\n'
        ).encode()


def _tags(item: DataItem) -> tuple[str, str]:
    attributes = f'dataItemId="{item.id}" name="{item.id}"'
    if item.category == "CONDITION":
        return f'{attributes} type="SYSTEM"', ""
    if item.sub_type:
        attributes += f" subType={quoteattr(item.sub_type)}"
    return f"<{item.element} {attributes}", f"</{item.element}>"


def _observation(begin: str, end: str, each: BufferedObservation, stamp: str) -> str:
    if end:
        return f'{begin} sequence="{each.sequence}" timestamp="{stamp}">{escape(each.text)}{end}'
    level, _, words = each.text.partition(" ")
    element = level.capitalize()
    if element not in {"Normal", "Warning", "Fault", "Unavailable"}:
        element, words = "Fault", each.text
    if element in {"Warning", "Fault"}:  # several conditions of one item are distinguished by their text
        begin += f" conditionId={quoteattr(words[:50])}"
    return f'<{element} {begin} sequence="{each.sequence}" timestamp="{stamp}">{escape(words)}</{element}>'


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
