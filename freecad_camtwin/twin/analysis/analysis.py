# SPDX-License-Identifier: LGPL-2.1-or-later
"""From a job to what is known of its cut: engagement, load, limits, time and verdicts in one object.

This is the one place that joins the parts: engage → load → limits → schedule → verdict. The command line, the
report, the macros and the window all start here.
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
    """What the twin says about one job at one set of feeds: its figures, in words and as JSON, too."""

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The four verdicts on time, load, tool and safety, then one sentence for every limit that is exceeded."""
        return verdicts.all_verdicts(self)

    def to_json(self, *, path: str = "", sha256: str | None = None) -> str:
        """Write the schema ``camtwin.analysis/1``; ``path`` and ``sha256`` name the input file."""
        return schema.to_json(self, path=path, sha256=sha256)


class AnalyzeOptions(TypedDict, total=False):
    """What a caller may say of a job besides the job; for the meanings see ``analyze``."""

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
    """Simulate the cut of ``job`` and say how hard every step loads tool and spindle.

    ``material`` and ``machine`` (a name, a path or the object) override what the job itself names; ``limits`` are
    the user's and win over all others. ``progress`` is called with the share of the simulation that is done.
    ``simulated`` is what ``engage`` returned for the same geometry, cell and slices: then nothing is simulated.
    """
    check_complete(job)
    said = material or job.material
    cut = find_material(said) if isinstance(said, str) else said
    runs_on = machine or job.machine
    runner = read_machine(runs_on) if isinstance(runs_on, str) else runs_on
    engagement, left = simulated or engage(job, cell=cell, slices=slices, threads=threads, progress=progress)
    timed = schedule(job.toolpath, runner) if runner is not None else None
    odd = (*_beyond_travel(job, runner), *(timed.warnings if timed is not None else ()))
    model = LoadModel(engagement, job, cut, stiffness=Stiffness(spindle=runner.stiffness if runner else None))
    held = limits_for(job, runner, limits, material=cut)
    return Analysis(
        job=job,
        engagement=engagement,
        stock=left,
        model=model,
        load=model.at(),
        limits=held,
        material=cut,
        machine=runner,
        schedule=timed,
        supplied=supplied,
        source_hash=source_hash or job.toolpath.hash,
        warnings=_unique(job.warnings, engagement.warnings, *(each.notes for each in held), odd),
    )


def _beyond_travel(job: Job, machine: Machine | None) -> tuple[str, ...]:
    """A sentence where the path does not fit into the machine: worth knowing, and no reason not to look at the cut."""
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
    """Raise DocumentError, one sentence, where nothing could be simulated: no moves, no tool, no stock."""
    path = job.toolpath
    if not path.is_cutting.any():
        raise DocumentError(f"'{job.label}' has no feed move: there is nothing to analyze.")
    without = path.is_cutting & (path.tool < 0)
    if without.any():
        operation = path.operation[int(without.argmax())]
        label = job.operations[operation].label if operation >= 0 else job.label
        raise DocumentError(f"'{label}' has no tool: choose a tool controller, or describe the tool with --tool.")
    for index in np.unique(path.tool[path.is_cutting]):
        tool = job.tools[index]
        if tool.dc is None or tool.shape is None:
            lacks = "diameter" if tool.shape is not None else f"shape{_called(tool.shape_name)}"
            raise ToolError(f"{tool.name} has no known {lacks}: describe it with --tool {_words(tool)}.")
    if job.stock is None:
        raise DocumentError(f"'{job.label}' has no stock: give the raw box with --stock x0,y0,z0,x1,y1,z1.")


def _called(word: str) -> str:
    return f" (its source says {word!r})" if word else ""


def _words(tool: Tool) -> str:
    number = f"T={tool.number}," if tool.number is not None else ""
    return f"{number}D=6,z=2,shape=flat"
