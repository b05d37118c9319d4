# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads MTConnect documents: readings, items, or an error (MTConnect parts 1 to 3, any version).

An item is named by its data item's id. One with three numbers, such as a path position, is three items: id.X, id.Y,
id.Z. A time series becomes one reading per number, the last of them at the stated time. Documents with a DOCTYPE are
refused: no agent sends one, and entities can make a small document large.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lxml import etree

from freecad_camtwin.connectors.readings import MOST_NUMBERS, Reading, seconds_of, value_of
from freecad_camtwin.twin.signals.discovery import Item

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


class NoMtconnectError(ValueError):
    """The bytes are not an MTConnect document."""


@dataclass(frozen=True, slots=True)
class Document:
    """A document's root and the values of its header."""

    root: etree._Element
    kind: str  #: MTConnectStreams, MTConnectDevices, MTConnectError …
    instance: str  #: changes when the agent is restarted
    next: int | None  #: sequence to ask for next
    simulated: bool  #: the agent's testIndicator

    @property
    def errors(self) -> tuple[tuple[str, str], ...]:
        """The codes and texts of an error document; since version 2.6 an error's code is its element's name."""
        if self.kind != "MTConnectError":
            return ()
        above = self.root.find("{*}Errors")
        return tuple(
            (element.get("errorCode") or _CAPITAL.sub("_", _name(element)).upper(), _words(element))
            for element in (self.root if above is None else above)
            if _name(element) not in ("", "Header")
        )


def _words(element: etree._Element) -> str:
    return (element.findtext("{*}ErrorMessage") or element.text or "").strip()


def read_document(data: bytes) -> Document:
    """Read a document. NoMtconnectError if the bytes are not an MTConnect document."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data.strip(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NoMtconnectError("no XML") from error
    kind = etree.QName(root).localname
    header = root.find("{*}Header")
    tree: Any = root.getroottree()
    if tree.docinfo.doctype or not kind.startswith("MTConnect") or header is None:
        raise NoMtconnectError("no MTConnect document")
    sequence = header.get("nextSequence", "")
    return Document(
        root,
        kind,
        header.get("instanceId", ""),
        int(sequence) if sequence.isascii() and sequence.isdigit() and len(sequence) < 20 else None,
        header.get("testIndicator") == "true",
    )


def xml_readings(document: Document, words: frozenset[str] = frozenset()) -> Iterator[Reading]:
    """Yield the readings of a Streams document; events and the items ``words`` are words, even if they are numbers."""
    for component in document.root.iter("{*}ComponentStream"):
        for group in component:
            category = _name(group)
            for element in group if category in {"Samples", "Events", "Condition"} else ():
                item, at = element.get("dataItemId"), seconds_of(element.get("timestamp", ""))
                if item and at is not None and isinstance(element.tag, str):
                    yield from _observed(element, category, item, at, words)


def _observed(element: etree._Element, category: str, item: str, at: float, words: frozenset[str]) -> Iterator[Reading]:
    text = (element.text or "").strip()
    if category == "Condition":
        yield at, item, _condition(element, text)
    elif len(element):
        for entry in element.iter("{*}Entry"):
            yield at, f"{item}.{entry.get('key')}", (entry.text or "").strip()
    elif text == "UNAVAILABLE":
        yield at, item, None
        if category == "Samples" and _name(element).endswith("Position"):
            yield from ((at, f"{item}.{axis}", None) for axis in "XYZ")
    elif category == "Events" or item in words:
        yield at, item, text
    elif _name(element).endswith("TimeSeries"):
        yield from _series(element, item, at, text)
    else:
        yield from _sample(item, at, text)


def _sample(item: str, at: float, text: str) -> Iterator[Reading]:
    parts = text.split(maxsplit=3)
    if len(parts) == 3:
        for axis, part in zip("XYZ", parts, strict=True):
            yield at, f"{item}.{axis}", value_of(part)
    else:
        yield at, item, value_of(text)


def _series(element: etree._Element, item: str, at: float, text: str) -> Iterator[Reading]:
    rate = value_of(element.get("sampleRate", ""))
    numbers = text.split(maxsplit=MOST_NUMBERS)
    if not isinstance(rate, float) or not rate > 0 or len(numbers) > MOST_NUMBERS:
        return
    for index, number in enumerate(numbers):
        yield at - (len(numbers) - 1 - index) / rate, item, value_of(number)


def _condition(element: etree._Element, text: str) -> str | None:
    level = _name(element).upper()
    if level == "UNAVAILABLE":
        return None
    return " ".join(filter(None, (level, element.get("nativeCode"), text)))


def items(document: Document) -> Iterator[Item]:
    """Yield the items of a Devices document."""
    for element in document.root.iter("{*}DataItem"):
        name, kind = element.get("id"), element.get("type", "")
        if not name:
            continue
        place = " ".join(filter(None, (*_component(element), element.get("coordinateSystem"))))
        unit, sub = element.get("units", ""), element.get("subType", "")
        if unit.endswith("_3D"):
            for axis in "XYZ":
                plain = kind.removeprefix("PATH_") if kind == "PATH_POSITION" else kind
                yield Item(f"{name}.{axis}", plain, unit.removesuffix("_3D"), sub, f"Linear {axis} {place}")
        else:
            yield Item(name, kind, unit, sub, place)


def _component(element: etree._Element) -> tuple[str, str]:
    """Return kind and name of the component that a data item belongs to."""
    above = element.getparent()
    owner = above.getparent() if above is not None else None
    return ("", "") if owner is None else (_name(owner), owner.get("name", ""))


def _name(element: etree._Element) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
