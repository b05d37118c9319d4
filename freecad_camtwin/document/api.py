# SPDX-License-Identifier: LGPL-2.1-or-later
"""The functions for macros and scripts without windows; each takes a job object.

    import freecad_camtwin as camtwin
    camtwin.attach(job, material="6061", machine="vmc")
    plan = camtwin.plan_feeds(job)
    camtwin.apply(job, plan)
    program = camtwin.post(job, "linuxcnc")
    runs = camtwin.import_run(job, "monday.run", "part.camtwin")

Each change is one undo step. Only the objects that CAM Twin adds are recomputed.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freecad_camtwin.document import dressup, execution, feeds, twin_object
from freecad_camtwin.document import post as posting
from freecad_camtwin.document.job import read_job
from freecad_camtwin.errors import DocumentError, InputError
from freecad_camtwin.twin.feeds.plan import OBJECTIVES, FeedPlan

if TYPE_CHECKING:
    from freecad_camtwin.twin.analysis.analysis import Analysis
    from freecad_camtwin.twin.feeds.mend import Mended
    from freecad_camtwin.twin.feeds.step_feeds import PlanOptions
    from freecad_camtwin.twin.package.package import Package
    from freecad_camtwin.twin.runs.execution import Execution
    from freecad_camtwin.twin.signals.run import Run


def attach(job: Any, *, material: str | None = None, machine: str | None = None, objective: str | None = None) -> Any:
    """Attach a twin to a job, or change its twin; None leaves a setting unchanged. Returns the twin."""
    if objective is not None and objective not in OBJECTIVES:
        raise InputError(f"{objective!r} is not an objective; choose one of {', '.join(OBJECTIVES)}")
    settings = {"Material": material, "Machine": machine, "Objective": objective}
    with feeds.transaction(job.Document, "Attach twin"):
        twin = twin_object.attach_twin(job)
        for name, value in settings.items():
            if value is not None:
                setattr(twin, name, value)
    return twin


def analyze(job: Any, **options: Any) -> "Analysis":
    """Compute the load of every step of the path that the job posts. Options: those of ``twin.analysis.analyze``."""
    analysis: Analysis = _analysis().analyze(read_job(job), **options)
    return analysis


def plan_feeds(job: Any, *, plan_options: "PlanOptions | None" = None, **options: Any) -> FeedPlan:
    """Plan the fastest feeds within all limits, for the operations without feed dressups.

    ``plan_options``: see ``twin.feeds.step_feeds.PlanOptions``, by default the objective of the job's twin; the
    other options are those of ``analyze``.
    """
    return mend(job, plan_options=plan_options, **options).plan


def mend(job: Any, *, plan_options: "PlanOptions | None" = None, **options: Any) -> "Mended":
    """Plan as ``plan_feeds`` does; return the plan, the analyses before and after, and the proof."""
    _analysis()
    from freecad_camtwin.twin.feeds import mend as mending

    return mending.mend(read_job(job, bare=True), plan_options, **options)


def apply(job: Any, plan: FeedPlan) -> list[Any]:
    """Add the plan's feeds to the operations as dressups; return the dressups. PlanError if the plan does not fit."""
    with feeds.transaction(job.Document, "Write planned feeds"):
        return feeds.apply_plan(job, plan)


def post(job: Any, name: str, arguments: str | None = None) -> str:
    """Return the job's program, by FreeCAD's post processor ``name``, such as "linuxcnc" or "grbl".

    PlanError if the feed dressups changed more than feeds: then no program is returned.
    """
    dressup.refresh(job)
    _analysis()
    return posting.post_proven(job, name, arguments)


def clear(job: Any, *, keep_twin: bool = False) -> int:
    """Remove the feed dressups of a job, and its twin unless ``keep_twin``; return the number of dressups."""
    if job.Proxy is None:
        raise DocumentError(f"job {job.Label!r} was made by another FreeCAD version; only that version can change it")
    with feeds.transaction(job.Document, "Clear planned feeds"):
        removed = dressup.undress(job)
        if not keep_twin:
            twin_object.detach(job)
    return removed


def import_run(
    job: Any,
    run: "str | os.PathLike[str] | Run | Sequence[Execution]",
    package: "str | os.PathLike[str] | Package | None" = None,
    **options: Any,
) -> list[Any]:
    """Store a machine's run under the job's twin, and return an object for each execution.

    ``run`` is a recording, or executions that were made from one. ``package`` is the prediction that the run is
    compared with; without it the job is analyzed as it is, with the ``options`` of ``analyze``. The values of every
    move go into the folder PART.camtwin beside the document. DocumentError if the run is of another path.
    """
    if not job.Document.FileName:
        raise DocumentError(
            f"save document {job.Document.Label!r} first: the values of a run are stored beside its file"
        )
    made = _executions(job, run, package, options)
    from freecad_camtwin.twin.runs.file import folder_of, save_execution, written
    from freecad_camtwin.twin.runs.summary import execution_properties

    folder = folder_of(job.Document.FileName)
    summaries = []
    for each in made:
        files, sha256 = written(each)
        name = execution.beside(job.Document.FileName, folder / next(reversed(files)))
        summaries.append({**execution_properties(each), "Sidecar": name, "SidecarHash": sha256})
        execution.check_execution(job, summaries[-1])
    for each in made:
        save_execution(each, folder)
    with feeds.transaction(job.Document, "Import run"):
        return [execution.add(job, each) for each in summaries]


def load_run(obj: Any) -> "Execution":
    """Return an execution object with the values of every move; InputError if their file is missing or another one."""
    _analysis()
    loaded: Execution = execution.load_kept_execution(obj)
    return loaded


def _executions(job: Any, run: Any, package: Any, options: dict[str, Any]) -> "Sequence[Execution]":
    if isinstance(run, Sequence) and not isinstance(run, str):
        return run
    analysis = _analysis()
    from freecad_camtwin.store.run import read_run
    from freecad_camtwin.twin.package.package import load_package, make_package
    from freecad_camtwin.twin.runs.execution import make_executions

    if package is None:
        package = make_package(analysis.analyze(read_job(job), **options))
    elif isinstance(package, str | os.PathLike):
        package = load_package(package)
    return make_executions(package, read_run(Path(run), package.signals) if isinstance(run, str | os.PathLike) else run)


def _analysis() -> Any:
    """Import and return the module of the analysis; DocumentError if FreeCAD's Python lacks a package."""
    try:
        from freecad_camtwin.twin.analysis import analysis
    except ImportError as error:
        raise DocumentError(
            f"the Python of this FreeCAD has no package {error.name!r}; install it with the Addon Manager, "
            "or use the command line"
        ) from error
    return analysis
