# SPDX-License-Identifier: LGPL-2.1-or-later
"""Read a document's file before FreeCAD opens it: the FreeCAD version that saved it, and the modules of its proxies.

FreeCAD drops an object's proxy if it cannot import the proxy's module, and reports that in the report view only. The
file still names the module: so CAM Twin can name what was lost, and the FreeCAD version that has it.
"""

import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from freecad_camtwin.errors import DocumentError
from freecad_camtwin.twin.base.archive import DAMAGE, document_fault


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """The data of a document's file."""

    program_version: str | None = None  #: of the FreeCAD that saved it: "0.21R33668 +26 (Git)"
    proxies: dict[str, str] = field(default_factory=dict)  #: module of the proxy, by the object's internal name

    @property
    def wrote(self) -> str:
        """The FreeCAD version that saved it, short: "0.21"."""
        return (self.program_version or "").split("R")[0].strip()


def inspect(path: str | os.PathLike[str]) -> StoredDocument:
    """Read the file's data; DocumentError if it is missing, damaged, or not a FreeCAD document."""
    name = Path(path).name
    try:
        with zipfile.ZipFile(path) as archive:
            if fault := document_fault(archive):
                raise DocumentError(f"{name} {fault}")
            return _read(archive)
    except FileNotFoundError as error:
        raise DocumentError(f"there is no file {path}") from error
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror or error}") from error
    except ElementTree.ParseError as error:
        raise DocumentError(f"{name} is damaged: its Document.xml cannot be read ({error})") from error
    except DAMAGE as error:
        raise DocumentError(f"{name} is not a FreeCAD document, or it is damaged: {error}") from error


def _read(archive: zipfile.ZipFile) -> StoredDocument:
    reader = _Reader()
    parser = ElementTree.XMLParser(target=reader)
    with archive.open("Document.xml") as stream:
        while block := stream.read(1 << 20):
            parser.feed(block)
    parser.close()
    return reader.document


class _Reader:
    """Reads Document.xml tag by tag; the data of the objects follow the list of objects."""

    def __init__(self) -> None:
        self.version: str | None = None
        self.proxies: dict[str, str] = {}
        self._owner = self._property = ""
        self._in_data = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "Document" and self.version is None:
            self.version = attributes.get("ProgramVersion")
        elif tag == "ObjectData":
            self._in_data = True
        elif tag == "Object" and self._in_data:
            self._owner = attributes.get("name", "")
        elif tag == "Property":
            self._property = attributes.get("name", "")
        elif tag == "Python" and self._property == "Proxy" and self._owner and attributes.get("module"):
            self.proxies[self._owner] = attributes["module"]

    def end(self, tag: str) -> None:
        if tag == "Object":
            self._owner = ""

    @property
    def document(self) -> StoredDocument:
        return StoredDocument(self.version, self.proxies)


def needs(modules: list[str], wrote: str) -> str:
    """Return which FreeCAD has the lost ``modules``, in words; ``wrote`` is the version that saved the document."""
    if any(module.startswith("PathScripts.") for module in modules):
        return "FreeCAD 0.20"
    if any(module.startswith("Path.Tool.toolbit") for module in modules):
        return "FreeCAD 1.1 or newer"
    if any(module.startswith("Path.") for module in modules):
        return "FreeCAD 0.21 or newer"
    addon = sorted({module.split(".")[0] for module in modules})
    return f"FreeCAD {wrote} with {', '.join(addon)}".replace("  ", " ")
