# SPDX-License-Identifier: LGPL-2.1-or-later
"""Post a job with FreeCAD's own post processors, in all versions and without dialogs.

The job is not changed: the post processor gets it as ``_Seen``, which has other arguments and one output file.
"""

import tempfile
from pathlib import Path
from typing import Any

import FreeCAD

from freecad_camtwin.document import structure, versions
from freecad_camtwin.errors import DocumentError, ProgramError

#: Exceptions that FreeCAD's scripts raise when a job is not as they expect it.
_FOREIGN = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, OSError, ReferenceError,
    RuntimeError, SystemExit, TypeError, ValueError,
)  # fmt: skip


class _Bare:
    """The operations of a job without feed dressups."""

    def __init__(self, job: Any) -> None:
        self._operations = job.Operations
        self.Group = [structure.planned(top) if structure.is_path(top) else top for top in structure.operations(job)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operations, name)


class _Seen:
    """A job as its post processor sees it: all attributes are the job's, except those set here."""

    def __init__(self, job: Any, arguments: str, bare: bool) -> None:
        self._job = job
        self.PostProcessorArgs = arguments
        self.SplitOutput = False
        if bare:
            self.Operations = _Bare(job)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._job, name)


def post_proven(job: Any, name: str, arguments: str | None = None) -> str:
    """Post a job as ``post_job`` does, and prove that the feed dressups changed only feeds.

    PlanError if more than feeds differ. A program in a language that cannot be read is posted with a warning: then only
    the stored commands were checked.
    """
    program = post_job(job, name, arguments)
    if not any(structure.feed_dressup(top) for top in structure.operations(job)):
        return program
    from freecad_camtwin.twin.feeds.proof import prove_programs  # not above: reading a job needs numpy only

    try:
        prove_programs(post_job(job, name, arguments, bare=True).encode(), program.encode())
    except ProgramError as error:
        FreeCAD.Console.PrintWarning(
            f"CAM Twin: the program could not be compared with the one without the new feeds: {error}\n"
        )
    return program


def post_job(job: Any, name: str, arguments: str | None = None, *, bare: bool = False) -> str:
    """Return the job's program, by FreeCAD's post processor ``name``, such as "linuxcnc" or "grbl".

    ``arguments``: those of the post processor; by default the job's, if ``name`` is the job's post processor.
    ``bare``: without feed dressups. DocumentError if there is no such post processor, or it returns no program.
    """
    known = versions.cam("Preferences").allAvailablePostProcessors()
    if name not in known:
        raise DocumentError(
            f"FreeCAD {versions.version_text()} has no post processor {name!r}; it has {', '.join(known)}"
        )
    if not any(structure.is_path(top) and structure.is_active(top) for top in structure.operations(job)):
        raise DocumentError(f"job {job.Label!r} cannot be posted: it has no active operation")
    if arguments is None:
        arguments = job.PostProcessorArgs if job.PostProcessor == name else ""
    if "--no-show-editor" not in arguments:
        arguments = f"{arguments} --no-show-editor".strip()
    seen = _Seen(job, arguments, bare)
    try:
        parts = _post_flat(seen, name) if versions.is_flat() else _post(seen, name)
    except _FOREIGN as error:
        raise DocumentError(
            f"FreeCAD's post processor {name!r} failed on job {job.Label!r}: {type(error).__name__}: {error}"
        ) from error
    programs = [part for part in parts if part is not None]
    if not programs or len(programs) < len(parts):
        raise DocumentError(f"FreeCAD's post processor {name!r} returned no program for job {job.Label!r}")
    return "".join(part if part.endswith("\n") else part + "\n" for part in programs)


def _post(job: _Seen, name: str) -> list[str | None]:
    """Post with FreeCAD 0.21 or newer, where a factory makes post processors that return their sections."""
    module = versions.cam("Post")
    # The list belongs to the class: it grows and keeps jobs of closed documents, and later posts fail on them.
    module._TempObject.InList.clear()
    try:
        processor = module.PostProcessorFactory.get_post_processor(job, name)
        parts: list[str | None] = [text for _, text in processor.export() or []]
        if any(text is None for text in parts) and hasattr(processor, "script_module"):
            parts = _export(processor.script_module, [objects for _, objects in processor._buildPostList()], job)
    finally:
        module._TempObject.InList.clear()
    return parts


def _post_flat(job: _Seen, name: str) -> list[str | None]:
    """Post with FreeCAD 0.20, where a post processor is a script."""
    script = versions.cam("PostScript").PostProcessor.load(name)
    return _export(script, versions.cam("Post").CommandPathPost().buildPostList(job), job)


def _export(script: Any, sections: list[Any], job: _Seen) -> list[str | None]:
    """Run a script for each section and read the file that it writes; only some scripts return the program."""
    parts: list[str | None] = []
    with tempfile.TemporaryDirectory(prefix="camtwin-") as folder:
        file = Path(folder) / "part.nc"
        for objects in sections:
            text = script.export(objects, str(file), job.PostProcessorArgs)
            if not isinstance(text, str) and file.is_file():
                with file.open(encoding="utf-8", newline="") as stream:
                    text = stream.read()
            file.unlink(missing_ok=True)
            parts.append(text if isinstance(text, str) else None)
    return parts
