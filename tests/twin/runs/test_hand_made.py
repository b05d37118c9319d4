# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every figure of a run is what paper and pencil say of it."""

from dataclasses import replace

import numpy as np
import pytest

import hand_made
from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.alignment.lag import Correction
from freecad_camtwin.twin.runs.execution import make_executions
from freecad_camtwin.twin.runs.summary import execution_properties
from freecad_camtwin.twin.signals.run import Silence

CORRECTION = Correction(lag=0.02, delay=0.01, bias=(0.1, 0.2, 0.3))


def execution(told=None, made=None, **said):
    """The only execution of the run, each row placed where it was."""
    made = made or hand_made.package()
    told = hand_made.columns() if told is None else told
    found = hand_made.placed(made, told, distance=0.05, correction=CORRECTION)
    (only,) = make_executions(made, hand_made.run(made, told, **said), alignment=found)
    return only


@pytest.fixture(scope="module")
def measured():
    told = hand_made.columns()
    told.values["spindle_load"] = told.values["power"] / 5.0  # 100 % are 500 W
    return execution(told, received=110, dropped={"late or doubled": 5}, machine="mill 1", operator="Ada", name="r1")


def test_figures_of_the_whole_run(measured):
    figures = measured.figures
    assert figures.cycle_time == 13.0
    assert figures.seen_time == 13.0
    assert figures.predicted_time == pytest.approx(9.0)
    assert figures.breakdown == {
        "cutting": 8.0, "air": 3.0, "rapid": 2.0, "stopped": 0.0, "tool_change": 0.0, "elsewhere": 0.0, "gap": 0.0,
    }  # fmt: skip
    # Feed moves: 3 s at 100 %, 8 s at 50 %; at the programmed feed they would take 7 s.
    assert figures.feed_override == pytest.approx((3 * 100 + 8 * 50) / 11)
    assert (figures.feed_override_low, figures.feed_override_high) == (50.0, 100.0)
    assert figures.feed_reached == pytest.approx(7 / 11)
    assert figures.removed == pytest.approx(40 + 90)
    assert figures.q == pytest.approx(130 / 8)


def test_energy_is_the_integral_of_power(measured):
    """Rows lie 1/8 s apart; where the power jumps, the trapezoid between two rows takes the mean."""
    drawn = 50 * 4 + 60 * 9 + 200 * 1 + 100 * 1 + 200 * 6
    jumps = (200 + 100 - 200 - 100 + 10 + 200 - 200) / 2 / 8  # half a row for every rise, before it
    assert measured.figures.energy == pytest.approx(drawn + jumps)
    # Of the cut alone the rise lies before its first row, and is none of it; the falls are.
    net = 160 * 1 + 80 * 1 + 160 * 6 - (80 + 80 + 160) / 2 / 8
    assert measured.figures.cutting_energy == pytest.approx(net)


def test_figures_of_the_operations(measured):
    face, side = measured.operations
    assert (face.label, face.length, face.seen) == ("Face", 40.0, pytest.approx(1.0))
    assert (side.label, side.length, side.seen) == ("Side", 50.0, pytest.approx(1.0))
    assert (face.time, face.stood, face.unseen, face.seen_time) == pytest.approx((4.0, 0.0, 0.0, 4.0))
    assert (side.time, side.stood, side.unseen, side.seen_time) == pytest.approx((9.0, 0.0, 0.0, 9.0))
    assert (face.predicted_time, side.predicted_time) == pytest.approx((4.0, 5.0))
    assert (face.feed_override, side.feed_override) == pytest.approx((100.0, 50.0))
    assert (face.feed_reached, side.feed_reached) == pytest.approx((1.0, 0.5))
    assert (face.removed, side.removed) == pytest.approx((40.0, 90.0))


@pytest.mark.parametrize(("name", "unit", "watt"), [("power", "W", 1.0), ("spindle_load", "%", 0.2)])
def test_a_load_is_taken_at_the_tool_whatever_its_unit(measured, name, unit, watt):
    """A drive tells its load in percent of its rated power; as from a power, idling and the spindle's losses go off."""
    face, side = (operation.loads[name] for operation in measured.operations)
    whole = measured.figures.loads[name]
    assert {face.unit, side.unit, whole.unit} == {unit}
    assert (face.idle, side.idle, whole.idle) == (pytest.approx(50 * watt), pytest.approx(60 * watt), None)
    assert (face.mean, side.mean, whole.mean) == pytest.approx((120 * watt, 160 * watt, 150 * watt))
    assert (face.p95, side.p95, whole.p95) == pytest.approx((160 * watt, 160 * watt, 160 * watt))
    assert (face.greatest, side.greatest, whole.greatest) == pytest.approx((160 * watt, 160 * watt, 160 * watt))
    assert (face.predicted, side.predicted, whole.predicted) == pytest.approx((100 * watt, 200 * watt, 175 * watt))
    assert (face.ratio, side.ratio, whole.ratio) == pytest.approx((1.2, 0.8, 150 / 175))
    assert (side.ratio_low, side.ratio_high) == pytest.approx((0.8, 0.8))
    assert 0.8 <= face.ratio_low < 1.2 < face.ratio_high <= 1.6


