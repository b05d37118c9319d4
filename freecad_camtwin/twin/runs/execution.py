# SPDX-License-Identifier: LGPL-2.1-or-later
"""An execution: one run of a program compared with its prediction, move by move.

``make_executions`` places a run's samples on the package's path, and refuses a run along another path. Values without
samples are NaN. docs/executions.md explains each figure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.alignment.align import Alignment, align
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.base.weighted import means_by_group
from freecad_camtwin.twin.package.package import Package
from freecad_camtwin.twin.runs import figures as kpi
from freecad_camtwin.twin.runs.net_load import NetLoad, loads
from freecad_camtwin.twin.runs.passage import Passage, passages
from freecad_camtwin.twin.signals.run import Run

#: A run without a hash is accepted for this path if this share of it has a place, with this mean confidence.
PLACED, CONFIDENT = 0.6, 0.4
#: A run placed by its load alone is accepted if its load is at most this many times the predicted one, and at least
#: its inverse. Material tables err by a quarter; a worn tool takes twice the power.
LIKELY = 3.0
#: An error of the idle load is reported if it exceeds this share of the load in the cut.
VAGUE = 0.05


class About(Struct, frozen=True, forbid_unknown_fields=True):
    """Which run of which path on which machine; unknown is None."""

    toolpath_hash: str
    job: str
    program: str
    program_hash: str | None
    source: str  #: the file that the run was read from
    run: str | None
    part: int  #: which execution in that file, from 1
    parts: int  #: of how many
    started: float  #: [s] since the epoch, with its first motion
    machine: str | None
    operator: str | None
    simulated: bool
    material: str | None
    operations: tuple["OperationName", ...]


class OperationName(Struct, frozen=True, forbid_unknown_fields=True):
    """What identifies an operation in a document."""

    label: str
    name: str | None  #: internal name of its outermost object
    path_hash: str | None  #: of its stored commands


@dataclass(frozen=True)
class Trace:
    """The samples of an execution; they are not saved."""

    passage: Passage
    alignment: Alignment  #: of the whole run
    loads: Mapping[str, NetLoad]


@dataclass(frozen=True, eq=False)
class Execution:
    """One execution. Arrays have one value per move of the document's toolpath, (moves,); NaN is unknown."""

    about: About
    figures: kpi.RunFigures
    operations: tuple[kpi.OperationFigures, ...]
    quality: kpi.Quality
    notes: tuple[str, ...]
    #: start [s after ``about.started``], time, stood, unseen, predicted_time [s], covered (0 … 1), samples,
    #: feed_override [%], confidence; of each load such as power: power.mean, power.p95, power.greatest, power.predicted
    moves: Mapping[str, Floats]
    trace: Trace | None = field(default=None)

    @property
    def load(self) -> str | None:
        """The name of the load to compare: the first that is predicted, else the first; None without any."""
        names = list(self.figures.loads)
        predicted = [name for name in names if self.figures.loads[name].predicted is not None]
        return next(iter([*predicted, *names]), None)

    @property
    def unseen_moves(self) -> int:
        """How many feed moves or rapids of the document were not seen at all."""
        return int((~(self.moves["covered"] > 0)).sum())


def make_executions(package: Package, run: Run, *, alignment: Alignment | None = None) -> tuple[Execution, ...]:
    """Return every execution of the package's program in a run, in order of time.

    Raises InputError, one sentence, if the run went along another path, or if no sample lies on this one.
    """
    notes = (*run.notes, *_check_hashes(package, run))
    if not run.columns.rows:
        raise InputError(f"{run.source} holds no samples: there is nothing to compare")
    placed = alignment or align(package, run.columns)
    parts = passages(package, run, placed)
    _check_fit(package, run, placed, parts)
    made = [_execution(package, run, placed, part, (at, len(parts)), notes) for at, part in enumerate(parts, 1)]
    if placed.method == "power":
        _check_load(package, run, best(tuple(made)))
    return tuple(made)


def best(executions: tuple[Execution, ...]) -> Execution:
    """Return the execution that saw most of the path, to the percent; of several the last."""
    return max(enumerate(executions), key=lambda each: (round(each[1].quality.seen, 2), each[0]))[1]


