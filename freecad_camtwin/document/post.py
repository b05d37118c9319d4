# SPDX-License-Identifier: LGPL-2.1-or-later
"""A job as a program, by FreeCAD's own post processors, in all versions and without dialogs.

The job is not touched: a post sees it through ``_Seen``, which holds other arguments and one output file.
"""

import tempfile
from pathlib import Path
from typing import Any

import FreeCAD

from freecad_camtwin.document import structure, versions
from freecad_camtwin.errors import DocumentError, ProgramError

#: What FreeCAD's scripts are known to raise when a job is not as they expect it.
_FOREIGN = (
    ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, NameError, OSError, ReferenceError,
    RuntimeError, SystemExit, TypeError, ValueError,
)  # fmt: skip


class _Bare:
    """The operations of a job without our feed dressups."""

    def __init__(self, job: Any) -> None:
        self._operations = job.Operations
        self.Group = [structure.planned(top) if structure.is_path(top) else top for top in structure.operations(job)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operations, name)


class _Seen:
    """A job as its post processor sees it: everything is the job's own, but for what is set here."""

    def __init__(self, job: Any, arguments: str, bare: bool) -> None:
        self._job = job
        self.PostProcessorArgs = arguments
        self.SplitOutput = False
        if bare:
            self.Operations = _Bare(job)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._job, name)


def post_proven(job: Any, name: str, arguments: str | None = None) -> str:
    """Post a job as ``post_job`` does, and prove that our feed dressups changed nothing but feeds.

    PlanError if they did. A program that cannot be read, as its controller's language is another, is posted with a
    warning: then only the check of its stored commands stands behind it.
    """
    program = post_job(job, name, arguments)
    if not any(structure.feed_dressup(top) for top in structure.operations(job)):
        return program
    from freecad_camtwin.twin.feeds.proof import prove_programs  # not above: a FreeCAD that hands a job over

    try:
        prove_programs(post_job(job, name, arguments, bare=True).encode(), program.encode())
    except ProgramError as error:
        FreeCAD.Console.PrintWarning(f"CAM Twin: the program could not be compared with the one before: {error}\n")
    return program


def post_job(job: Any, name: str, arguments: str | None = None, *, bare: bool = False) -> str:
    """The job as a program, by the post processor that FreeCAD calls ``name``, such as "linuxcnc" or "grbl".

    ``arguments``: the post processor's own; by default the job's, if ``name`` is the one that the job is set to.
    ``bare``: without our feed dressups. DocumentError where there is no such post processor, or it gives no program.
    """
    known = versions.cam("Preferences").allAvailablePostProcessors()
    if name not in known:
        raise DocumentError(
            f"FreeCAD {versions.version_text()} has no post processor {name!r}; it has {', '.join(known)}"
        )
    if not any(structure.is_path(top) and structure.is_active(top) for top in structure.operations(job)):
        raise DocumentError(f"job {job.Label!r} has no active operation: there is nothing to post")
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
        raise DocumentError(f"FreeCAD's post processor {name!r} gave no program for job {job.Label!r}")
    return "".join(part if part.endswith("\n") else part + "\n" for part in programs)


def _post(job: _Seen, name: str) -> list[str | None]:
    """From 0.21 on a factory makes post processors, which give their sections back."""
    module = versions.cam("Post")
    # A list of the class, so it grows and keeps jobs of closed documents, on which later posts fail.
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
    """In 0.20 a post processor is a script."""
    script = versions.cam("PostScript").PostProcessor.load(name)
    return _export(script, versions.cam("Post").CommandPathPost().buildPostList(job), job)


def _export(script: Any, sections: list[Any], job: _Seen) -> list[str | None]:
    """Let a script write a file for each section; some give the program back as well, but not all."""
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
