# SPDX-License-Identifier: LGPL-2.1-or-later
"""An execution tells what a real LinuxCNC did, move by move, and refuses what ran along another path."""

from dataclasses import replace

import numpy as np
import pytest

import runs
from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.runs.execution import _uppers, make_executions
from freecad_camtwin.twin.runs.passage import _begins, _onward
from freecad_camtwin.twin.signals.columns import Columns, joined
from freecad_camtwin.twin.signals.run import Silence


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return runs.package(tmp_path_factory.mktemp("job"))


@pytest.fixture(scope="module")
def execution(package):
    return runs.make_execution(package, runs.run(package))


def part(columns, which):
    return Columns(columns.time[which], {name: values[which] for name, values in columns.values.items()})


def test_the_time_is_the_controllers(execution, package):
    """LinuxCNC's planner is reproduced to a servo cycle, so each move must be seen to take what was predicted."""
    assert execution.figures.cycle_time == pytest.approx(package.time.sum(), abs=0.3)
    assert np.nansum(execution.moves["time"]) == pytest.approx(execution.figures.cycle_time, abs=1e-6)
    off = np.abs(execution.moves["time"] - execution.moves["predicted_time"])
    assert np.nanquantile(off, 0.9) < 0.01
    assert sum(execution.figures.breakdown.values()) == pytest.approx(execution.figures.cycle_time)
    assert execution.quality.seen > 0.999
    assert execution.unseen_moves == 0
    assert [figures.feed_reached for figures in execution.operations] == pytest.approx([1.0, 1.0], abs=0.01)


def test_the_load_is_what_the_cut_took(execution):
    for figures, gain in zip(execution.operations, runs.GAIN, strict=True):
        load = figures.loads["power"]
        assert load.idle == pytest.approx(runs.IDLE, abs=0.5)
        assert load.ratio == pytest.approx(gain, rel=0.04)
        assert load.ratio_low <= load.ratio <= load.ratio_high
        assert load.over_limit == 0.0
    drawn = runs.IDLE * execution.figures.cycle_time
    assert execution.figures.energy > drawn
    assert execution.figures.energy - drawn == pytest.approx(execution.figures.cutting_energy / 0.85, rel=0.1)


def test_a_noisy_sensor_is_said_to_tell_little_of_a_light_cut(package, execution):
    assert not any("idling" in note for note in execution.notes)
    told, off = runs.columns(package), []
    for seed in range(4):
        noise = np.random.default_rng(seed).normal(0.0, 100.0, told.rows)
        loud = Columns(told.time, {**told.values, "power": told.values["power"] + noise})
        noisy = runs.make_execution(package, runs.run(package, loud))
        for index, operation in enumerate(noisy.operations):
            (note,) = (note for note in noisy.notes if operation.label in note)
            assert "is known only within" in note
            error = package.machine.spindle.efficiency * (operation.loads["power"].idle - runs.IDLE)
            off.append(error / noisy.trace.loads["power"].unsure[index])
    assert 0.4 < np.sqrt(np.mean(np.square(off))) < 1.8  # one standard error is one


def test_removed_volume_is_that_of_the_simulation(execution, package):
    assert execution.figures.removed == pytest.approx(package.steps.volume.sum(), rel=1e-3)


def test_a_feed_hold_is_standing_and_not_cutting(package, execution):
    told = runs.columns(package)
    cut = np.searchsorted(told.time, runs.STARTED + 60.0)
    still = part(told, np.full(300, cut))
    held = Columns(told.time[cut] + 0.01 * np.arange(1, 301), still.values)
    held.values["power"][:] = runs.IDLE
    after = part(told, slice(cut + 1, None))
    found = runs.make_execution(
        package,
        runs.run(package, joined([part(told, slice(0, cut + 1)), held, Columns(after.time + 3.0, after.values)])),
    )
    assert found.figures.breakdown["stopped"] == pytest.approx(3.0 + execution.figures.breakdown["stopped"], abs=0.15)
    assert found.figures.cycle_time == pytest.approx(execution.figures.cycle_time + 3.0, abs=0.1)
    assert np.nanmax(found.moves["stood"]) == pytest.approx(3.0, abs=0.15)
    assert found.operations[0].loads["power"].ratio == pytest.approx(runs.GAIN[0], rel=0.04)


