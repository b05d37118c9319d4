# SPDX-License-Identifier: LGPL-2.1-or-later
"""Read the job that a call names: a document with FreeCAD, a program without it."""

import hashlib
import importlib
import threading
import zipfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freecad_camtwin.cli.freecad import FreeCAD, Session
from freecad_camtwin.cli.options import Settings, merged_limits
from freecad_camtwin.cli.outputs import reason
from freecad_camtwin.cli.progress import working
from freecad_camtwin.errors import DocumentError, InputError
from freecad_camtwin.twin.base.archive import DAMAGE, document_fault
from freecad_camtwin.twin.job.job import Job, Limits, Stock
from freecad_camtwin.twin.job.supply import ToolWords, program_tools, supply

if TYPE_CHECKING:
    from freecad_camtwin.twin.analysis.analysis import AnalyzeOptions
    from freecad_camtwin.twin.feeds.mend import Mended


@dataclass(frozen=True)
class InputRequest:
    """The input and its options on the command line, as of ``options.input_options``."""

    source: Path
    job: str | None = None
    material: str | None = None
    machine: str | None = None
    cell: float | None = None
    slices: int = 4
    threads: int = 1
    tools: tuple[ToolWords, ...] = ()
    stock: Stock | None = None
    spindle_rpm: float | None = None
    limits: tuple[Limits, ...] = ()
    feed_min: float | None = None  #: mm/min
    feed_max: float | None = None  #: mm/min

    @property
    def user_limits(self) -> Limits:
        """The user's limits in the twin's units."""
        given = merged_limits(self.limits)
        slow, fast = self.feed_min, self.feed_max
        return replace(
            given,
            feed_min=given.feed_min if slow is None else slow / 60,
            feed_max=given.feed_max if fast is None else fast / 60,
        )

    @property
    def is_document(self) -> bool:
        """Whether the input is a FreeCAD document, by its name or its first bytes."""
        return is_document(self.source)


@dataclass(frozen=True)
class Read:
    """A job as it was read, with the values that the user supplied."""

    job: Job
    sha256: str  #: of the input's bytes
    source_hash: str  #: of the toolpath before any value was supplied
    supplied: tuple[str, ...]


def is_document(source: Path) -> bool:
    """Whether a file is a FreeCAD document, by its name or its first bytes."""
    if source.suffix.lower() == ".fcstd":
        return True
    try:
        with source.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def read_input(
    request: InputRequest, settings: Settings, *, bare: bool = False, freecad: FreeCAD | Session | None = None
) -> Read:
    """Read the job and add the values that the user supplied; ``bare``: without planned feeds.

    ``freecad`` reads a document; without it a FreeCAD is started for this document only.
    """
    sha256 = checked(request.source)
    if request.is_document:
        threading.Thread(target=_load_kernels, daemon=True).start()  # FreeCAD's start takes as long
        with working(f"Reading {request.source.name} in FreeCAD", quiet=settings.quiet):
            job = (freecad or FreeCAD.find(settings.freecad)).read(request.source, request.job, bare=bare)
        source_hash = job.toolpath.hash
        job, supplied = supply(job, tools=request.tools, stock=request.stock, n_rpm=request.spindle_rpm)
        return Read(job, sha256, source_hash, supplied)
    from freecad_camtwin.twin.job.program import read_program

    job = read_program(request.source, tools=program_tools(request.tools), stock=request.stock)
    source_hash = job.toolpath.hash
    job, supplied = supply(job, n_rpm=request.spindle_rpm)
    return Read(job, sha256, source_hash, supplied)


def analyzed(request: InputRequest, settings: Settings, loaded: Read | None = None) -> tuple[Any, Read]:
    """Read and analyze a job; return the Analysis and the Read that it was made from."""
    loaded = loaded or read_input(request, settings)
    with working("Loading the kernels", quiet=settings.quiet):
        from freecad_camtwin.twin.analysis.analysis import analyze
    with working(f"Simulating the cut of '{loaded.job.label}'", quiet=settings.quiet) as tick:
        analysis = analyze(loaded.job, progress=tick, **analyze_options(request, loaded))
    return analysis, loaded


def _load_kernels() -> None:
    with suppress(ImportError):  # the import in ``analyzed`` or ``mended`` raises it again
        importlib.import_module("freecad_camtwin.twin.feeds.mend")


def mended(request: InputRequest, settings: Settings, loaded: Read, **chosen: Any) -> "Mended":
    """Plan the feeds of a job that was read bare. ``chosen``: options of the plan; None takes the twin's value."""
    with working("Loading the kernels", quiet=settings.quiet):
        from freecad_camtwin.twin.feeds.mend import mend
        from freecad_camtwin.twin.feeds.step_feeds import PlanOptions
    options = PlanOptions(**{"objective": loaded.job.objective, **_given(chosen)})
    with working(f"Simulating the cut of '{loaded.job.label}' and planning feeds", quiet=settings.quiet) as tick:
        return mend(loaded.job, options, progress=tick, **analyze_options(request, loaded))


def _given(chosen: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in chosen.items() if value is not None}


def analyze_options(request: InputRequest, loaded: Read) -> "AnalyzeOptions":
    """Return the options of the call as keyword arguments of ``analyze``."""
    return {
        "material": request.material,
        "machine": request.machine,
        "cell": request.cell,
        "slices": request.slices,
        "threads": request.threads,
        "limits": request.user_limits,
        "supplied": loaded.supplied,
        "source_hash": loaded.source_hash,
    }


def checked(source: Path) -> str:
    """Return the SHA-256 of an input; raise InputError if it is missing, empty, or a damaged document."""
    if source.is_dir():
        raise InputError(f"{source} is a folder, not a document or a program.")
    try:
        content = source.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{source} does not exist.") from None
    except OSError as error:
        raise InputError(f"{source} cannot be read: {reason(error)}.") from error
    if not content.strip():
        raise InputError(f"{source} is empty.")
    if is_document(source):
        _check_document(source)
    return hashlib.sha256(content).hexdigest()


def _check_document(source: Path) -> None:
    try:
        with zipfile.ZipFile(source) as archive:
            fault = document_fault(archive)
    except (OSError, *DAMAGE) as error:
        raise DocumentError(f"{source} is damaged or not a FreeCAD document: it cannot be unpacked.") from error
    if fault is not None:
        raise DocumentError(f"{source} {fault}.")
