# SPDX-License-Identifier: LGPL-2.1-or-later
"""A scratch copy of the checkout, in which sources are changed and tests run. The checkout itself stays as it is."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_NOT_COPIED = (".git", ".venv", "build", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info")


class Ring(Enum):
    """How tests are run."""

    COMPILED = "compiled"  #: by pytest, with compiled kernels
    PLAIN = "plain"  #: by pytest, with kernels as plain Python, whose lines can be followed
    FREECAD = "freecad"  #: inside FreeCAD, without windows


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run of tests ended."""

    code: int | None  #: None: it was ended, because it took too long
    failed: tuple[str, ...]
    seconds: dict[str, float]  #: of every test that ran
    printed: str


class Tree:
    """One scratch copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(CHECKOUT, folder, ignore=shutil.ignore_patterns(*_NOT_COPIED), symlinks=True)
        (folder / ".venv").symlink_to(CHECKOUT / ".venv")
        shutil.copy(Path(__file__).with_name("inside.py"), folder / "conftest.py")
        shared = CHECKOUT.parent / "shared"
        if shared.is_dir() and not (folder.parent / "shared").exists():
            (folder.parent / "shared").symlink_to(shared)

    def change(self, path: str, source: bytes) -> None:
        """Write a changed source. Its time of change is now, so that no bytecode of the original passes for it."""
        (self.folder / path).write_bytes(source)

    def restore(self, path: str) -> None:
        """Bring a source back, with its time of change."""
        shutil.copy2(CHECKOUT / path, self.folder / path)

    def run(self, ring: Ring, arguments: list[str], timeout: float, **environment: str) -> Ending:
        """Run pytest over what ``arguments`` name."""
        result = self.folder.with_suffix(".result")
        result.unlink(missing_ok=True)
        roots = os.pathsep.join(str(self.folder / name) for name in ("", "kernels", "tests"))
        surroundings = os.environ | {
            "CI": "1",  # hypothesis tries the same examples each time
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": roots,
            "CAMTWIN_MUTANTS_RESULT": str(result),
            **environment,
        }
        if ring is Ring.PLAIN:
            surroundings["NUMBA_DISABLE_JIT"] = "1"
        command = [".venv/bin/python", "-m", "pytest", "-p", "no:cacheprovider"]
        if ring is Ring.FREECAD:
            command = [".ci/freecad", "host", "headless"]
        code, printed = _run([*command, "-q", *arguments], self.folder, surroundings, timeout)
        noted = json.loads(result.read_text()) if result.exists() else {"failed": [], "seconds": {}}
        return Ending(code, tuple(noted["failed"]), noted["seconds"], printed)


def _run(command: list[str], folder: Path, environment: dict[str, str], timeout: float) -> tuple[int | None, str]:
    """Run a command in a session of its own, and end all of it afterwards, or when it takes too long."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        latest = time.monotonic() + timeout
        # It is asked for without being reaped: as long as it is there, nobody else has its number.
        while (ended := os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is None:
            if time.monotonic() > latest:
                break
            time.sleep(0.05)
        _end_session(process.pid)
        code = process.wait()
        output.seek(0)
        return (code if ended else None), output.read()


def _end_session(session: int) -> None:
    """End every process of a session: what a mutant leaves running would take the next one's time."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = status.read_text().rpartition(")")[2].split()
            if int(words[3]) == session:
                os.kill(int(status.parent.name), signal.SIGKILL)
        except (OSError, IndexError):
            continue  # it has ended meanwhile
