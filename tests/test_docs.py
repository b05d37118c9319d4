# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the pages name exists: files, folders, functions, imports, and the pages that they link."""

import ast
import re
import tomllib
from itertools import product
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
#: CHANGELOG.md is not among them: it names what is gone.
PAGES = sorted([*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "examples" / "README.md"])
#: A path on a page is written from here.
BASES = (ROOT, ROOT / "freecad_camtwin")
#: Pages that name functions as module:function, below freecad_camtwin/ or kernels/.
NAMING = ("life-of-a-move.md", "life-of-a-sample.md", "threads.md")

_PATH = re.compile(r"`([\w./{},*-]+(?:\.py|/))`")
_OURS = re.compile(r"^(?:freecad_camtwin|kernels|tests|docs|examples|\.ci|gui|document|cli|report|live|virtual_machine"
                   r"|publishers|connectors|store|twin|base|job|shop|signals|cut|cycle_time|analysis|feeds|package"
                   r"|alignment|runs|[\w*]+\.py)\b")  # fmt: skip
_NAME = re.compile(r"`([a-z_]\w*(?:\.\w+)*):([A-Za-z_]\w*(?:\.\w+)*)`")
_LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)")
_IMPORT = re.compile(r"^\s*from (freecad_camtwin[\w.]*|camtwin_kernels[\w.]*) import ([\w, ]+)", re.MULTILINE)


def by_name(page):
    return str(page.relative_to(ROOT))


def spelled_out(path):
    """Return every path that a path with braces, such as ``twin/{job,cut}/``, stands for."""
    parts = re.split(r"\{([^}]*)\}", path)
    choices = [part.split(",") if at % 2 else [part] for at, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]


def module_file(name):
    below = name.replace(".", "/")
    bases = [ROOT, ROOT / "kernels", ROOT / "freecad_camtwin"]
    places = [base / f"{below}{end}" for base in bases for end in (".py", "/__init__.py")]
    return next((place for place in places if place.is_file()), None)


def defined(body, name):
    """Return whether a module's or class's body defines a dotted name; what it imports counts, too."""
    first, _, rest = name.partition(".")
    for node in ast.walk(ast.Module(body=body, type_ignores=[])) if not rest else body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.name == first:
            return not rest or defined(node.body, rest)
        if rest:
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == first:
            return True
        if isinstance(node, ast.alias) and (node.asname or node.name) == first:
            return True
    return False


def missing_name(module, name):
    file = module_file(module)
    if file is None:
        return True
    is_module = module_file(f"{module}.{name}") is not None
    return not is_module and not defined(ast.parse(file.read_text(encoding="utf-8")).body, name)


def anchors(page):
    """Return the anchors of a page's headings, as they are made from their words."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=by_name)
def test_every_file_or_folder_that_a_page_names_exists(page):
    text = page.read_text(encoding="utf-8")
    named = {path for found in _PATH.findall(text) for path in spelled_out(found) if _OURS.match(path)}
    if page.name == "recipes.md":
        named -= set(re.findall(r"New file `([^`]+)`", text))
    gone = {path for path in named if not any(list(base.glob(path)) for base in (*BASES, page.parent))}
    assert gone == set()


@pytest.mark.parametrize("page", [page for page in PAGES if page.name in NAMING], ids=by_name)
def test_every_function_that_a_page_names_exists(page):
    names = _NAME.findall(page.read_text(encoding="utf-8"))
    assert names
    assert [f"{module}:{name}" for module, name in names if missing_name(module, name)] == []


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "recipes.md"], ids=by_name)  # it is followed
def test_every_import_on_a_page_works(page):
    found = _IMPORT.findall(page.read_text(encoding="utf-8"))
    pairs = [(module, name) for module, names in found for name in re.split(r", *", names.strip())]
    assert [pair for pair in pairs if missing_name(*pair)] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=by_name)
def test_every_page_that_a_page_links_exists(page):
    links = [link for link in _LINK.findall(page.read_text(encoding="utf-8")) if "://" not in link[0]]
    targets = [(page.parent / file if file else page, anchor) for file, anchor in links]
    assert [str(file) for file, _ in targets if not file.exists()] == []
    assert [f"{file.name}#{anchor}" for file, anchor in targets if anchor and anchor not in anchors(file)] == []


def test_the_index_of_the_docs_names_every_page():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    linked = {(ROOT / "docs" / file).resolve() for file, _ in _LINK.findall(index)}
    assert {page for page in PAGES if page.parent.name == "docs" and page.name != "README.md"} <= linked


def test_the_page_on_the_architecture_draws_the_layers_that_the_contracts_hold():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers, floors = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = re.findall(r"^    (freecad_camtwin/\w+)(?:/|\.py) ", page, re.MULTILINE)
    assert [layer.replace("/", ".") for layer in drawn] == layers
    table = re.findall(r"^\| (\d+) \| `twin/(\w+)/` \|", page, re.MULTILINE)
    expected = [set(re.split(r" [|:] ", floor)) for floor in floors]
    numbers = sorted({int(number) for number, _ in table}, reverse=True)
    assert numbers == list(range(len(floors), 0, -1))
    assert [{folder for at, folder in table if int(at) == number} for number in numbers] == expected