def test_of_a_silence_nothing_is_known_but_its_length(package, execution):
    told = runs.columns(package)
    kept = (told.time < runs.STARTED + 100) | (told.time > runs.STARTED + 110)
    silence = Silence(runs.STARTED + 100, runs.STARTED + 110, "connection lost")
    found = runs.make_execution(package, runs.run(package, part(told, kept), silences=(silence,)))
    assert found.figures.breakdown["gap"] == pytest.approx(10.0, abs=0.1)
    assert found.quality.gaps == 1
    assert found.figures.seen_time == pytest.approx(execution.figures.cycle_time - 10.0, abs=0.1)
    lost = found.moves["covered"] < 0.01
    assert 0 < lost.sum() <= 20
    assert np.isnan(found.moves["power.mean"][lost]).all()
    assert found.moves["unseen"][lost] == pytest.approx(found.moves["time"][lost], abs=1e-6)
    untouched = found.moves["covered"] > 0.999
    assert found.moves["time"][untouched] == pytest.approx(execution.moves["time"][untouched], abs=0.02)
    assert found.figures.predicted_time == pytest.approx(found.figures.seen_time, abs=0.3)


def test_a_source_that_repeats_an_old_position_did_not_see_the_machine_stand(package, execution):
    told = runs.columns(package)
    old = (told.time > runs.STARTED + 100) & (told.time < runs.STARTED + 103)
    for name in ("x", "y", "z", "line"):
        told.values[name][old] = told.values[name][np.argmax(old)]
    found = runs.make_execution(package, runs.run(package, told))
    assert found.figures.breakdown["gap"] == pytest.approx(3.0, abs=0.1)
    assert found.figures.breakdown["stopped"] == pytest.approx(execution.figures.breakdown["stopped"], abs=0.1)
    assert found.operations[0].feed_reached == pytest.approx(1.0, abs=0.01)
    assert found.operations[0].loads["power"].ratio == pytest.approx(runs.GAIN[0], rel=0.04)


def test_two_executions_in_one_recording_are_told_apart(package, execution):
    first, second = runs.columns(package, seed=2), runs.columns(package, seed=3, at=300.0)
    found = make_executions(package, runs.run(package, joined([first, second])))
    assert [each.about.part for each in found] == [1, 2]
    for each in found:
        assert each.figures.cycle_time == pytest.approx(execution.figures.cycle_time, abs=0.2)
        assert each.quality.seen > 0.999
    assert found[1].about.started - found[0].about.started == pytest.approx(300.0, abs=0.1)


def test_a_run_that_was_cut_short_is_seen_as_far_as_it_came(package):
    told = runs.columns(package)
    found = runs.make_execution(package, runs.run(package, part(told, told.time < runs.STARTED + 80)))
    assert 0.2 < found.quality.seen < 0.4
    assert found.operations[1].seen == 0.0
    assert found.operations[1].loads["power"].ratio is None
    reached = np.isfinite(found.moves["time"])
    assert np.isnan(found.moves["start"][~reached]).all()
    assert 0 < reached.sum() < package.job.toolpath.moves


def test_without_a_load_only_times_are_compared(package):
    found = runs.make_execution(package, runs.run(package, runs.columns(package, power=None)))
    assert found.load is None
    assert found.figures.energy is None
    assert any("has no measured load" in note for note in found.notes)
    assert found.figures.cycle_time == pytest.approx(package.time.sum(), abs=0.3)


