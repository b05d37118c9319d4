# SPDX-License-Identifier: LGPL-2.1-or-later
"""The use case of better feeds: each path simulated once, the proof made, and nothing written where it fails."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calling import PROGRAM, STOCK, TOOL, here, one_sentence
from freecad_camtwin.errors import PlanError, ProgramError
from freecad_camtwin.twin.analysis import analysis as analyzing
from freecad_camtwin.twin.feeds import mend as mending
from freecad_camtwin.twin.feeds import second_look
from freecad_camtwin.twin.feeds.into_toolpath import planned_toolpath
from freecad_camtwin.twin.feeds.mend import mend
from freecad_camtwin.twin.feeds.proof import prove, prove_programs
from freecad_camtwin.twin.feeds.step_feeds import PlanOptions
from freecad_camtwin.twin.job.job import Limits
from plan_jobs import job_of, passes

FORCE = Limits(force=60.0)


@pytest.fixture
def simulated(monkeypatch):
    """Notes the geometry of every toolpath that is simulated."""
    seen = []
    for module in (analyzing, second_look):

        def counted(job, real=module.engage, **options):
            seen.append((job.toolpath.start.tobytes(), job.toolpath.end.tobytes()))
            return real(job, **options)

        monkeypatch.setattr(module, "engage", counted)
    return seen


@pytest.mark.parametrize("machine", [None, "hobby_mill"])
@pytest.mark.parametrize("objective", ["auto", "limits", "programmed"])
def test_no_toolpath_is_simulated_twice(simulated, machine, objective):
    result = mend(job_of(passes()), PlanOptions(objective=objective), limits=FORCE, machine=machine, cell=0.25)
    assert result.plan.changes > 0
    assert len(simulated) == len(set(simulated)) >= 2


@pytest.mark.parametrize("machine", [None, "hobby_mill"])
def test_the_analysis_after_it_is_that_of_the_planned_toolpath(machine):
    job = job_of(passes())
    result = mend(job, limits=FORCE, machine=machine, cell=0.25)
    path = planned_toolpath(job.toolpath, result.plan)
    fresh = analyzing.analyze(replace(job, toolpath=path), limits=FORCE, machine=machine, cell=0.25)
    assert result.after.to_json() == fresh.to_json()
    for name in ("force", "torque", "power", "h_ex"):
        np.testing.assert_array_equal(getattr(result.after.load, name), getattr(fresh.load, name))


def test_a_plan_does_not_depend_on_threads():
    one, two = (mend(job_of(passes()), limits=FORCE, cell=0.25, threads=threads) for threads in (1, 2))
    assert one.plan == two.plan
    assert one.after.to_json() == two.after.to_json()


def test_the_objective_of_the_job_holds_unless_the_caller_states_another():
    job = replace(job_of(passes()), objective="programmed")
    assert mend(job, limits=FORCE, cell=0.5).plan.relative
    assert not mend(job, PlanOptions(), limits=FORCE, cell=0.5).plan.relative


def test_progress_rises_to_its_end():
    shares = []
    mend(job_of(passes()), limits=FORCE, cell=0.5, progress=shares.append)
    assert shares == sorted(shares)
    assert 0.5 < shares[-1] <= 1.0


def toolpath(text):
    from pathlib import Path

    from freecad_camtwin.twin.job.program import job_of_text

    return job_of_text(text.encode(), Path("part.ngc")).toolpath


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("G1 X60 F900", "G1 X60.02 F900"),  # another end
        ("G1 Y3\n", "G1 Y3\nG1 X61\n"),  # a move more
        ("G1 Y3\n", ""),  # a move less
        ("G0 Z5\n", "G1 Z5\n"),  # a rapid that became a feed move
        ("G3 X30 Y20 I-8 J0", "G2 X30 Y20 I-8 J0"),  # an arc the other way round
        ("G3 X30 Y20 I-8 J0", "G3 X30 Y20 I-9 J0"),  # another radius
        ("S8000 M3", "S9000 M3"),
        ("S8000 M3", "S8000 M4"),
        ("T1 M6", "T2 M6"),
        ("G0 Z20", "G4 P2\nG0 Z20"),
        ("G0 Z20", "M1\nG0 Z20"),
        ("G0 Z20", "M8\nG0 Z20"),
    ],
)
def test_whatever_differs_besides_feeds_has_no_proof(old, new):
    assert old in PROGRAM
    other = PROGRAM.replace(old, new, 1)
    with pytest.raises(PlanError, match=r"more than feeds.*Nothing was written"):
        prove_programs(PROGRAM.encode(), other.encode())


def test_other_feeds_and_split_moves_have_a_proof():
    other = PROGRAM.replace("G1 X60 F900", "G1 X20.1234 F600\nG1 X60 F1200").replace("G1 Y3", "G1 Y3 F300")
    proof = prove_programs(PROGRAM.encode(), other.encode())
    assert (proof.splits, proof.objection) == (1, None)
    assert proof.feed_changes >= 2


def test_split_points_may_be_off_by_what_the_program_rounds_them_to():
    inches = "G20 G90\nG0 X0 Y0 Z1\nG1 Z-0.1 F4\nG1 X1 Y1.7321 F20\nM2\n"
    halved = inches.replace("G1 X1 Y1.7321", "G1 X0.5 Y0.8662 F15\nG1 X1 Y1.7321")
    assert prove_programs(inches.encode(), halved.encode()).split_deviation > 0.001
    coarse = halved.replace("Y0.8662", "Y0.8761")
    with pytest.raises(PlanError, match="more than feeds"):
        prove_programs(inches.encode(), coarse.encode())


def test_a_program_that_cannot_be_read_again_has_no_proof():
    with pytest.raises(PlanError, match=r"cannot be read again.*Nothing was written"):
        prove_programs(PROGRAM.encode(), PROGRAM.replace("X60 F900", "X60 F9 0 0 Q").encode())
    with pytest.raises(ProgramError):
        prove_programs(b"0 BEGIN PGM part MM\n", PROGRAM.encode())


def test_a_toolpath_is_proven_against_its_planned_one():
    job = job_of(passes())
    result = mend(job, limits=FORCE, cell=0.5)
    assert prove(job.toolpath, result.after.job.toolpath).splits == result.proof.splits > 0
    assert result.proof.same_geometry


def test_a_failed_proof_writes_nothing(tmp_path, monkeypatch):
    source = tmp_path / "slot.ngc"
    source.write_text(PROGRAM)
    output, plan = tmp_path / "mended.ngc", tmp_path / "plan.json"
    output.write_text("what was there")
    honest = mending.rewrite
    call = ("optimize", source, "-o", output, "--plan", plan, TOOL, STOCK, "--material=6061", "--limit=force=60")
    assert here(*call).code == 0
    assert output.read_text() != "what was there"
    output.write_text("what was there")
    plan.unlink()
    monkeypatch.setattr(mending, "rewrite", lambda *given: honest(*given).replace(b"G1 X40", b"G1 X40.5"))
    assert "more than feeds" in one_sentence(here(*call))
    assert output.read_text() == "what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mended.ngc", "slot.ngc"]


@given(st.lists(st.tuples(st.integers(-12, 12), st.integers(-12, 12)), min_size=5, max_size=60), st.randoms())
def test_moves_shorter_than_the_rounding_are_proven_when_they_are_split(steps, rng):
    """Adaptive paths have moves of some micrometers, and posts write three decimals."""
    points = np.cumsum([(0.0, 0.0), *[(x * 7e-4, y * 7e-4) for x, y in steps]], axis=0)
    assert prove_programs(posted(points, rng, split=False), posted(points, rng, split=True)).objection is None


def posted(points, rng, *, split):
    lines = ["G21 G90", "G0 X0 Y0 Z5", "G1 Z-1 F100"]
    for start, end in pairwise(points):
        shares = sorted(rng.uniform(0, 1) for _ in range(rng.randrange(3))) if split else []
        for share in [*shares, 1.0]:
            x, y = start + share * (end - start)
            lines.append(f"G1 X{x:.3f} Y{y:.3f} F{rng.randrange(100, 900)}")
    return "\n".join([*lines, "G1 X50.000 Y0.000", "M2"]).encode()
