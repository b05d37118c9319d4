# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the documents of tests/data/saved hold, read from their files without FreeCAD."""

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

SAVED = Path(__file__).resolve().parent / "data" / "saved"
DOCUMENTS = {path.parent.name: path for path in sorted(SAVED.glob("*/*.FCStd"))}

#: A twin of 925d4b4 has these, and nothing reads them any more: a document may keep them or not.
MAY_BE_DROPPED = {"KPI", "SignalMap", "Stage"}


def version_of(name):
    """A FreeCAD version that can be compared: (0, 20) for "0.20"."""
    return tuple(int(part) for part in name.split("."))


def read_entry(path, name):
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


def proxies(path, entry):
    """The (module, class) of every Python object of ours that Document.xml or GuiDocument.xml names."""
    tags = ElementTree.fromstring(read_entry(path, entry)).iter("Python")
    return {(tag.get("module"), tag.get("class")) for tag in tags if "camtwin" in tag.get("module", "")}


def properties(path):
    """The values of our properties, by internal name of the object and by name of the property.

    A link is the name of the object that it points at. What holds no plain value, such as a path, is left out.
    """
    objects = {}
    for item in ElementTree.fromstring(read_entry(path, "Document.xml")).find("ObjectData"):
        tags = {tag.get("name"): tag for tag in item.iter("Property")}
        is_ours = "CamTwinKind" in tags  # of an operation, only what we noted on it
        kept = [name for name, tag in tags.items() if name.startswith("CamTwin") or (is_ours and tag.get("group"))]
        values = {name: _value(tags[name]) for name in kept}
        if kept:
            objects[item.get("name")] = {name: value for name, value in values.items() if value is not None}
    return objects


def _value(whole):
    tag = whole[0]
    match tag.tag:
        case "String":
            return tag.get("value")
        case "Bool":
            return tag.get("value") == "true"
        case "Float":
            return float(tag.get("value"))
        case "Integer" if tag.get("CustomEnum"):
            return [choice.get("value") for choice in whole.iter("Enum")][int(tag.get("value"))]
        case "Map":
            return {each.get("key"): each.get("value") for each in tag}
        case "Link":
            return tag.get("value")
        case "LinkList":
            return [each.get("value") for each in tag]
    return None


def commands(path, name):
    """The commands of an object's stored path: [("G1", {"X": 1.0, "F": 20.0}), …], F in mm/s."""
    return [_command(line) for line in read_entry(path, f"{name}.nc").splitlines() if line]


def _command(line):
    name, _, words = (line, "", "") if line.startswith("(") else line.partition(" ")
    return name, {letter: float(number) for letter, number in re.findall(r"([A-Z])(-?[\d.]+)", words)}