def _check_hashes(package: Package, run: Run) -> tuple[str, ...]:
    """Refuse a run whose hash is that of another path; return a note on a run without a hash."""
    way_out = "package the job that ran, with the program that ran"
    if run.toolpath_hash is not None:
        if run.toolpath_hash != package.toolpath_hash:
            raise InputError(
                f"{run.source} was recorded along another path ({run.toolpath_hash[:12]}…) than that of the package "
                f"({package.toolpath_hash[:12]}…); they cannot be compared: {way_out}"
            )
        return ()
    if run.program_hash is not None and package.program_sha256 is not None:
        if run.program_hash != package.program_sha256:
            raise InputError(
                f"{run.source} ran the program {run.program or '?'} ({run.program_hash[:12]}…), and the package is of "
                f"{package.program} ({package.program_sha256[:12]}…); they cannot be compared: {way_out}"
            )
        return ()
    return (f"{run.source} states no hash of its path; it was accepted because its samples fit this path.",)


def _check_fit(package: Package, run: Run, alignment: Alignment, parts: tuple[Passage, ...]) -> None:
    """Refuse a run with too few samples on the path; with the path's hash, only a run with none."""
    name = package.job.label
    if not parts:
        raise InputError(f"nothing of {run.source} lies on the path of '{name}': it is another job's run, or none")
    if run.toolpath_hash is not None or run.program_hash is not None:
        return
    placed = _placed(run, alignment)
    confidence = float(np.concatenate([alignment.confidence[part.rows] for part in parts]).mean())
    if placed < PLACED or (confidence < CONFIDENT and alignment.method != "line"):
        raise InputError(
            f"{run.source} does not fit the path of '{name}': {100 * placed:.0f} % of its samples have a place on it, "
            f"with a confidence of {confidence:.2f}; it states no hash of its path, so it is refused"
        )


def _check_load(package: Package, run: Run, execution: Execution) -> None:
    """Refuse a run that is placed by its load alone if its load differs much: any two stretched curves fit."""
    if run.toolpath_hash is not None or run.program_hash is not None:
        return
    for load in execution.figures.loads.values():
        if load.ratio is not None and not 1 / LIKELY <= load.ratio <= LIKELY:
            raise InputError(
                f"{run.source} does not fit the load of '{package.job.label}': in the cut it is "
                f"{100 * load.ratio:.0f} % of the predicted load; it states no hash of its path, so it is refused"
            )


def _placed(run: Run, alignment: Alignment) -> float:
    """Return the share of samples with a place, among those that moved, or all if no position is reported."""
    points = run.columns.points
    moved = np.linalg.norm(np.diff(points, axis=0, prepend=points[:1]), axis=1) > 1e-6
    among = moved if moved.any() else np.ones(len(alignment.time), bool)
    return float((alignment.executed[among] >= 0).mean())


def _execution(
    package: Package, run: Run, alignment: Alignment, passage: Passage, part: tuple[int, int], notes: tuple[str, ...]
) -> Execution:
    measured = loads(package, run, alignment, passage)
    sums = kpi.Sums(package, passage)
    if alignment.method == "power":
        notes = (*notes, "It was placed by its load alone: times of moves are rough, and standing times are unknown.")
    operations = kpi.operation_figures(package, run, alignment, sums, measured)
    notes = (*notes, *_unsure(operations, measured))
    if not measured:
        notes = (*notes, "The run has no measured load: only its times can be compared.")
    elif not any(load.is_predicted for load in measured.values()):
        notes = (
            *notes,
            "No measured load is predicted: choose the material, and state the rated power of the load.",
        )
    return Execution(
        about=_about(package, run, passage, part),
        figures=kpi.run_figures(package, run, sums, measured),
        operations=operations,
        quality=kpi.quality(package, run, alignment, sums),
        notes=notes,
        moves=_moves(package, run, alignment, sums, measured),
        trace=Trace(passage, alignment, measured),
    )


