# SPDX-License-Identifier: LGPL-2.1-or-later
"""From a job to what is known of its cut: engagement, load, limits, time and verdicts in one object.

This is the one place that joins the parts: engage → load → limits → schedule → verdict. The command line, the
report, the macros and the window all start here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from freecad_camtwin.errors import DocumentError, ToolError, ToolpathError
from freecad_camtwin.twin.bending import Stiffness
from freecad_camtwin.twin.engagement import Engagement, engage
from freecad_camtwin.twin.job import Job, Limits
from freecad_camtwin.twin.limits import OperationLimits, limits_for
from freecad_camtwin.twin.load import Load, LoadModel
from freecad_camtwin.twin.machine import Machine, read_machine
from freecad_camtwin.twin.material import Material, find_material
from freecad_camtwin.twin.motion import Schedule, check_travel, schedule
from freecad_camtwin.twin.stock import HeightField
from freecad_camtwin.twin.tool import Tool
from freecad_camtwin.twin.toolpath import Floats
from freecad_camtwin.twin.words import QUANTITIES


@dataclass(frozen=True)
class Analysis:
    """What the twin says about one job at one set of feeds."""

    job: Job
    engagement: Engagement
    stock: HeightField  #: what is left of the raw workpiece
    model: LoadModel  #: gives the load again at other feeds
    load: Load  #: at the programmed feeds
    limits: tuple[OperationLimits, ...]  #: (operations,) each step of an operation is held against its own
    material: Material | None
    machine: Machine | None
    schedule: Schedule | None  #: None without a machine
    supplied: tuple[str, ...] = ()  #: sentences: what the source does not say and the user did
    source_hash: str = ""  #: of the toolpath as it was read
    warnings: tuple[str, ...] = field(default=())

    @cached_property
    def operation(self) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
        """Operation of every step, shape (steps,)."""
        return self.job.toolpath.operation[self.engagement.move]

    @property
    def unknown(self) -> tuple[tuple[str, ...], ...]:
        """Per operation, in words, what its load could not be computed without; empty where all is known."""
        return self.model.unknown

    @property
    def verdicts(self) -> tuple[str, ...]:
        """The four verdicts on time, load, tool and safety, then one sentence for every limit that is exceeded."""
        from freecad_camtwin.twin import verdict

        return verdict.all_verdicts(self)

    def to_json(self, *, path: str = "", sha256: str | None = None) -> str:
        """Write the schema ``camtwin.analysis/1``; ``path`` and ``sha256`` name the input file."""
        from freecad_camtwin.twin import analysis_json

        return analysis_json.to_json(self, path=path, sha256=sha256)

    @cached_property
    def duration(self) -> Floats:
        """Seconds of every move, shape (moves,): of the controller, or length over feed; NaN where unknown."""
        if self.schedule is not None:
            return durations(self.schedule)
        return self.feed_duration

    @cached_property
    def feed_duration(self) -> Floats:
        """Length over feed of every move [s], shape (moves,); NaN where the source gives no feed."""
        path = self.job.toolpath
        with np.errstate(divide="ignore", invalid="ignore"):
            seconds = path.length / np.where(path.feed > 0, path.feed, np.nan)
        return np.asarray(np.where(path.length == 0, 0.0, seconds))

    @cached_property
    def step_time(self) -> Floats:
        """Seconds from the start of the job to the end of every step, shape (steps,).

        Moves without a known time (mostly rapids, without a machine) count as nothing.
        """
        move, length = self.engagement.move, self.engagement.length
        known = np.nan_to_num(self.duration)
        start = self.schedule.start if self.schedule is not None else np.concatenate([[0.0], np.cumsum(known)[:-1]])
        covered = np.cumsum(length)
        first = np.concatenate([[True], move[1:] != move[:-1]]) if len(move) else np.zeros(0, bool)
        before = np.maximum.accumulate(np.where(first, covered - length, 0.0)) if len(move) else covered
        whole = self.job.toolpath.length[move]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(whole > 0, np.minimum((covered - before) / whole, 1.0), 1.0)
        return np.asarray(start[move] + share * known[move])

    @cached_property
    def ratios(self) -> dict[str, Floats]:
        """Load over limit of every step, per quantity, shape (steps,); NaN where one of the two is unknown."""
        return {name: self._ratio(name, limit) for name, (limit, _, _) in QUANTITIES.items()}

    def _ratio(self, quantity: str, limit: str) -> Floats:
        bounds = np.array([getattr(limits, limit) or np.nan for limits in self.limits] + [np.nan])
        return np.asarray(getattr(self.load, quantity) / bounds[self.operation])

    @cached_property
    def worst_ratio(self) -> Floats:
        """The greatest of all ratios of every step, shape (steps,); NaN where no limit applies."""
        return np.asarray(np.fmax.reduce(list(self.ratios.values())))

    def at(self, feed: Floats) -> "Analysis":
        """Return the same job at other feeds [mm/s], shape (steps,), without simulating it again."""
        return replace(self, load=self.model.at(feed))


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
) -> Analysis:
    """Simulate the cut of ``job`` and say how hard every step loads tool and spindle.

    ``material`` and ``machine`` (a name, a path or the object) override what the job itself names; ``limits`` are
    the user's and win over all others. ``progress`` is called with the share of the simulation that is done.
    """
    check_complete(job)
    said = material or job.material
    cut = find_material(said) if isinstance(said, str) else said
    runs_on = machine or job.machine
    runner = read_machine(runs_on) if isinstance(runs_on, str) else runs_on
    engagement, left = engage(job, cell=cell, slices=slices, threads=threads, progress=progress)
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


def durations(timed: Schedule) -> Floats:
    """Seconds that pass in every move before the next one begins, shape (moves,).

    A control that smooths its path begins a move before the last has ended; that time is counted once.
    """
    until = np.append(timed.start[1:], np.inf)
    return np.asarray(np.minimum(timed.time, np.maximum(until - timed.start, 0.0)))


def check_complete(job: Job) -> None:
    """Raise DocumentError, one sentence, where nothing could be simulated: no moves, no tool, no stock."""
    path = job.toolpath
    if not path.is_cutting.any():
        raise DocumentError(f"'{job.label}' has no feed move: there is nothing to analyse.")
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
