# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turning the feed override changes how fast feed moves are made, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from aligning import package_of
from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.job.toolpath import EventKind, PathEvent
from freecad_camtwin.virtual_machine.motion import Progress
from plan_jobs import job_of, straight_path

STEP = 0.001
DWELL = 2.0


@pytest.fixture(scope="module")
def package():
    """10 mm, a dwell of two seconds, 10 mm; at 10 mm/s."""
    path = straight_path([(0, 0, 0), (10, 0, 0), (20, 0, 0)], [1, 1], 10.0)
    return package_of(job_of(replace(path, events=(PathEvent(1, EventKind.DWELL, DWELL),))))


def run(package, *turns):
    """Run to the end, with (seconds, override) turned on the way; return the way after every millisecond."""
    progress, ways, waiting = Progress(package), [np.zeros(1)], list(turns)
    rows = 1
    while not progress.is_over:
        if waiting and rows >= round(waiting[0][0] / STEP):
            progress.turn(waiting.pop(0)[1])
        many = round(waiting[0][0] / STEP) - rows if waiting else 10
        ways.append(progress.step(max(many, 1), STEP)[2])
        rows += len(ways[-1])
        assert rows < 60_000
    return np.concatenate(ways)


def stood(ways):
    """How long it stood at 10 mm [s]."""
    return STEP * float((np.abs(ways - 10.0) < 1e-6).sum())


@pytest.mark.parametrize("override", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("after", [0.05, 0.5, 1.9])
def test_a_dwell_lasts_as_long_however_the_override_is_turned_meanwhile(package, override, after):
    plain = run(package)
    begun = STEP * float(np.argmax(np.abs(plain - 10.0) < 1e-6))
    turned = run(package, (begun + after, override))
    assert stood(turned) == pytest.approx(stood(plain), abs=0.02)
    rest = len(plain) * STEP - begun - DWELL
    assert len(turned) * STEP == pytest.approx(begun + DWELL + rest / override, abs=0.1)


def test_turning_it_again_and_again_while_it_waits_neither_repeats_nor_ends_the_wait(package):
    plain = run(package)
    begun = STEP * float(np.argmax(np.abs(plain - 10.0) < 1e-6))
    turned = run(package, *((begun + 0.1 + 0.2 * k, 0.5 + 0.1 * k) for k in range(8)), (begun + 1.9, 1.0))
    assert stood(turned) == pytest.approx(stood(plain), abs=0.05)


@pytest.mark.parametrize("at", [0.5, 1.5, 3.4])
def test_turning_it_to_where_it_stands_changes_nothing(package, at):
    plain, turned = run(package), run(package, (at, 1.0))
    count = min(len(plain), len(turned))
    assert abs(len(plain) - len(turned)) <= 3
    assert np.abs(plain[:count] - turned[:count]).max() < 10.0 * 0.005


def test_an_override_of_nothing_holds_it_where_it_is(package):
    held = run(package, (0.5, 0.0), (3.5, 1.0))
    still = held[501:3498]
    assert np.ptp(still) == 0.0
    assert len(held) * STEP == pytest.approx(len(run(package)) * STEP + 3.0, abs=0.1)


def test_a_program_without_moves_cannot_be_run(package):
    empty = straight_path(np.zeros((1, 3)), np.zeros(0), 10.0)
    with pytest.raises(InputError, match="has no moves"):
        Progress(replace(package, lines=replace(package.lines, program=empty)))
