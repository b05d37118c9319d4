# SPDX-License-Identifier: LGPL-2.1-or-later
"""What holds the project together and no single module can show: layers, licences, versions, sizes."""

import ast
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import freecad_camtwin

ROOT = Path(__file__).resolve().parent.parent
FREECAD = {"FreeCAD", "FreeCADGui", "Part", "Path", "PathScripts", "PySide", "PySide2", "PySide6", "pivy", "MeshPart"}
KERNELS_MAY_USE = {"numpy", "numba", "math", "collections", "typing", "camtwin_kernels"}
KEEPS_THE_CACHE = "jit.py"  # decides where compiled kernels lie, and so knows files too


def kept_files():
    """Return every file of the repository, as git knows it, whose text is ours."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    names = listed.stdout.split("\0") if listed.returncode == 0 else [str(p.relative_to(ROOT)) for p in walked()]
    files = [ROOT / name for name in names if name and "data/" not in name and not name.startswith("LICENSE")]
    texts = {".py", ".md", ".toml", ".xml", ".svg", ".html", ".css", ".js", ""}
    return sorted(path for path in files if path.is_file() and path.suffix in texts)


def walked():
    """Return the files of a checkout without git, such as an unpacked archive."""
    hidden = {".git", ".venv", "build"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not hidden & set(path.relative_to(ROOT).parts)]


def sources(*folders):
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imported(path):
    """Return the top-level names of all modules that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


def test_only_the_document_and_the_gui_know_freecad():
    below = [path for path in sources("freecad_camtwin") if not {"document", "gui"} & set(path.parts)]
    assert below
    assert {path.name: FREECAD & imported(path) for path in below if FREECAD & imported(path)} == {}


def test_kernels_know_numbers_alone():
    kernels = [path for path in sources("kernels") if path.name != KEEPS_THE_CACHE]
    assert kernels
    strangers = {path.name: imported(path) - KERNELS_MAY_USE for path in kernels}
    assert {name: found for name, found in strangers.items() if found} == {}


def test_everything_below_the_document_imports_where_freecad_is_absent():
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sources("freecad_camtwin")
        if not {"document", "gui"} & set(path.parts)
    ]
    absent = f"""
import sys
for name in {sorted(FREECAD)!r}:
    sys.modules[name] = None  # importing it now fails, as if it were not there
import importlib
for name in {modules!r}:
    importlib.import_module(name)
"""
    ended = subprocess.run([sys.executable, "-c", absent], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def test_one_version_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    addon = ET.parse(ROOT / "package.xml").getroot()
    assert project["version"] == freecad_camtwin.__version__ == addon.findtext("{*}version")


def test_what_the_addon_needs_is_what_the_package_needs():
    # click and rich serve the command line alone, which is not run by FreeCAD's Python.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    package = {re.split(r"[<>=~ ]", need)[0] for need in project["dependencies"]} - {"click", "rich"}
    addon = {need.text for need in ET.parse(ROOT / "package.xml").getroot().findall(".//{*}depend")}
    assert addon == package


@pytest.mark.parametrize("path", kept_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_names_its_licence_and_no_machine(path):
    text = path.read_text(encoding="utf-8")
    code = path.suffix in {".py", ".xml"} or path.name == "Makefile" or path.parent.name == ".ci"
    if code:
        assert "SPDX-License-Identifier: LGPL-2.1-or-later" in "\n".join(text.splitlines()[:2])
    # A folder of one machine, in somebody's home or elsewhere: ours are relative, or begin with ~ or a variable.
    assert re.findall(r"(?<![\w.~}$-])/(?:home|root|work|Users)/\w\S*", text) == []


def test_a_file_fits_in_the_head():
    lines = {
        str(path.relative_to(ROOT)): path.read_bytes().count(b"\n") for path in kept_files() if path.suffix == ".py"
    }
    assert {name: count for name, count in lines.items() if count > 400} == {}
