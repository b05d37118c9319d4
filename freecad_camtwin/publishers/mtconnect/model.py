# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machine as MTConnect describes it: a device, its components, their data items (part 2, version 2.7).

The name of an item is the data item's id, so that a client of this agent finds the same items. Items without a
supported MTConnect type are left out; ``Model.left_out`` names them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from freecad_camtwin.errors import ProfileError
from freecad_camtwin.publishers.protocol import Spoken
from freecad_camtwin.twin.signals import units
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.signal_map import QUANTITIES

#: CAM Twin's unit → MTConnect's unit, and the factor between them.
_UNITS = {
    "mm": ("MILLIMETER", 1.0), "mm/s": ("MILLIMETER/SECOND", 1.0), "mm/s²": ("MILLIMETER/SECOND^2", 1.0),
    "%": ("PERCENT", 1.0), "W": ("WATT", 1.0), "A": ("AMPERE", 1.0), "N": ("NEWTON", 1.0),
    "N·mm": ("NEWTON_METER", 1e-3), "1/min": ("REVOLUTION/MINUTE", 1.0), "°C": ("CELSIUS", 1.0), "": ("", 1.0),
}  # fmt: skip
#: Types whose numbers are samples; other types are events.
_SAMPLES = {
    "POSITION", "PATH_FEEDRATE", "LOAD", "ROTARY_VELOCITY", "WATTAGE", "AMPERAGE", "TORQUE", "LINEAR_FORCE",
    "TEMPERATURE", "ACCELERATION",
}  # fmt: skip
_WHOLE = {"LINE_NUMBER", "TOOL_NUMBER", "PART_COUNT"}
_SUB_TYPES = {
    "POSITION": "ACTUAL",
    "PATH_FEEDRATE": "ACTUAL",
    "ROTARY_VELOCITY": "ACTUAL",
    "LINE_NUMBER": "ABSOLUTE",
    "PATH_FEEDRATE_OVERRIDE": "PROGRAMMED",
}
#: Words that the standard allows for a type.
_WORDS = {
    "EXECUTION": {
        "READY", "ACTIVE", "INTERRUPTED", "FEED_HOLD", "STOPPED", "OPTIONAL_STOP", "PROGRAM_STOPPED",
        "PROGRAM_COMPLETED", "WAIT",
    },
    "CONTROLLER_MODE": {"AUTOMATIC", "MANUAL", "MANUAL_DATA_INPUT", "SEMI_AUTOMATIC", "EDIT"},
    "AVAILABILITY": {"AVAILABLE"},
}  # fmt: skip
_ROTARY = {"ROTARY_VELOCITY", "ROTARY_VELOCITY_OVERRIDE", "WATTAGE", "AMPERAGE", "TORQUE", "LOAD", "TEMPERATURE"}
_ON_DEVICE = {"AVAILABILITY", "ASSET_CHANGED", "ASSET_REMOVED", "CONDITION"}
_ID = re.compile(r"[A-Za-z_][\w.-]*", re.A)
_AXIS = re.compile(r"(?:^|[^A-Za-z])([XYZ])(?:$|[^A-Za-z])", re.I)
UNAVAILABLE = "UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class DataItem:
    """One data item."""

    id: str
    type: str
    category: str  #: SAMPLE, EVENT or CONDITION
    sub_type: str
    units: str
    factor: float  #: from the item's unit to MTConnect's
    component: tuple[str, str]  #: kind and id of its component

    @property
    def element(self) -> str:
        """Its element in Streams documents."""
        return "".join(part.capitalize() for part in self.type.split("_"))

    def number(self, value: float) -> str:
        """Return the text of a number, in MTConnect's unit."""
        if value != value:
            return UNAVAILABLE
        converted = value * self.factor
        return str(round(converted)) if self.type in _WHOLE else f"{converted:.10g}"

    def word(self, value: str | None) -> str:
        """Return the text of a word; UNAVAILABLE if the standard does not allow it."""
        allowed = _WORDS.get(self.type)
        if value is None or (allowed is not None and value not in allowed):
            return UNAVAILABLE
        return value