def test_without_positions_the_line_numbers_tell(package):
    told = runs.columns(package, x=None, y=None, z=None)
    found = runs.make_execution(package, runs.run(package, told))
    assert found.quality.method == "line"
    assert found.quality.off_path is None
    for figures, gain in zip(found.operations, runs.GAIN, strict=True):
        assert figures.loads["power"].ratio == pytest.approx(gain, rel=0.05)


def test_by_the_load_alone_operations_are_told_and_standing_is_not(package):
    told = runs.columns(package, every=20, x=None, y=None, z=None, line=None)
    found = runs.make_execution(package, runs.run(package, told))
    assert found.quality.method == "power"
    assert found.figures.breakdown["stopped"] == 0.0
    assert any("placed by its load alone" in note for note in found.notes)
    for figures, gain in zip(found.operations, runs.GAIN, strict=True):
        assert figures.loads["power"].ratio == pytest.approx(gain, rel=0.05)


@pytest.mark.parametrize("times", [0.02, 8.0, -1.0])
def test_a_load_that_cannot_be_this_cut_is_refused_where_it_alone_tells(package, times):
    told = runs.columns(package, every=20, x=None, y=None, z=None, line=None)
    assert runs.make_execution(package, runs.run(package, told, toolpath_hash=None)).quality.method == "power"
    told.values["power"][:] = 200.0 + times * (told.values["power"] - runs.IDLE)
    with pytest.raises(InputError, match=r"does not fit the load of .* in the cut it is -?\d+ % of the predicted load"):
        runs.make_execution(package, runs.run(package, told, toolpath_hash=None))


REFUSED = [
    ({"toolpath_hash": "f" * 64}, "was recorded along another path (ffffffffffff…)"),
    ({"toolpath_hash": None, "program_hash": "e" * 64}, "ran the program ? (eeeeeeeeeeee…)"),
]


@pytest.mark.parametrize(("said", "sentence"), REFUSED)
def test_a_run_along_another_path_is_refused(package, said, sentence):
    package = replace(package, program_sha256="d" * 64)
    with pytest.raises(InputError) as caught:
        runs.make_execution(package, runs.run(package, **said))
    assert sentence in str(caught.value)
    assert "cannot be compared" in str(caught.value)


def test_a_run_without_a_hash_is_judged_by_its_fit(package):
    found = runs.make_execution(package, runs.run(package, toolpath_hash=None))
    assert any("its samples fit this path" in note for note in found.notes)
    told = runs.columns(package, line=None)
    elsewhere = Columns(told.time, {**told.values, "x": 1.7 * told.values["y"], "y": 0.4 * told.values["x"] + 3})
    with pytest.raises(InputError, match=r"does not fit the path|lies on the path"):
        runs.make_execution(package, runs.run(package, elsewhere, toolpath_hash=None))


def test_a_run_without_rows_is_refused(package):
    with pytest.raises(InputError, match="holds no samples"):
        runs.make_execution(package, runs.run(package, Columns(np.empty(0))))


def test_a_blink_in_the_wrong_place_spoils_nothing():
    way = np.linspace(0, 100, 2001)
    way[500:520] = 90.0  # far ahead
    way[1200:1210] = 3.0  # far behind
    kept = _onward(way)
    assert not kept[500:520].any()
    assert not kept[1200:1210].any()
    assert kept.sum() == 2001 - 30
    assert _begins(np.arange(2001) / 50, way, 20.0) == []


def test_the_upper_values_of_moves_are_those_of_a_slow_count():
    chance = np.random.default_rng(4)
    move, values, weight = chance.integers(-1, 6, 400), chance.normal(0, 1, 400), chance.uniform(0.1, 1, 400)
    p95, greatest = _uppers(values, weight, move, 8)
    for at in range(8):
        mine = np.flatnonzero(move == at)
        if not len(mine):
            assert np.isnan([p95[at], greatest[at]]).all()
            continue
        order = mine[np.argsort(values[mine])]
        below = np.cumsum(weight[order]) / weight[order].sum()
        assert p95[at] == values[order][np.argmax(below >= 0.95)]
        assert greatest[at] == values[mine].max()
