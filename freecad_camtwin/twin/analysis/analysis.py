# SPDX-License-Identifier: LGPL-2.1-or-later
"""The analysis of a job: engagement, load, limits, time and verdicts in one object.

This module alone joins the parts: engage → load → limits → schedule → verdict. The command line, the report, the
macros and the window all start here.
"""

from collections.abc import Callable
from typing import TypedDict

import numpy as np

from freecad_camtwin.errors import DocumentError, ToolError, ToolpathError
from freecad_camtwin.twin.analysis import schema, verdicts
from freecad_camtwin.twin.analysis.figures import Figures
from freecad_camtwin.twin.cut.deflection import Stiffness
from freecad_camtwin.twin.cut.engagement import Engagement, engage
from freecad_camtwin.twin.cut.height_field import HeightField
from freecad_camtwin.twin.cut.limits import limits_for
from freecad_camtwin.twin.cut.load import LoadModel
from freecad_camtwin.twin.cycle_time.motion import check_travel, schedule
from freecad_camtwin.twin.job.job import Job, Limits
from freecad_camtwin.twin.job.tool import Tool
from freecad_camtwin.twin.shop.machine import Machine, read_machine
from freecad_camtwin.twin.shop.material import Material, find_material


class Analysis(Figures):
    """The prediction of one job at one set of feeds: figures, verdict sentences and JSON."""

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The four verdicts on time, load, tool and safety, then one sentence for every limit that is exceeded."""
        return verdicts.all_verdicts(self)

    def to_json(self, *, path: str = "", sha256: str | None = None) -> str:
        """Write the schema ``camtwin.analysis/1``; ``path`` and ``sha256`` name the input file."""
        return schema.to_json(self, path=path, sha256=sha256)


class AnalyzeOptions(TypedDict, total=False):
    """Keyword arguments of ``analyze``; their meanings are explained there."""

    material: str | Material | None
    machine: str | Machine | None
    cell: float | None
    slices: int
    threads: int
    limits: Limits | None
    supplied: tuple[str, ...]
    source_hash: str


def analyze(
    job: Job,
    *,
    material: str | Material | None = None,
    machine: str | Machine | None = None,
    cell: float | None = None,
    slices: int = 4,
    threads: int = 1,
    limits: Limits | None = None,
    supplied: tuple[str, ...] = (),
    source_hash: str = "",
    progress: Callable[[float], None] | None = None,
    simulated: tuple[Engagement, HeightField] | None = None,
) -> Analysis:
    """Simulate the cut of ``job`` and compute the load of tool and spindle in every step.

    ``material`` and ``machine`` (a name, a path or the object) override those of the job; ``limits`` are the
    user's and override all others. ``progress`` is called with the share of the simulation that is done.
    ``simulated`` is the result of ``engage`` for the same geometry, cell and slices: then nothing is simulated.
    """
    check_complete(job)
    chosen_material = material or job.material
    work_material = find_material(chosen_material) if isinstance(chosen_material, str) else chosen_material
    chosen_machine = machine or job.machine
    profile = read_machine(chosen_machine) if isinstance(chosen_machine, str) else chosen_machine
    engagement, remaining_stock = simulated or engage(job, cell=cell, slices=slices, threads=threads, progress=progress)
    timing = schedule(job.toolpath, profile) if profile is not None else None
    machine_warnings = (*_beyond_travel(job, profile), *(timing.warnings if timing is not None else ()))
    model = LoadModel(
        engagement, job, work_material, stiffness=Stiffness(spindle=profile.stiffness if profile else None)
    )
    bounds = limits_for(job, profile, limits, material=work_material)
    return Analysis(
        job=job,
        engagement=engagement,
        stock=remaining_stock,
        model=model,
        load=model.at(),
        limits=bounds,
        material=work_material,
        machine=profile,
        schedule=timing,
        supplied=supplied,
        source_hash=source_hash or job.toolpath.hash,
        warnings=_unique(job.warnings, engagement.warnings, *(each.notes for each in bounds), machine_warnings),
    )


def _beyond_travel(job: Job, machine: Machine | None) -> tuple[str, ...]:
    """Return a warning if the path leaves the machine's travel; the cut is analyzed all the same."""
    if machine is None:
        return ()
    try:
        check_travel(job.toolpath, machine)
    except ToolpathError as error:
        return (str(error),)
    return ()


def _unique(*several: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sentence for sentences in several for sentence in sentences))


def check_complete(job: Job) -> None:
    """Raise DocumentError or ToolError, one sentence, if the job lacks feed moves, a tool, tool data or the stock."""
    path = job.toolpath
    if not path.is_cutting.any():
        raise DocumentError(f"'{job.label}' has no feed move: there is nothing to analyze.")
    lacks_tool = path.is_cutting & (path.tool < 0)
    if lacks_tool.any():
        operation = path.operation[int(lacks_tool.argmax())]
        label = job.operations[operation].label if operation >= 0 else job.label
        raise DocumentError(f"'{label}' has no tool: choose a tool controller, or describe the tool with --tool.")
    for index in np.unique(path.tool[path.is_cutting]):
        tool = job.tools[index]
        if tool.dc is None or tool.shape is None:
            missing = "diameter" if tool.shape is not None else f"shape{_called(tool.shape_name)}"
            raise ToolError(f"{tool.name} has no known {missing}: describe it with --tool {_words(tool)}.")
    if job.stock is None:
        raise DocumentError(f"'{job.label}' has no stock: give the raw box with --stock x0,y0,z0,x1,y1,z1.")


def _called(word: str) -> str:
    return f" (its source has {word!r})" if word else ""


def _words(tool: Tool) -> str:
    number = f"T={tool.number}," if tool.number is not None else ""
    return f"{number}D=6,z=2,shape=flat"