def test_a_load_is_held_against_the_limit_of_its_own_operation(measured):
    face, side = (operation.loads["power"] for operation in measured.operations)
    assert (face.limit, side.limit) == (100.0, 400.0)
    assert (face.over_limit, side.over_limit) == pytest.approx((0.5, 0.0))  # 160 W for half of the first cut
    assert measured.figures.loads["power"].limit is None
    for operation in measured.operations:
        assert (operation.loads["spindle_load"].limit, operation.loads["spindle_load"].over_limit) == (None, None)


def test_quality_of_the_data(measured):
    quality = measured.quality
    assert (quality.method, quality.samples, quality.interval) == ("position", 105, 0.125)
    assert (quality.placed, quality.seen) == pytest.approx((1.0, 1.0))
    assert quality.off_path == pytest.approx(0.05)
    assert quality.confidence == pytest.approx(
        np.exp(-0.5 * 0.5**2)
    )  # half of the distance that is as likely elsewhere
    assert (quality.lag, quality.delay, quality.bias) == (0.02, 0.01, (0.1, 0.2, 0.3))
    assert (quality.gaps, quality.gap_time) == (0, 0.0)
    assert (quality.received, quality.dropped) == (110, {"late or doubled": 5})


def test_figures_of_the_moves(measured):
    moves = measured.moves
    assert moves["start"] == pytest.approx([0, 1, 3, 4, 6, 12])
    assert moves["time"] == pytest.approx([1, 2, 1, 2, 6, 1])
    assert moves["predicted_time"] == pytest.approx([1, 2, 1, 1, 3, 1])
    assert moves["covered"] == pytest.approx(np.ones(6))
    assert list(moves["samples"]) == [8, 16, 8, 16, 48, 9]
    assert moves["feed_override"] == pytest.approx([100, 100, 100, 50, 50, 50])
    assert moves["power.mean"] == pytest.approx([0, 120, 0, 0, 160, 0])
    assert moves["power.p95"] == pytest.approx([0, 160, 0, 0, 160, 0])
    assert moves["power.greatest"] == pytest.approx([0, 160, 0, 0, 160, 0])
    assert moves["power.predicted"] == pytest.approx([0, 100, 0, 0, 200, 0])
    assert (moves["stood"] == 0).all()
    assert (moves["unseen"] == 0).all()


def test_the_summary_shows_these_figures_with_their_units(measured):
    shown = execution_properties(measured)
    figures, power = measured.figures, 150.0
    assert shown["KPI"] == {
        "cycle time [s]": "13",
        "predicted time of what was seen [s]": "9",
        "cutting [s]": "8", "air [s]": "3", "rapid [s]": "2", "stopped [s]": "0", "tool change [s]": "0",
        "elsewhere [s]": "0", "gap [s]": "0",
        "feed override [%]": "63.6364", "feed reached [%]": "63.6364",
        "energy [Wh]": f"{figures.energy / 3600:.6g}",
        "energy of the cut [Wh]": f"{figures.cutting_energy / 3600:.6g}",
        "removed [mm³]": "130", "mean removal rate [mm³/s]": "16.25",
        "seen [%]": "100", "lag [ms]": "20", "gaps [1]": "0",
        "mean power of the cut [W]": f"{power:g}", "power over predicted [%]": f"{100 * 150 / 175:.6g}",
        "mean spindle load of the cut [%]": f"{power / 5:g}",
        "spindle load over predicted [%]": f"{100 * 150 / 175:.6g}",
    }  # fmt: skip
    assert shown["Operations"] == {
        "1 Face": "4.0 s of 4.0 s predicted, 100.0 % seen, power 120 W, 120 % of predicted",
        "2 Side": "9.0 s of 5.0 s predicted, 100.0 % seen, power 160 W, 80 % of predicted",
    }
    assert (shown["Label"], shown["Started"]) == ("Run 1970-01-01 00:00:00", "1970-01-01T00:00:00Z")
    assert (shown["RunName"], shown["Source"], shown["Program"]) == ("r1", "part.run", "part.ngc")
    assert (shown["Machine"], shown["Operator"], shown["Simulated"]) == ("mill 1", "Ada", False)


def test_a_thousand_watts_for_an_hour_are_a_kilowatt_hour():
    told = hand_made.columns(power=np.full(105, 1000.0))
    shown = execution_properties(execution(told))["KPI"]
    assert float(shown["energy [Wh]"]) == pytest.approx(1000 * 13 / 3600, rel=1e-5)


def test_what_is_not_known_is_not_in_the_summary():
    told = hand_made.columns(power=None, feed_override=None)
    shown = execution_properties(execution(hand_made.part(told, slice(None))))
    left_out = {"energy [Wh]", "energy of the cut [Wh]", "feed override [%]"}
    assert not left_out & set(shown["KPI"])
    assert not [name for name in shown["KPI"] if "power" in name]
    assert shown["Operations"]["1 Face"] == "4.0 s of 4.0 s predicted, 100.0 % seen"


