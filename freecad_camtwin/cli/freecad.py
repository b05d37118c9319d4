# SPDX-License-Identifier: LGPL-2.1-or-later
"""The FreeCAD child: found, asked, and always ended; its failure becomes one sentence.

A request is a JSON file, the answer another; ``document/child.py`` describes both.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from freecad_camtwin.cli.child_process import crash_name, end_with_children
from freecad_camtwin.cli.process import fresh_home, last_line, run_process, start
from freecad_camtwin.errors import CamTwinError, DocumentError, FreeCADError, InputError
from freecad_camtwin.twin.job.job import Job

#: The names under which distributions install the program without a window.
NAMES = ("freecadcmd", "FreeCADCmd", "freecadcmd-daily", "freecad.cmd", "FreeCADCmd.exe")

#: Where it lies when it is not on PATH.
PLACES = (
    "/usr/bin/freecadcmd",
    "/usr/lib/freecad/bin/FreeCADCmd",
    "/usr/local/bin/FreeCADCmd",
    "/snap/bin/freecad.cmd",
    "/opt/freecad/bin/FreeCADCmd",
    "/Applications/FreeCAD.app/Contents/Resources/bin/freecadcmd",
    "C:/Program Files/FreeCAD 1.1/bin/FreeCADCmd.exe",
    "C:/Program Files/FreeCAD 1.0/bin/FreeCADCmd.exe",
    "C:/Program Files/FreeCAD 0.20/bin/FreeCADCmd.exe",
)

CHILD = Path(__file__).resolve().parent.parent / "document" / "child.py"

#: The longest that a child may take [s]; CAMTWIN_TIMEOUT overrides it.
TIMEOUT = 600.0
_POLL = 0.005

_ERRORS: dict[str, type[CamTwinError]] = {
    kind.__name__: kind for kind in (*CamTwinError.__subclasses__(), *InputError.__subclasses__())
}


@dataclass(frozen=True)
class FreeCAD:
    """One FreeCAD installation."""

    program: str

    @classmethod
    def find(cls, said: str | None = None) -> Self:
        """Return the FreeCAD that the user names, here or in CAMTWIN_FREECAD, or the first one found.

        Raises FreeCADError, which tells how to get one.
        """
        said = said or os.environ.get("CAMTWIN_FREECAD")
        if said:
            found = shutil.which(said)
            if found is None:
                raise FreeCADError(f"there is no FreeCAD at {said}: name its freecadcmd with --freecad PATH.")
            return cls(found)
        for name in (*NAMES, *PLACES):
            found = shutil.which(name)
            if found is not None:
                return cls(found)
        raise FreeCADError(
            "documents need FreeCAD 0.20, 1.0 or 1.1, and no freecadcmd is found: install FreeCAD, or name it with "
            "--freecad PATH or CAMTWIN_FREECAD. Posted programs need none."
        )

    def version(self) -> str:
        """Ask for the version, such as ``1.0.0``."""
        question = "import os, FreeCAD; print('is', '.'.join(FreeCAD.Version()[:3]), flush=True); os._exit(0)"
        with fresh_home() as home:
            try:
                printed = run_process([self.program, "-c", question], home, timeout=60.0)
            except subprocess.TimeoutExpired as error:
                raise FreeCADError(f"{self.program} does not start: it did not answer within 60 s") from error
        answer = re.search(r"^is ([\d.]+)", printed, re.MULTILINE)
        if answer is None:
            raise FreeCADError(f"{self.program} does not start: {last_line(printed)}")
        return answer.group(1)

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send one request to a child of its own and return the answer; see ``Session.ask``."""
        with self.session() as session:
            return session.ask(request)

    def read(self, document: Path, job: str | None = None, *, bare: bool = False) -> Job:
        """Read a job in a child of its own; see ``Session.read``."""
        with self.session() as session:
            return session.read(document, job, bare=bare)

    @contextmanager
    def session(self) -> Iterator["Session"]:
        """Start a child that answers requests until the block ends; then it is ended, whatever it does."""
        with fresh_home() as home:
            session = Session(self, home)
            try:
                yield session
            finally:
                session.close()

    def name(self) -> str:
        """The program and its version, for a sentence."""
        try:
            return f"{self.program}, version {self.version()}"
        except FreeCADError:
            return self.program


