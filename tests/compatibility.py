# SPDX-License-Identifier: LGPL-2.1-or-later
"""Analyze every document at hand with every FreeCAD at hand, and write docs/compatibility.md.

A cell is a result in a few words or the one sentence that was said instead. The exit code is 1 when any run did
something else: left with another code than 0 or 3, showed a traceback, said nothing or too much, or changed or
added a file.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data" / "fcstd"
CACHE = Path(os.environ.get("CAMTWIN_CACHE") or Path.home() / ".cache" / "camtwin")
PAGE = ROOT / "docs" / "compatibility.md"

#: What was done on which system; (what, Linux, Windows, macOS).
RAN, TYPES, SIMULATED = "ran", "types only", "types; its branch ran on Linux with what Windows would answer"
SYSTEMS = (
    ("the whole package", RAN, TYPES, TYPES),
    ("FreeCAD's child process: started and ended with all that it started", RAN, SIMULATED, TYPES),
    ("Ctrl-C and SIGTERM end a recording cleanly", RAN, SIMULATED, TYPES),
    ("how much memory is free", RAN, SIMULATED, TYPES),
    ("a result that another program has open", "does not occur", SIMULATED, "does not occur"),
    ("names of files and folders with blanks and letters beyond ASCII", RAN, TYPES, TYPES),
    ("programs with CRLF line ends keep them", RAN, TYPES, TYPES),
    ("output to a console with an eight-bit code page", "ran with cp1252", TYPES, TYPES),
    ("LinuxCNC's connector and virtual controller", RAN, "Linux only", "Linux only"),
)


@dataclass(frozen=True)
class Outcome:
    """What one analysis of one document came to."""

    words: str
    analyzed: bool
    breaches: tuple[str, ...]


def documents() -> Iterator[tuple[str, Path]]:
    """Yield each document once, with the name it has on the page: those of this repository, then those beside it."""
    seen = set()
    for home in (ROOT / "examples", ROOT / "tests" / "data", DATA):
        for path in sorted(home.rglob("*.[fF][cC][sS]td")):
            content = path.read_bytes()
            if content in seen:
                continue
            seen.add(content)
            yield str(path.relative_to(DATA if home == DATA else ROOT)), path


def freecads() -> dict[str, str]:
    """Return the version of every FreeCAD of this machine and the program that starts it without a window."""
    found = {}
    for program in ("freecadcmd", *sorted(str(path) for path in (CACHE / "bin").glob("freecadcmd-*"))):
        ask = "import os, FreeCAD; print('is', *FreeCAD.Version()[:3], flush=True); os._exit(0)"
        environment = {**os.environ, "LC_ALL": "C.UTF-8"}
        said = subprocess.run(
            [program, "-c", ask], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=environment
        ).stdout
        versions = [line.split()[1:] for line in said.splitlines() if line.startswith("is ")]
        if versions:
            found[".".join(versions[0])] = program
    return found


def folder_state(path: Path) -> dict[str, str]:
    """Return the names and hashes of all files beside a document, itself among them."""
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in path.parent.iterdir() if p.is_file()}


def analyze(document: Path, program: str, job: str | None = None) -> Outcome:
    """Run the command line on one document, job by job, and judge what it did."""
    before = folder_state(document)
    call = [".venv/bin/camtwin", "--quiet", "--freecad", program, "analyze", str(document), "--json", "-"]
    call += [] if job is None else ["--job", job]
    ended = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    breaches = [] if folder_state(document) == before else ["files changed"]
    if "Traceback" in ended.stdout + ended.stderr:
        breaches.append("a traceback was shown")
    if ended.returncode == 0:
        analysis = json.loads(ended.stdout)
        outcomes = [Outcome(result_words(analysis), True, tuple(breaches))]
        if job is None:
            outcomes += [analyze(document, program, other) for other in other_jobs(analysis)]
        return Outcome("; ".join(o.words for o in outcomes), True, tuple(b for o in outcomes for b in o.breaches))
    sentence = " ".join(ended.stderr.split()).replace(str(document), document.name).replace(str(ROOT), "")
    if ended.returncode != 3:
        breaches.append(f"exit code {ended.returncode}")
    if not sentence.startswith("camtwin: ") or len(sentence) > 400:
        breaches.append(f"not one sentence ({len(ended.stderr)} characters)")
    return Outcome(sentence.removeprefix("camtwin: ")[-400:], False, tuple(breaches))


def other_jobs(analysis: dict[str, list[str]]) -> list[str]:
    """Return the further jobs of the document, which the analysis of its first one names."""
    told = [warning for warning in analysis["warnings"] if warning.startswith("The document has more jobs")]
    return re.findall(r"'([^']+)'", " ".join(told))


def result_words(analysis: dict[str, object]) -> str:
    """Say in a few words what an analysis found."""
    operations = analysis["operations"]
    toolpath = analysis["toolpath"]
    assert isinstance(operations, list)
    assert isinstance(toolpath, dict)
    removed = float(str(analysis["removed_volume"] or 0)) / 1000
    unknown = sorted({word for operation in operations for word in operation["unknown"]})
    many = "" if len(operations) == 1 else "s"
    words = f"{analysis['job']}: {len(operations)} operation{many}, {toolpath['moves']} moves, {removed:.3g} cm³"
    return words + (f" (not known: {', '.join(unknown)})" if unknown else "")


def page(versions: list[str], rows: dict[str, list[Outcome]]) -> str:
    """Return the whole page."""
    outcomes = [outcome for row in rows.values() for outcome in row]
    analyzed = sum(outcome.analyzed for outcome in outcomes)
    lines = [
        "# Documents and FreeCAD versions",
        "",
        f"`make compatibility` writes this page: it runs `camtwin analyze` on {len(rows)} real documents in"
        f" {len(versions)} versions of FreeCAD, {len(outcomes)} runs. {analyzed} runs gave a result,"
        f" {len(outcomes) - analyzed} gave one sentence with the reason why not. No run may recompute, save or change a"
        " document: the bytes of every document and its folder are compared before and after.",
        "",
        f"| document | {' | '.join(versions)} |",
        "|" + "---|" * (len(versions) + 1),
    ]
    for name, row in rows.items():
        cells = [cell(outcome) for outcome in row]
        if len(set(cells)) == 1 and len(cells) > 1:
            cells[1:] = ["the same"] * (len(cells) - 1)
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *systems()]) + "\n"


def systems() -> list[str]:
    """Return the section that tells what ran on Linux, Windows and macOS, and what was only checked."""
    return [
        "## Operating systems",
        "",
        "All tests run on Linux (Debian 12). **Neither Windows nor macOS has run any of this code.** For both,"
        " `make lint` checks the types of the whole package with the standard library of that system"
        " (`mypy --platform win32` and `--platform darwin`); this finds functions that the system does not have, not"
        " functions that behave differently there. `tests/cli/test_portability.py` runs the rest on Linux.",
        "",
        "| what | Linux | Windows | macOS |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in SYSTEMS),
    ]


def cell(outcome: Outcome) -> str:
    """Return an outcome as a table's cell."""
    words = outcome.words if outcome.analyzed else f"*{outcome.words}*"
    broken = f" **{'; '.join(outcome.breaches)}**" if outcome.breaches else ""
    return (words + broken).replace("|", "\\|")


def main() -> int:
    """Write the page; return 1 when anything happened that must not."""
    programs = freecads()
    if not programs:
        print("no FreeCAD is found: run make roots, or install freecad", file=sys.stderr)
        return 1
    rows = {}
    for name, path in documents():
        with ThreadPoolExecutor(2) as pool:
            rows[name] = list(pool.map(analyze, [path] * len(programs), programs.values()))
        print(name, "; ".join(word for outcome in rows[name] for word in outcome.breaches), flush=True)
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(list(programs), rows), encoding="utf-8")
    breaches = sum(bool(outcome.breaches) for row in rows.values() for outcome in row)
    print(f"{len(rows)} documents, {len(programs)} versions, {breaches} breaches: {PAGE.relative_to(ROOT)}")
    return 1 if breaches or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
