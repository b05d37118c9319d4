# SPDX-License-Identifier: LGPL-2.1-or-later
"""The five lines of the README, in FreeCAD."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import freecad_camtwin as camtwin
from freecad_camtwin.document import dressup, structure
from freecad_camtwin.document.commands import commands_of, path_of
from freecad_camtwin.document.dressup import APPLIED
from freecad_camtwin.document.job import read_job
from freecad_camtwin.errors import PlanError

pytest.importorskip("numba")
pytest.importorskip("msgspec")

README = Path(__file__).resolve().parent.parent.parent / "README.md"


def test_the_lines_of_the_readme_run(whole_job, capsys):
    (lines,) = re.findall(r"```python\n(import freecad_camtwin.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names = {"job": whole_job}
    exec(lines, names)
    assert names["program"].count("G83") == 4
    assert capsys.readouterr().out.count("\n") >= 1


@pytest.fixture
def limited(job):
    """A job with a twin and a force limit that its feeds exceed."""
    camtwin.attach(job, material="6061")
    structure.operations(job)[0].CamTwinForce = 60.0
    return job


def test_attach_plan_apply_post_clear(limited):
    job = limited
    own = commands_of(structure.operations(job)[0])
    before = camtwin.post(job, "linuxcnc")

    plan = camtwin.plan_feeds(job, cell=0.5)
    camtwin.apply(job, plan)
    program = camtwin.post(job, "linuxcnc")

    assert plan.changes > 0
    assert structure.operations(job)[0].Status == APPLIED
    assert program != before
    camtwin.clear(job)
    assert commands_of(structure.operations(job)[0]) == own


def test_a_plan_holds_to_the_objective_of_the_twin(limited):
    assert not camtwin.plan_feeds(limited, cell=0.5).relative
    camtwin.attach(limited, objective="programmed")
    assert camtwin.plan_feeds(limited, cell=0.5).relative


def test_a_dressup_that_moved_the_tool_is_not_posted(limited, monkeypatch):
    camtwin.apply(limited, camtwin.plan_feeds(limited, cell=0.5))
    camtwin.post(limited, "linuxcnc")
    monkeypatch.setattr(dressup, "refresh", lambda _job: None)
    top = structure.operations(limited)[0]
    moved = [(name, {**words, "X": words["X"] + 0.5} if "X" in words else words) for name, words in commands_of(top)]
    top.Path = path_of(moved)
    with pytest.raises(PlanError, match="would change more than feeds"):
        camtwin.post(limited, "linuxcnc")


def test_the_analysis_after_a_plan_is_that_of_what_is_posted_then(limited):
    result = camtwin.mend(limited, cell=0.5)
    camtwin.apply(limited, result.plan)
    posted = camtwin.analyze(limited, cell=0.5)
    assert result.proof.objection is None
    np.testing.assert_allclose(posted.load.force, result.after.load.force, rtol=1e-6, atol=1e-9)


def test_an_analysis_is_of_what_is_posted_and_a_plan_of_the_bare_operations(limited):
    job = limited
    first = camtwin.plan_feeds(job, cell=0.5)
    camtwin.apply(job, first)
    mended = camtwin.analyze(job, cell=0.5)
    assert mended.job.toolpath.hash == read_job(job).toolpath.hash
    again = camtwin.plan_feeds(job, cell=0.5)
    assert again.toolpath == first.toolpath
    assert [item.changes for item in again.operations] == [item.changes for item in first.operations]
    assert not np.isnan(mended.duration).all()


def test_a_plan_of_feeds_that_are_planned_already_is_refused(limited):
    job = limited
    camtwin.apply(job, camtwin.plan_feeds(job, cell=0.5))
    from freecad_camtwin.twin.feeds.planner import plan_feeds

    found = camtwin.analyze(job, cell=0.5)
    tighter = [replace(limits, force=40.0) for limits in found.limits]
    second = plan_feeds(found.job, found.engagement, found.model, tighter, found.machine)
    assert second.changes > 0
    with pytest.raises(PlanError, match="was made with planned feeds in its path"):
        camtwin.apply(job, second)
