# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which tests run a line, and how long each takes: measured once, one folder of tests at a time.

What was measured lies in the user's cache until a source, a helper of the tests or a test of the folder changes.
"""

import ast
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import coverage

from mutants.mutations import Mutation
from mutants.tree import CHECKOUT, Ring, Tree

SOURCES = ("kernels", "freecad_camtwin")
KERNELS = "kernels/camtwin_kernels"
_LONGEST = 3600.0  # s, one folder
#: Sources that a process of its own runs, which no coverage follows, and the source that starts it.
_STARTED_BY = {
    "freecad_camtwin/document/child.py": "freecad_camtwin/cli/freecad.py",
    "freecad_camtwin/document/requests.py": "freecad_camtwin/cli/freecad.py",
    "freecad_camtwin/connectors/linuxcnc/poller.py": "freecad_camtwin/connectors/linuxcnc/controller.py",
}
_SETTINGS = """[run]
parallel = true
data_file = {data}
source =
    {tree}/freecad_camtwin
    {tree}/kernels/camtwin_kernels
# A process that a test starts counts as that test's.
context = ${{PYTEST_CURRENT_TEST-}}
concurrency = thread, multiprocessing
patch = subprocess
disable_warnings = no-data-collected, module-not-measured, module-not-imported, couldnt-parse
"""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of tests, measured."""

    ring: Ring
    seconds: dict[str, float]  #: of every test that passes
    tree: Path  #: the copy in which it was measured
    data: Path


class Map:
    """Which tests run which lines."""

    def __init__(self, folders: list[Folder]) -> None:
        self._data = [(folder, coverage.CoverageData(str(folder.data))) for folder in folders]
        self.seconds: dict[Ring, dict[str, float]] = defaultdict(dict)
        for folder, data in self._data:
            data.read()
            self.seconds[folder.ring].update(folder.seconds)

    def tests(self, ring: Ring, path: str, first: int = 1, last: int = 10**9) -> set[str]:
        """Return the tests that run one of these lines of a source."""
        tests = set()
        for folder, data in self._data:
            if folder.ring is ring:
                for line, contexts in data.contexts_by_lineno(str(folder.tree / path)).items():
                    if first <= line <= last:
                        tests |= {context.partition(" (")[0] for context in contexts}
        return tests & self.seconds[ring].keys()

    def covering(self, ring: Ring, mutation: Mutation) -> set[str]:
        """Return the tests that should notice a mutation, in one ring.

        What runs as a module is imported belongs to no test: there all count that run anything of the module, or
        of those that import it. So they do for compiled kernels, whose lines cannot be followed.
        """
        path = _STARTED_BY.get(mutation.path, mutation.path)
        tests = set() if path != mutation.path else self.tests(ring, path, mutation.first, mutation.last)
        if not tests:
            tests = self._inside(ring, path)
        if not tests:
            tests = set().union(*(self._inside(ring, user) for user in _users(path)))
        return tests

    def _inside(self, ring: Ring, path: str) -> set[str]:
        """Return the tests that run the body of a function of a source."""
        lines = [
            (body.lineno, node.end_lineno or body.lineno)
            for node in ast.walk(ast.parse((CHECKOUT / path).read_bytes()))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            for body in node.body[:1]
        ]
        return set().union(*(self.tests(ring, path, first, last) for first, last in lines))


