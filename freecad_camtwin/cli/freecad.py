# SPDX-License-Identifier: LGPL-2.1-or-later
"""The FreeCAD child: found, started on one request, and always ended; its failure becomes one sentence.

A request is a JSON file named by CAMTWIN_REQUEST, the answer another; ``document/child.py`` describes both. The child
sees a home of its own, so that no setting of the user's FreeCAD is read or changed.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

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
)

CHILD = Path(__file__).resolve().parent.parent / "document" / "child.py"

#: The longest that a child may take [s]; CAMTWIN_TIMEOUT overrides it.
TIMEOUT = 600.0

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
        with _home() as home:
            ask = "import os, FreeCAD; print('is', '.'.join(FreeCAD.Version()[:3]), flush=True); os._exit(0)"
            ended = self._run(["-c", ask], home, {}, timeout=60.0)
        said = re.search(r"^is ([\d.]+)", ended.stdout, re.MULTILINE)
        if said is None:
            raise FreeCADError(f"{self.program} does not start: {_last_line(ended)}")
        return said.group(1)

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Send one request to a child and return its answer; what it raised on purpose is raised here."""
        timeout = float(os.environ.get("CAMTWIN_TIMEOUT", TIMEOUT))
        with _home() as home:
            answer = home / "answer.json"
            question = home / "request.json"
            question.write_text(json.dumps({**request, "answer": str(answer)}), encoding="utf-8")
            ended = self._run([str(CHILD)], home, {"CAMTWIN_REQUEST": str(question)}, timeout)
            if not answer.is_file():
                raise FreeCADError(f"{self._told(ended)} Its last line: {_last_line(ended)}")
            said: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        if "error" not in said:
            return said
        kind = _ERRORS.get(said.get("kind", ""))
        if kind is None:
            raise FreeCADError(
                f"FreeCAD ({self._version_words()}) failed over {request.get('document')}: {said['error']}"
            )
        raise kind(said["error"])

    def read(self, document: Path, job: str | None = None, *, bare: bool = False) -> Job:
        """Read a job from its stored paths: the one called ``job``, or the first that can be read.

        ``bare`` leaves out feeds that were laid over its operations.
        """
        from freecad_camtwin.twin.job.job_file import load_job

        with tempfile.TemporaryDirectory(prefix="camtwin-") as folder:
            target = Path(folder) / "job.npz"
            words = {"action": "read", "document": str(document.absolute()), "output": str(target)}
            said = self.ask({**words, "job": job, "bare": bare})
            entries = said["jobs"]
            chosen = next((entry for entry in entries if "file" in entry), None)
            if chosen is None:
                raise DocumentError(entries[0]["error"])
            found = load_job(chosen["file"])
        others = [f"'{entry['label']}'" for entry in entries if entry is not chosen]
        if others:
            sentence = f"The document has more jobs: {', '.join(others)}; choose one with --job."
            found = replace(found, warnings=(*found.warnings, sentence))
        return found

    def _told(self, ended: subprocess.CompletedProcess[str]) -> str:
        if ended.returncode < 0:
            name = signal.Signals(-ended.returncode).name
            return f"FreeCAD ({self._version_words()}) crashed with {name}."
        return f"FreeCAD ({self._version_words()}) ended with code {ended.returncode} and without an answer."

    def _version_words(self) -> str:
        try:
            return f"{self.program}, version {self.version()}"
        except FreeCADError:
            return self.program

    def _run(
        self, words: list[str], home: Path, more: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        environment = {
            **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")},
            "LC_ALL": "C.UTF-8",
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / ".local/share"),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_CACHE_HOME": str(home / ".cache"),
            **more,
        }
        with subprocess.Popen(
            [self.program, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
            cwd=home,
            start_new_session=True,
        ) as child:
            try:
                output, _ = child.communicate(timeout=timeout)
            except BaseException as error:
                # Its own session, so that what FreeCAD may have started ends with it.
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise FreeCADError(
                        f"FreeCAD ({self.program}) did not answer within {timeout:g} s and was ended; "
                        "CAMTWIN_TIMEOUT sets another limit."
                    ) from error
                raise
        return subprocess.CompletedProcess(child.args, child.returncode, output, "")


@contextmanager
def _home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="camtwin-freecad-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _last_line(ended: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in re.split(r"[\r\n]+", ended.stdout) if line.strip()]
    return lines[-1] if lines else "it said nothing."
