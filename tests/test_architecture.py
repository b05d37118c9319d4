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
COMPILES = {"jit.py", "jit_fast.py"}  # decide where compiled kernels lie and how they are made, and so know more


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
    kernels = [path for path in sources("kernels") if path.name not in COMPILES]
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


#: Names that more than one module defines on purpose.
SHARED_NAMES = {
    # What macros call: functions of a job object with the names of the use cases that they call.
    "analyze": {"freecad_camtwin/document/api.py", "freecad_camtwin/twin/analysis/analysis.py"},
    "mend": {"freecad_camtwin/document/api.py", "freecad_camtwin/twin/feeds/mend.py"},
    "plan_feeds": {"freecad_camtwin/document/api.py", "freecad_camtwin/twin/feeds/planner.py"},
    # The entry points of three programs.
    "main": {
        "freecad_camtwin/cli/main.py",
        "freecad_camtwin/connectors/linuxcnc/poller.py",
        "freecad_camtwin/document/child.py",
    },
}

#: How far a chord may lie from its arc: each file states it for its own use.
STATED_PER_FILE = {"CHORD_ERROR"}


def public_names(path):
    """Return the public names that a module defines at its top level.

    Of a kernel these are classes and functions alone: a kernel's file holds all that it is compiled from, so its column
    numbers and array types are its own.
    """
    is_kernel = "kernels" in path.relative_to(ROOT).parts
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and not is_kernel:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def test_each_public_name_is_defined_once():
    homes = {}
    for path in sources("freecad_camtwin", "kernels"):
        for name in public_names(path):
            homes.setdefault(name, set()).add(path.relative_to(ROOT).as_posix())
    shared = {name: modules for name, modules in homes.items() if len(modules) > 1 and name not in STATED_PER_FILE}
    assert shared == SHARED_NAMES


def test_code_spells_optimize_and_analyze_with_z():
    # The command CamTwin_Analyse keeps its name: users' toolbars, shortcuts and recorded macros hold it.
    british = re.compile(r"optimi[s]|(?<!CamTwin_)analy[s](e|ed|ing)\b", re.IGNORECASE)
    found = {}
    for path in sources("freecad_camtwin", "kernels", "tests", "examples"):
        lines = path.read_text(encoding="utf-8").splitlines()
        if words := [match[0] for line in lines for match in british.finditer(line)]:
            found[str(path.relative_to(ROOT))] = words
    assert found == {}
