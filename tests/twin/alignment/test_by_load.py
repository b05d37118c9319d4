# SPDX-License-Identifier: LGPL-2.1-or-later
"""With nothing but a power clamp on the spindle's cable, operations are found by the course of the load in time."""

from dataclasses import replace

import numpy as np
import pytest

from clamped import clamped, panel, slots
from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.alignment.align import align
from freecad_camtwin.twin.signals.columns import Columns


@pytest.fixture(scope="module", params=[panel, slots])
def package(request):
    return request.param()


def test_operations_are_found_within_half_a_second_whatever_overrides_and_holds(package):
    errors = []
    for seed in range(8):
        run = clamped(package, seed)
        found = align(package, run.columns)
        assert found.method == "power"
        errors += run.boundary_errors(package, found)
    assert np.mean(np.array(errors) <= 0.5) > 0.95
    assert max(errors) < 1.0


def test_a_wait_in_the_air_before_an_operation_belongs_before_it(package):
    run = clamped(package, 0, held_before=4)
    assert max(run.boundary_errors(package, align(package, run.columns))) <= 0.5


def test_the_predicted_power_of_every_sample_is_like_the_measured(package):
    run = clamped(package, 2)
    found = align(package, run.columns)
    predicted = found.predicted("power")
    known = np.isfinite(predicted)
    assert known.mean() > 0.9
    assert np.corrcoef(run.power[known], predicted[known])[0, 1] > 0.9


def test_a_load_alone_is_never_more_than_four_fifths_sure_of_a_place(package):
    sure = align(package, clamped(package, 2).columns).confidence
    assert sure.min() >= 0.0
    assert sure.max() <= 0.8


def test_a_clamp_that_shows_no_load_places_nothing(package):
    found = align(package, Columns(np.arange(0, 60, 0.1), {"power": np.full(600, 150.0)}))
    assert (found.executed == -1).all()
    assert (found.confidence == 0.0).all()


def test_a_clock_that_was_set_during_the_run_is_named(package):
    time = np.concatenate([np.arange(0, 3, 0.1), 1.7e9 + np.arange(0, 60, 0.1)])
    with pytest.raises(InputError, match=r"the run lasts 19,675\.9 days.*rows whose clock was wrong"):
        align(package, Columns(time, {"power": np.linspace(100.0, 150.0, len(time))}))


@pytest.mark.parametrize("move", [5, -1])
def test_a_program_that_would_take_years_is_named(package, move):
    time = package.time.copy()
    time[move] = 1e9
    with pytest.raises(InputError, match="the program lasts"):
        align(replace(package, time=time), clamped(package, 0).columns)