def _unsure(operations: tuple[kpi.OperationFigures, ...], measured: Mapping[str, NetLoad]) -> Iterator[str]:
    """Name the operations whose load in the cut is uncertain because the idle load is."""
    for index, operation in enumerate(operations):
        for name, load in measured.items():
            figures, unsure = operation.loads[name], float(load.unsure[index])
            if figures.ratio is not None and figures.mean and unsure > VAGUE * abs(figures.mean):
                yield (
                    f"'{operation.label}': its idle {name.replace('_', ' ')} is known only within "
                    f"{unsure:.2g} {load.unit}, {100 * unsure / abs(figures.mean):.0f} % of its value in the cut."
                )


def _about(package: Package, run: Run, passage: Passage, part: tuple[int, int]) -> About:
    return About(
        toolpath_hash=package.toolpath_hash,
        job=package.job.label,
        program=package.program,
        program_hash=package.program_sha256,
        source=run.source,
        run=run.name,
        part=part[0],
        parts=part[1],
        started=float(passage.time[0]),
        machine=run.machine or (package.machine.name if package.machine is not None else None),
        operator=run.operator,
        simulated=run.simulated,
        material=package.material.key if package.material is not None else None,
        operations=tuple(OperationName(each.label, each.base_name, each.base_hash) for each in package.job.operations),
    )


def _moves(
    package: Package, run: Run, alignment: Alignment, sums: kpi.Sums, measured: Mapping[str, NetLoad]
) -> dict[str, Floats]:
    """Map the values of the program's moves and of the samples to the moves of the document."""
    passage, lines, count = sums.passage, package.lines, package.job.toolpath.moves
    has = lines.move >= 0

    def of_moves(values: Floats) -> Floats:
        return np.bincount(lines.move[has], weights=values[has], minlength=count).astype(np.float64)

    length = package.job.toolpath.length
    start = np.full(count, np.inf)
    np.fmin.at(start, lines.move[has], sums.start[has] - passage.time[0])
    reached = np.isfinite(start)
    seen = of_moves(sums.seen)
    move = alignment.move[passage.rows]
    made: dict[str, Floats] = {"start": np.where(reached, start, np.nan)}
    for name, values in (("time", sums.time), ("stood", sums.stood), ("unseen", sums.unseen)):
        made[name] = np.where(reached, of_moves(values), np.nan)
    made["predicted_time"] = np.where(of_moves(np.ones(len(lines.move))) > 0, of_moves(sums.predicted), np.nan)
    made["covered"] = np.where(length > 0, np.minimum(seen / np.where(length > 0, length, 1.0), 1.0), reached * 1.0)
    made["samples"] = np.bincount(move[move >= 0], minlength=count).astype(np.float64)
    weight = passage.weight
    made["feed_override"] = means_by_group(run.columns.column("feed_override")[passage.rows], weight, move, count)
    made["confidence"] = means_by_group(alignment.confidence[passage.rows], weight, move, count)
    for name, load in measured.items():
        made[f"{name}.mean"] = means_by_group(load.net, weight, move, count)
        made[f"{name}.p95"], made[f"{name}.greatest"] = _uppers(load.net, weight, move, count)
        made[f"{name}.predicted"] = means_by_group(
            np.where(np.isfinite(load.net), load.predicted, np.nan), weight, move, count
        )
    return made


def _uppers(values: Floats, weight: Floats, move: np.ndarray, count: int) -> tuple[Floats, Floats]:
    """Return the 95 % quantile over every move's time, and the greatest value, (count,) each."""
    use = np.flatnonzero(np.isfinite(values) & (move >= 0) & (weight > 0))
    p95, greatest = np.full(count, np.nan), np.full(count, np.nan)
    if not len(use):
        return p95, greatest
    order = use[np.lexsort((values[use], move[use]))]
    moves, last = np.unique(move[order][::-1], return_index=True)
    last = len(order) - 1 - last
    covered = np.cumsum(weight[order])
    before = np.concatenate([[0.0], covered[last][:-1]])
    reached = np.searchsorted(covered, before + 0.95 * (covered[last] - before))
    p95[moves], greatest[moves] = values[order[np.minimum(reached, last)]], values[order[last]]
    return p95, greatest
