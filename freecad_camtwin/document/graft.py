# SPDX-License-Identifier: LGPL-2.1-or-later
"""Copy CAM Twin's objects from a freshly saved document into the document as its author saved it.

FreeCAD without windows saves a document without its view data (``GuiDocument.xml``: colors, visibility, icons of
the tree), marks all loaded objects as touched, and converts the data of older versions: 1.1 shows a 0.21 document
as fully transparent after it has saved the rest. So only CAM Twin's own data are taken from the saved file: new
objects, the groups and links that name them, and the properties ``CamTwin…`` of operations. Everything else stays
as the author saved it, and so does the FreeCAD version that the file names.

FreeCAD reads the parts of the archive in sequence, so their order is kept: CAM Twin's parts follow the others.
"""

import zipfile
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from freecad_camtwin.document.properties import MARK

_DOCUMENT, _LOOKS = "Document.xml", "GuiDocument.xml"
_NOTES = "CamTwin"


def graft(source: Path, saved: Path, target: Path) -> None:
    """Write ``source`` with CAM Twin's objects of ``saved`` to ``target``."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(saved) as new:
        old_root, new_root = (ElementTree.fromstring(archive.read(_DOCUMENT)) for archive in (old, new))
        dropped = _drop_own(old_root)
        own = _own_data(new_root)
        files = [name for name in _files(own.values()) if name in new.namelist()]
        _add_objects(old_root, new_root, own)
        _take_over_links_and_notes(old_root, new_root, set(own) | set(dropped))
        stale = {*_files(dropped.values()), *files}
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as out:
            for item in old.infolist():
                if item.filename == _LOOKS:
                    _write_files(out, new, files)
                    files = []
                    out.writestr(item, _without(old.read(item), set(dropped) - set(own)), zipfile.ZIP_DEFLATED)
                elif item.filename == _DOCUMENT:
                    out.writestr(item, _bytes(old_root), zipfile.ZIP_DEFLATED)
                elif item.filename not in stale:
                    out.writestr(item, old.read(item), zipfile.ZIP_DEFLATED)
            _write_files(out, new, files)


def _write_files(out: zipfile.ZipFile, new: zipfile.ZipFile, names: list[str]) -> None:
    for name in names:
        out.writestr(name, new.read(name))


def _section(root: Element, tag: str) -> Element:
    section = root.find(tag)
    return Element(tag) if section is None else section


def _data(root: Element) -> dict[str, Element]:
    return {element.get("name", ""): element for element in _section(root, "ObjectData").findall("Object")}


def _properties(element: Element) -> dict[str, Element]:
    return {item.get("name", ""): item for item in element.findall("Properties/Property")}


def _own_data(root: Element) -> dict[str, Element]:
    """Return the data of CAM Twin's objects, by name."""
    return {name: element for name, element in _data(root).items() if MARK in _properties(element)}


def _files(elements: Iterable[Element]) -> list[str]:
    """Return the parts of the archive that these objects name."""
    return [item.get("file", "") for element in elements for item in element.iter() if item.get("file")]


def _drop_own(root: Element) -> dict[str, Element]:
    """Remove CAM Twin's objects, and return their data by name."""
    own = _own_data(root)
    objects, data = _section(root, "Objects"), _section(root, "ObjectData")
    for element in [*objects]:
        if element.get("name", element.get("Name", "")) in own:
            objects.remove(element)
    for element in own.values():
        data.remove(element)
    _count(root)
    return own


def _add_objects(old: Element, new: Element, own: dict[str, Element]) -> None:
    objects, data = _section(old, "Objects"), _section(old, "ObjectData")
    has_dependencies = objects.get("Dependencies") is not None
    last = len(objects.findall("ObjectDeps"))
    for element in _section(new, "Objects"):
        if element.get("name") in own:
            element.attrib.pop("Touched", None)
            objects.append(element)
        elif element.get("Name") in own and has_dependencies:
            objects.insert(last, element)
            last += 1
    for element in own.values():
        data.append(element)
    _count(old)


def _count(root: Element) -> None:
    objects, data = _section(root, "Objects"), _section(root, "ObjectData")
    objects.set("Count", str(len(objects.findall("Object"))))
    data.set("Count", str(len(data.findall("Object"))))


def _take_over_links_and_notes(old: Element, new: Element, own: set[str]) -> None:
    """Copy CAM Twin's properties of other objects, and links of others that name its objects before or after."""
    fresh = _data(new)
    for name, element in _data(old).items():
        if name in own or name not in fresh:
            continue
        before, after = _properties(element), _properties(fresh[name])
        changed = False
        for item in {*before, *after}:
            one, other = before.get(item), after.get(item)
            if item.startswith(_NOTES) or _links(one) & own or _links(other) & own:
                changed = changed or bool((_links(one) | _links(other)) & own)
                _exchange(element, one, other)
        if changed:
            _exchange_dependencies(old, new, name)


def _links(item: Element | None) -> set[str]:
    return set() if item is None else {link.get("value", "") for link in item.iter("Link")}


def _exchange(owner: Element, old: Element | None, new: Element | None) -> None:
    """Replace a property's content by another's; None: the property does not exist."""
    properties = owner.find("Properties")
    if properties is None:
        return
    if old is not None and new is not None:
        old[:] = new[:]
    elif old is not None:
        properties.remove(old)
    elif new is not None:
        properties.append(new)
    properties.set("Count", str(len(properties.findall("Property"))))


def _exchange_dependencies(old: Element, new: Element, name: str) -> None:
    before, after = (
        next((item for item in _section(root, "Objects").findall("ObjectDeps") if item.get("Name") == name), None)
        for root in (old, new)
    )
    if before is not None and after is not None:
        before[:] = after[:]
        before.set("Count", after.get("Count", "0"))


def _without(looks: bytes, names: set[str]) -> bytes:
    """Return the view data of a document without those of the removed objects."""
    if not any(name.encode() in looks for name in names):
        return looks
    root = ElementTree.fromstring(looks)
    for section in root.iter("ViewProviderData"):
        for element in section.findall("ViewProvider"):
            if element.get("name") in names:
                section.remove(element)
        section.set("Count", str(len(section.findall("ViewProvider"))))
    return _bytes(root)


def _bytes(root: Element) -> bytes:
    return bytes(ElementTree.tostring(root, "utf-8", xml_declaration=True))
