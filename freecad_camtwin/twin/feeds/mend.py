# SPDX-License-Identifier: LGPL-2.1-or-later
"""The feed planning of command line, macros and window: analyze, plan, analyze the plan, prove it.

    job + what is supplied + limits ──► before ──► plan ──► after, proof ──► written by into_program or the document

Each toolpath is simulated once: the engagement depends on the geometry alone, so the last simulation that checked the
plan also serves the analysis after it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Unpack

from freecad_camtwin.twin.analysis.analysis import Analysis, AnalyzeOptions, analyze
from freecad_camtwin.twin.feeds.into_program import rewrite
from freecad_camtwin.twin.feeds.into_toolpath import planned_toolpath
from freecad_camtwin.twin.feeds.plan import FeedPlan
from freecad_camtwin.twin.feeds.planner import plan_and_simulate
from freecad_camtwin.twin.feeds.proof import Proof, prove, prove_programs
from freecad_camtwin.twin.feeds.step_feeds import PlanOptions
from freecad_camtwin.twin.job.job import Job


@dataclass(frozen=True)
class Mended:
    """A job at its programmed feeds and at the planned ones."""

    plan: FeedPlan
    before: Analysis
    after: Analysis  #: of the planned toolpath: the same geometry with split moves and new feeds
    proof: Proof  #: that both toolpaths differ in feeds and split points only

    def program(self, text: bytes) -> tuple[bytes, Proof]:
        """Return the program ``text``, which ``before`` was read from, with the planned feeds, and its proof.

        Raises PlanError if more than feeds would change.
        """
        written = rewrite(text, self.before.job, self.plan)
        return written, prove_programs(text, written)


def mend(
    job: Job,
    options: PlanOptions | None = None,
    *,
    progress: Callable[[float], None] | None = None,
    **supplied: Unpack[AnalyzeOptions],
) -> Mended:
    """Plan the fastest feeds of ``job`` within all limits; return the plan, both analyses and the proof.

    ``supplied`` are the options of ``analyze``; ``options`` default to the objective that the job's twin states.
    ``progress`` is called with the share that is done. Raises PlanError where more than feeds would change.
    """
    stages = _Stages(progress)
    before = analyze(job, progress=stages.begin(), **supplied)
    plan, simulation = plan_and_simulate(
        before.job,
        before.engagement,
        before.model,
        before.limits,
        before.machine,
        options or PlanOptions(objective=job.objective),
        threads=supplied.get("threads", 1),
        begin=stages.begin,
    )
    toolpath = planned_toolpath(job.toolpath, plan)
    proof = prove(job.toolpath, toolpath)
    is_simulated = simulation is not None and simulation.is_of(toolpath)
    after = analyze(
        replace(job, toolpath=toolpath),
        simulated=(simulation.engagement, simulation.stock) if simulation is not None and is_simulated else None,
        progress=stages.begin(),
        **supplied,
    )
    return Mended(plan, before, after, proof)


class _Stages:
    """One progress bar for simulations of unknown number: each gets half of the remaining bar."""

    def __init__(self, report: Callable[[float], None] | None) -> None:
        self._report, self._done = report, 0.0

    def begin(self) -> Callable[[float], None] | None:
        """Return the progress callback of the next simulation."""
        report, start = self._report, self._done
        if report is None:
            return None
        self._done = (1.0 + start) / 2.0
        return lambda share: report(start + share * (1.0 - start) / 2.0)