class Session:
    """One FreeCAD child, which answers requests in the order in which they come.

    Starting FreeCAD and importing its CAM workbench takes longer than most requests.
    """

    def __init__(self, freecad: FreeCAD, home: Path) -> None:
        self._freecad, self._home = freecad, home
        self._requests = 0
        self._output = home / "output.txt"
        with self._output.open("wb") as output:
            self._child = start([freecad.program, str(CHILD)], home, {"CAMTWIN_CHILD": "1"}, output)

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send a request and return its answer; what the child raised on purpose is raised here.

        Raises FreeCADError where the child crashes, or does not answer within CAMTWIN_TIMEOUT seconds.
        """
        return self.begin(request)()

    def begin(self, request: Mapping[str, Any]) -> Callable[[], dict[str, Any]]:
        """Send a request; return a function that waits for its answer, to be called at most once."""
        self._requests += 1
        question, answer = (self._home / f"{kind}-{self._requests}.json" for kind in ("request", "answer"))
        question.write_text(json.dumps({**request, "answer": str(answer)}), encoding="utf-8")
        with suppress(OSError):  # it has crashed: whoever waits for the answer is told
            self._child.stdin.write(f"{question}\n".encode())  # type: ignore[union-attr]  # it is a pipe
            self._child.stdin.flush()  # type: ignore[union-attr]
        return lambda: self._answer(answer, request)

    def read(self, document: Path, job: str | None = None, *, bare: bool = False) -> Job:
        """Read a job from its stored paths: the one called ``job``, or the first that can be read.

        ``bare`` leaves out feeds that were laid over its operations.
        """
        from freecad_camtwin.twin.job.job_file import load_job

        with tempfile.TemporaryDirectory(prefix="camtwin-") as folder:
            target = Path(folder) / "job.npz"
            words = {"action": "read", "document": str(document.absolute()), "output": str(target)}
            entries = self.ask({**words, "job": job, "bare": bare})["jobs"]
            chosen = next((entry for entry in entries if "file" in entry), None)
            if chosen is None:
                raise DocumentError(entries[0]["error"])
            found = load_job(chosen["file"])
        others = [f"'{entry['label']}'" for entry in entries if entry is not chosen]
        if others:
            sentence = f"The document has more jobs: {', '.join(others)}; choose one with --job."
            found = replace(found, warnings=(*found.warnings, sentence))
        return found

    def close(self) -> None:
        """End the child: it leaves when no more requests can come; if it does not, it is killed."""
        with suppress(OSError):
            self._child.stdin.close()  # type: ignore[union-attr]
        try:
            self._child.wait(timeout=2.0 if self._requests else 0.0)
        except subprocess.TimeoutExpired:
            end_with_children(self._child)

    def _answer(self, answer: Path, request: Mapping[str, Any]) -> dict[str, Any]:
        timeout = float(os.environ.get("CAMTWIN_TIMEOUT", TIMEOUT))
        until = time.monotonic() + timeout
        while not answer.is_file():
            if self._child.poll() is not None and not answer.is_file():
                raise FreeCADError(f"{self._end()} Its last line: {self._last_line()}")
            if time.monotonic() > until:
                end_with_children(self._child)
                raise FreeCADError(
                    f"FreeCAD ({self._freecad.program}) did not answer within {timeout:g} s and was ended; "
                    "CAMTWIN_TIMEOUT sets another limit."
                )
            time.sleep(_POLL)
        result: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        if "error" not in result:
            return result
        kind = _ERRORS.get(result.get("kind", ""))
        if kind is None:
            raise FreeCADError(
                f"FreeCAD ({self._freecad.name()}) failed over {request.get('document')}: {result['error']}"
            )
        raise kind(result["error"])

    def _end(self) -> str:
        code = self._child.returncode
        if crash := crash_name(code):
            return f"FreeCAD ({self._freecad.name()}) crashed with {crash}."
        return f"FreeCAD ({self._freecad.name()}) ended with code {code} and without an answer."

    def _last_line(self) -> str:
        return last_line(self._output.read_text(encoding="utf-8", errors="replace"))