class Model:
    """All data items of a device, and its probe document."""

    def __init__(self, spoken: Spoken) -> None:
        self.spoken = spoken
        self.left_out: list[str] = []  #: names of items that have no data item
        self.name = re.sub(r"[^\w.-]", "_", spoken.name, flags=re.A) or "machine"
        self.items: list[DataItem] = []
        for item in (*_OWN, *spoken.items):
            data_item = _data_item(item)
            if data_item is None or any(other.id == data_item.id for other in self.items):
                self.left_out.append(item.name)
            else:
                self.items.append(data_item)
        self.index = {item.id: index for index, item in enumerate(self.items)}
        self.device = self._device()

    @property
    def description(self) -> str:
        """The text of the device's description."""
        return f"{self.spoken.name}{': simulated, no real machine' if self.spoken.simulated else ''}"

    def _device(self) -> ET.Element:
        """Return the device element without a namespace, so that clients' XPaths need none."""
        device = ET.Element("Device", id="device", name=self.name, uuid=self.spoken.uuid)
        ET.SubElement(device, "Description", manufacturer="CAM Twin").text = self.description
        _declare(device, (item for item in self.items if item.component[0] == "Device"))
        top = ET.SubElement(device, "Components")
        for parent, kinds in (("Axes", ("Linear", "Rotary")), ("Controller", ("Path",))):
            below = dict.fromkeys(item.component for item in self.items if item.component[0] in kinds)
            if not below:
                continue
            above = ET.SubElement(ET.SubElement(top, parent, id=parent.lower(), name=parent), "Components")
            for kind, name in below:
                each = ET.SubElement(above, kind, id=f"{kind.lower()}-{name}", name=name)
                _declare(each, (item for item in self.items if item.component == (kind, name)))
        if not len(top):
            device.remove(top)
        return device


_OWN = (
    Item("asset_changed", "ASSET_CHANGED"),
    Item("asset_removed", "ASSET_REMOVED"),
)


def _declare(component: ET.Element, items: Iterable[DataItem]) -> None:
    declared = ET.Element("DataItems")
    for item in items:
        attributes = {"id": item.id, "name": item.id, "category": item.category, "type": item.type}
        attributes |= {"subType": item.sub_type} if item.sub_type else {}
        attributes |= {"units": item.units} if item.units else {}
        attributes |= {"coordinateSystem": "WORK"} if item.type == "POSITION" else {}
        attributes |= {"type": "SYSTEM"} if item.category == "CONDITION" else {}
        ET.SubElement(declared, "DataItem", attributes)
    if len(declared):
        component.append(declared)


def _data_item(item: Item) -> DataItem | None:
    kind = item.type.upper()
    quantities = {each.standard: each for each in QUANTITIES.values() if each.standard}
    if not _ID.fullmatch(item.name) or kind not in {*quantities, "CONDITION", *(own.type for own in _OWN)}:
        return None
    unit = quantities[kind].unit if kind in quantities else None
    word, factor = _UNITS[unit] if unit else ("", 1.0)
    if unit and item.unit:
        try:
            factor *= units.unit(item.unit, unit).factor
        except ProfileError:
            return None
    category = "CONDITION" if kind == "CONDITION" else "SAMPLE" if kind in _SAMPLES else "EVENT"
    sub_type = item.sub_type.upper() or _SUB_TYPES.get(kind, "")
    return DataItem(item.name, kind, category, sub_type, word, factor, _component(item, kind))


def _component(item: Item, kind: str) -> tuple[str, str]:
    """Return the component of an item: the axis that its component or name states, else the usual one of its type."""
    if kind in _ON_DEVICE:
        return "Device", ""
    axis = _AXIS.search(item.component) or _AXIS.search(item.name.replace("_", " "))
    if kind in {"POSITION", "LINEAR_FORCE"} or (kind == "LOAD" and axis):
        return "Linear", axis[1].upper() if axis else "X"
    return ("Rotary", "S") if kind in _ROTARY else ("Path", "path")