def _users(path: str) -> set[str]:
    """Return the sources that import a source, by way of other kernels, too, if it is a kernel."""
    users: dict[str, set[str]] = defaultdict(set)
    for source in (file for root in SOURCES for file in sorted((CHECKOUT / root).rglob("*.py"))):
        for node in ast.walk(ast.parse(source.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module:
                for name in (node.module, *(f"{node.module}.{alias.name}" for alias in node.names)):
                    users[name].add(str(source.relative_to(CHECKOUT)))
    complete: set[str] = set()
    waiting = [path]
    while waiting:
        for user in users[_module(waiting.pop())] - complete:
            complete.add(user)
            if user.startswith(KERNELS):
                waiting.append(user)
    return complete


def _module(path: str) -> str:
    return path.removeprefix("kernels/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def measured(trees: list[Tree], rings: Iterable[Ring], only: list[str]) -> Map:
    """Run all tests of these rings, or ``only`` those of some folders, and return what each of them runs."""
    cache = Path(os.environ.get("CAMTWIN_CACHE") or Path.home() / ".cache" / "camtwin") / "mutants"
    cache.mkdir(parents=True, exist_ok=True)
    free: SimpleQueue[Tree] = SimpleQueue()
    for tree in trees:
        free.put(tree)

    def measure(job: tuple[Ring, str]) -> Folder | None:
        tree = free.get()
        try:
            return _measured(tree, cache, *job)
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as pool:
        jobs = [job for ring in rings for job in _jobs(ring) if not only or job[1] in only]
        return Map([folder for folder in pool.map(measure, jobs) if folder is not None])


def _jobs(ring: Ring) -> Iterator[tuple[Ring, str]]:
    """Return the folders of tests, those that take longest first."""
    inside = {Ring.PLAIN: ("tests/kernels",), Ring.FREECAD: ("tests/freecad",)}
    folders = inside.get(ring) or {
        str(test.parent.relative_to(CHECKOUT))
        for test in (CHECKOUT / "tests").rglob("test_*.py")
        if not re.search(r"tests/(freecad|gui|bench|mutants)$", str(test.parent)) and test.parent.name != "tests"
    }
    first = ("tests/cli", "tests/live", "tests/kernels", "tests/controllers/linuxcnc")
    for folder in sorted(folders, key=lambda name: (name not in first, name)):
        yield ring, folder


def _measured(tree: Tree, cache: Path, ring: Ring, folder: str) -> Folder | None:
    place = cache / f"{ring.value}-{folder.replace('/', '-')}-{_key(folder)}"
    if not place.is_dir():
        for old in cache.glob(f"{ring.value}-{folder.replace('/', '-')}-" + "?" * 12):
            shutil.rmtree(old, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".measuring-") as working:
            if not _measure(tree, Path(working), ring, folder):
                return None
            (Path(working) / "done").rename(place)
    noted = json.loads((place / "tests.json").read_text())
    return Folder(ring, noted["seconds"], Path(noted["tree"]), place / "coverage")


def _measure(tree: Tree, working: Path, ring: Ring, folder: str) -> bool:
    """Run the tests of a folder, and put what they run into ``working/done``; False if that fails as a whole."""
    settings = tree.folder.with_suffix(".coveragerc")
    settings.write_text(_SETTINGS.format(data=working / "parts" / "coverage", tree=tree.folder))
    (working / "parts").mkdir()
    only = tree.folder.with_suffix(".coverage")
    only.mkdir(exist_ok=True)
    if not (only / "coverage").exists():
        (only / "coverage").symlink_to(Path(coverage.__file__).parent)
    # Only the tests that stand in this very folder: the folders in it are measured by themselves.
    tests = sorted(str(test.relative_to(CHECKOUT)) for test in (CHECKOUT / folder).glob("test_*.py"))
    choice = ["-m", "not slow"] if ring is Ring.PLAIN else []
    print(f"measuring what {folder} runs ({ring.value})", flush=True)
    ending = tree.run(
        ring,
        [*choice, *tests],
        _LONGEST,
        CAMTWIN_MUTANTS_MAP=str(settings),
        CAMTWIN_MUTANTS_COVERAGE=str(only),
    )
    if not ending.seconds:
        why = ending.printed[-2000:] if ending.code is not None else f"they take longer than {_LONGEST:g} s"
        print(f"{folder} is left out: its tests do not run ({ring.value}): {why}", flush=True)
        return False
    for name in ending.failed:
        print(f"fails without any mutation, and is left out: {name}", flush=True)
    (working / "done").mkdir()
    joined = coverage.CoverageData(str(working / "done" / "coverage"))
    for part in sorted((working / "parts").iterdir()):
        data = coverage.CoverageData(str(part))
        data.read()
        joined.update(data)
    joined.write()
    passed = {name: seconds for name, seconds in ending.seconds.items() if name not in ending.failed}
    (working / "done" / "tests.json").write_text(json.dumps({"tree": str(tree.folder), "seconds": passed}))
    return True


def _key(folder: str) -> str:
    digest = hashlib.sha256()
    files = {file for root in SOURCES for file in (CHECKOUT / root).rglob("*.py")}
    files |= {file for file in (CHECKOUT / "tests").rglob("*.py") if not file.name.startswith("test_")}
    files = {file for file in files if not file.is_relative_to(CHECKOUT / "tests/mutants")}
    for file in sorted({*files, *(CHECKOUT / folder).glob("test_*.py")}):
        digest.update(str(file.relative_to(CHECKOUT)).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
