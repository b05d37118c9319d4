# SPDX-License-Identifier: LGPL-2.1-or-later
"""``make mutants``: change one thing at a time in a sample of the code, and count the changes that no test notices.

A library does not serve: mutmut mutates no decorated function, which every kernel and property is, and cosmic-ray runs
one command for every mutant, whereas ours need the tests that run the line, kernels as plain Python, or FreeCAD.
"""

import argparse
import hashlib
import json
import os
import tempfile
import time
import tomllib
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue

from mutants.covering import KERNELS, Map, measured
from mutants.mutations import Mutation, mutations
from mutants.tree import CHECKOUT, Ring, Tree

PACKAGES = (
    "kernels",
    "freecad_camtwin/twin",
    "freecad_camtwin/document",
    "freecad_camtwin/live",
    "freecad_camtwin/connectors",
    "freecad_camtwin/publishers",
    "freecad_camtwin/virtual_machine",
)
MOST_PERCENT = 10.0  #: that may survive
LEAST_OF_A_PACKAGE = 12
_PATIENCE = 90.0  # s of tests per mutant and ring: the nearest and quickest come first
_COMPILING = 240.0  # s that compiling all kernels may take
_STARTING = 60.0  # s that pytest or FreeCAD may take to start
_SLOWER = 8.0  # times that the tests may take longer than when they were measured


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one mutant."""

    mutation: Mutation
    killed_by: str | None  #: None if it survived
    tests: int  #: how many may have noticed
    seconds: float
    proof: str | None = None  #: why nothing can tell it from the original, if so


def sample(package: str, count: int, seed: int) -> list[Mutation]:
    """Return ``count`` mutations of a package, no two in one statement.

    A mutation's place in the draw depends on its own words alone: a change of the code elsewhere leaves the sample as
    it is, and a larger sample begins with the smaller one.
    """
    places: dict[str, Mutation] = {}
    for source in sorted((CHECKOUT / package).rglob("*.py")):
        repeated: Counter[str] = Counter()
        for mutation in mutations(str(source.relative_to(CHECKOUT)), source.read_bytes()):
            words = f"{seed} {mutation.path} {mutation.kind} {mutation.before} {mutation.after}"
            repeated[words] += 1
            places[hashlib.sha256(f"{words} {repeated[words]}".encode()).hexdigest()] = mutation
    chosen: dict[tuple[str, int], Mutation] = {}
    for place in sorted(places):
        chosen.setdefault((places[place].path, places[place].first), places[place])
        if len(chosen) == count:
            break
    return list(chosen.values())


def shares(count: int, packages: tuple[str, ...]) -> dict[str, int]:
    """Divide ``count`` among packages by their size, with a least number for each."""
    sizes = {
        package: sum(len(file.read_bytes()) for file in (CHECKOUT / package).rglob("*.py")) for package in packages
    }
    least = min(LEAST_OF_A_PACKAGE, count // len(packages))
    rest = count - least * len(packages)
    divided = {package: least + rest * size // sum(sizes.values()) for package, size in sizes.items()}
    divided[packages[0]] += count - sum(divided.values())
    return divided


class Trial:
    """Tries mutants, as many at once as there are copies of the checkout."""

    def __init__(self, trees: list[Tree], covering: Map, only: list[str], equivalent: list[dict[str, str]]) -> None:
        self._free: SimpleQueue[Tree] = SimpleQueue()
        for tree in trees:
            self._free.put(tree)
        self._map, self._only, self._equivalent = covering, only, equivalent

    def verdict(self, mutation: Mutation) -> Verdict:
        """Run the tests that may notice a mutation until one does."""
        proof = next((known["proof"] for known in self._equivalent if is_same(known, mutation)), None)
        if proof is not None:
            return Verdict(mutation, None, 0, 0.0, proof)
        tree, began = self._free.get(), time.monotonic()
        killed_by, tests = None, 0
        try:
            tree.change(mutation.path, mutation.applied((CHECKOUT / mutation.path).read_bytes()))
            for ring in rings_of(mutation.path):
                chosen = self._only or self._chosen(ring, mutation)
                tests += len(chosen)
                killed_by = killed_by or self._killed_by(tree, ring, mutation, chosen)
        finally:
            tree.restore(mutation.path)
            self._free.put(tree)
        verdict = Verdict(mutation, killed_by, tests, round(time.monotonic() - began, 1))
        print(_line(verdict), flush=True)
        return verdict

    def _chosen(self, ring: Ring, mutation: Mutation) -> list[str]:
        """Return the tests that may notice a mutation: those that run its line, then others of their files.

        The others are there because what several tests share is made in the first of them. Tests of one file stay
        together, and files come first whose name is the source's, then those that are quick.
        """
        seconds = self._map.seconds[ring]
        covering = self._map.covering(ring, mutation)
        if ring is Ring.COMPILED and mutation.path.startswith(KERNELS):
            covering |= {test for test in self._map.covering(Ring.PLAIN, mutation) if test in seconds}
        files: dict[str, list[str]] = defaultdict(list)
        for test in seconds:
            files[test.partition("::")[0]].append(test)
        cost = {file: sum(seconds[test] for test in tests if test in covering) for file, tests in files.items()}
        near = Path(mutation.path).stem
        ordered = sorted(
            (test for file, tests in files.items() if covering.intersection(tests) for test in tests),
            key=lambda test: (
                test not in covering,
                near not in (file := test.partition("::")[0]),
                cost[file],
                file,
                seconds[test],
            ),
        )
        total, within = 0.0, []
        for test in ordered:
            total += seconds[test]
            if total > _PATIENCE and within:
                break
            within.append(test)
        return within

    def _killed_by(self, tree: Tree, ring: Ring, mutation: Mutation, tests: list[str]) -> str | None:
        """Return the test that fails, "timeout", or None. A test counts that fails twice: once may be the machine."""
        allowed = _STARTING + _SLOWER * sum(self._map.seconds[ring].get(test, 1.0) for test in tests)
        environment = {}
        if ring is Ring.COMPILED and mutation.path.startswith(KERNELS):
            allowed += _COMPILING
            environment["CAMTWIN_CACHE"] = str(
                tree.folder.with_suffix(".kernels")
            )  # its machine code is of no use later
        while tests:
            ending = self._run(tree, ring, tests, allowed, environment)
            if ending.code == 0:
                return None
            if ending.code is None:
                return "timeout"
            if not ending.failed or ring is Ring.FREECAD:
                return next(iter(ending.failed), f"exit code {ending.code}")
            failed = ending.failed[0]
            again = self._run(tree, ring, [failed], allowed, environment)
            if again.code != 0:
                return failed
            tests = tests[tests.index(failed) + 1 :] if failed in tests else []
        return None

    def _run(self, tree: Tree, ring: Ring, tests: list[str], allowed: float, environment: dict[str, str]):
        names = tree.folder.with_suffix(".tests")
        names.write_text(json.dumps(tests))
        files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
        chosen = {} if self._only else {"CAMTWIN_MUTANTS_TESTS": str(names)}
        return tree.run(ring, ["-x", *files], allowed, PYTHONDONTWRITEBYTECODE="1", **chosen, **environment)


def rings_of(path: str) -> tuple[Ring, ...]:
    """Return how the tests of a source are run, the quickest first."""
    if path.startswith("kernels/"):
        return Ring.PLAIN, Ring.COMPILED
    if path.startswith("freecad_camtwin/document/"):
        return Ring.COMPILED, Ring.FREECAD
    return (Ring.COMPILED,)


def equivalents() -> list[dict[str, str]]:
    """Return the mutants that are proven to change nothing."""
    noted: list[dict[str, str]] = tomllib.loads(Path(__file__).with_name("equivalent.toml").read_text())["mutant"]
    return noted


def is_same(known: dict[str, str], mutation: Mutation) -> bool:
    """Tell whether a mutation is the one that a proof is about."""
    return all(known[name] == getattr(mutation, name) for name in ("path", "line", "before", "after"))


def _line(verdict: Verdict) -> str:
    mutation = verdict.mutation
    place = f"{mutation.path}:{mutation.first}"
    by = f"killed by {verdict.killed_by}" if verdict.killed_by else f"SURVIVED {verdict.tests} tests"
    return f"{place}: {mutation.before} -> {mutation.after}\n    {by} ({verdict.seconds:.0f} s)"


def _report(verdicts: list[Verdict], seed: int, began: float) -> int:
    """Print the survivors and the rate, write build/mutants.json, and return the exit code."""
    survivors = [verdict for verdict in verdicts if not verdict.killed_by and not verdict.proof]
    proven = [verdict for verdict in verdicts if verdict.proof]
    for verdict in sorted(survivors, key=lambda verdict: (verdict.mutation.path, verdict.mutation.first)):
        print(f"\n{verdict.mutation.path}:{verdict.mutation.first} ({verdict.mutation.kind}), {verdict.tests} tests")
        print(f"    {verdict.mutation.line}\n    - {verdict.mutation.before}\n    + {verdict.mutation.after}")
    percent = 100 * len(survivors) / max(1, len(verdicts))
    noted = {
        "seed": seed,
        "seconds": round(time.monotonic() - began),
        "survived_percent": round(percent, 2),
        "mutants": [asdict(verdict) for verdict in verdicts],
    }
    (CHECKOUT / "build").mkdir(exist_ok=True)
    (CHECKOUT / "build" / "mutants.json").write_text(json.dumps(noted, indent=1))
    print(f"\nproven to change nothing: {len(proven)}")
    print(f"{len(survivors)} of {len(verdicts)}: {percent:.1f} % survived")
    return int(percent > MOST_PERCENT)


def main() -> int:
    """Try a sample, or the survivors of the last one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=160, help="how many mutants")
    parser.add_argument("--package", action="append", choices=PACKAGES, help="only of these packages")
    parser.add_argument("--survivors", action="store_true", help="those that build/mutants.json says survived")
    parser.add_argument(
        "--tests", action="append", default=[], help="run these tests, instead of those that run the line"
    )
    parser.add_argument("--folder", action="append", default=[], help="run tests of these folders only")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    began = time.monotonic()
    if options.survivors:
        last = json.loads((CHECKOUT / "build" / "mutants.json").read_text())["mutants"]
        chosen = [Mutation(**noted["mutation"]) for noted in last if not noted["killed_by"] and not noted["proof"]]
    else:
        packages = shares(options.count, tuple(options.package or PACKAGES))
        chosen = [mutation for package, count in packages.items() for mutation in sample(package, count, options.seed)]
    with tempfile.TemporaryDirectory(prefix="camtwin-mutants-", ignore_cleanup_errors=True) as scratch:
        trees = [Tree(Path(scratch) / f"tree-{at}") for at in range(options.workers)]
        rings = dict.fromkeys(ring for mutation in chosen for ring in rings_of(mutation.path))
        covering = Map([]) if options.tests else measured(trees, rings, options.folder)
        trial = Trial(trees, covering, options.tests, equivalents())
        with ThreadPoolExecutor(len(trees)) as pool:
            verdicts = list(pool.map(trial.verdict, chosen))
    return _report(verdicts, options.seed, began)


if __name__ == "__main__":
    raise SystemExit(main())