def test_two_silences_are_two_gaps_however_many_rows_they_swallow():
    told = hand_made.columns()
    silences = (Silence(1.5, 2.5, "lost"), Silence(7.0, 9.0, "lost"))
    found = execution(told, silences=silences)  # rows came all the same: the recorder says that they are stale
    assert (found.quality.gaps, found.quality.gap_time) == (2, pytest.approx(3.0))
    assert found.figures.seen_time == pytest.approx(10.0)
    hushed = (told.time <= 1.5) | (told.time >= 2.5) & (told.time <= 7.0) | (told.time >= 9.0)
    found = execution(hand_made.part(told, hushed))
    assert (found.quality.gaps, found.quality.gap_time) == (2, pytest.approx(3.0))
    assert found.operations[0].unseen == pytest.approx(1.0)
    assert found.operations[0].seen == pytest.approx(30 / 40)
    assert found.operations[1].unseen == pytest.approx(2.0)
    assert found.operations[1].seen == pytest.approx(40 / 50)
    assert found.figures.predicted_time == pytest.approx(9.0 - 1.0 - 1.0)


def test_a_silence_before_or_after_the_run_is_no_gap_of_it():
    for silence in (Silence(-9.0, -3.0, "lost"), Silence(20.0, 30.0, "lost"), Silence(20.0, None, "lost")):
        assert execution(silences=(silence,)).quality.gaps == 0


@pytest.mark.parametrize("late", [0, 1])
def test_a_source_that_repeats_its_last_value_saw_a_gap_and_no_stop(late):
    """It repeats a position for 2 s and then leaps to the true one; the leap may take two rows."""
    told = hand_made.columns()
    x = told.values["x"]
    old = slice(56, 72)
    x[old] = x[55]
    if late:
        x[72] = x[55] + 0.25 * (x[73] - x[55])
    found = execution(told)
    stood = found.figures.breakdown["stopped"]
    assert stood == 0.0
    assert found.quality.gaps == 1
    assert found.figures.breakdown["gap"] == pytest.approx(2.125 + 0.125 * late, abs=0.13)
    assert found.figures.cycle_time == 13.0


def test_a_machine_that_stands_and_goes_on_from_there_stood():
    told = hand_made.columns()
    still = hand_made.part(told, np.concatenate([np.arange(56), np.full(16, 55), np.arange(56, 105)]))
    still.time[:] = np.arange(121) * hand_made.EVERY
    found = execution(still)
    assert found.figures.breakdown["stopped"] == pytest.approx(2.0, abs=0.26)
    assert found.figures.breakdown["gap"] == 0.0
    assert found.figures.cycle_time == 15.0


def test_the_ratio_is_that_of_the_cut_and_not_of_what_is_too_faint_to_measure():
    """Where almost nothing is predicted, an error of idling would be taken for a load many times as high."""
    made, told = hand_made.with_faint_cuts()
    face, side = (operation.loads["power"] for operation in execution(told, made).operations)
    assert (face.ratio, side.ratio) == pytest.approx((1.2, 0.8))


def fitted(placed, confidence):
    """A run that names no path; so much of what moved has a place, and so surely."""
    made, told = hand_made.package(), hand_made.columns()
    off = 0.1 * np.sqrt(-2 * np.log(confidence))
    found = hand_made.placed(made, told, distance=float(off))
    lost = np.zeros(told.rows, bool)
    lost[1 : 1 + round((1 - placed) * (told.rows - 1))] = True  # the first row has not moved yet
    nowhere = {name: np.where(lost, -1, getattr(found, name)) for name in ("executed", "move", "operation", "step")}
    found = replace(found, way=np.where(lost, np.nan, found.way), **nowhere)
    return make_executions(made, hand_made.run(made, told, toolpath_hash=None), alignment=found)


@pytest.mark.parametrize(("placed", "confidence"), [(0.62, 0.9), (1.0, 0.42), (0.62, 0.42)])
def test_a_run_that_names_no_path_is_kept_where_it_fits(placed, confidence):
    (only,) = fitted(placed, confidence)
    assert any("its samples fit this path" in note for note in only.notes)


@pytest.mark.parametrize(("placed", "confidence"), [(0.58, 0.9), (1.0, 0.38)])
def test_a_run_that_names_no_path_is_refused_with_its_figures_where_it_does_not_fit(placed, confidence):
    sentence = (
        rf"{100 * placed:.0f} % of its samples have a place on it, with a confidence of {confidence:.2f};.* refused"
    )
    with pytest.raises(InputError, match=sentence):
        fitted(placed, confidence)


def test_a_run_along_another_path_or_program_is_refused_however_well_it_fits():
    made = hand_made.package(program_sha256="d" * 64)
    told = hand_made.columns()
    found = hand_made.placed(made, told)
    for said in ({"toolpath_hash": "f" * 64}, {"toolpath_hash": None, "program_hash": "e" * 64}):
        with pytest.raises(InputError, match="they cannot be compared"):
            make_executions(made, hand_made.run(made, told, **said), alignment=found)
    for said in ({}, {"toolpath_hash": None, "program_hash": "d" * 64}):
        (only,) = make_executions(made, hand_made.run(made, told, **said), alignment=found)
        assert only.notes == ()
