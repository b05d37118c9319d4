# SPDX-License-Identifier: LGPL-2.1-or-later
"""A running machine is placed as it goes, whatever its operator does to it, as well as a whole run afterwards."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest

from aligning import EPOCH, made_up, package_of, recomposed, recorded, trochoid
from freecad_camtwin.twin.alignment.align import Aligner, align
from freecad_camtwin.twin.alignment.lag import Correction
from freecad_camtwin.twin.alignment.learn import LESSON_TIMES, Lesson
from freecad_camtwin.twin.signals.columns import Columns, joined, to_columns
from freecad_camtwin.twin.signals.observation import Samples
from freecad_camtwin.twin.signals.signal_map import Meaning, Signal, SignalMap

BIAS = (0.03, -0.03, 0.03)
FAULTS = dict(lag=0.02, bias=BIAS, noise=0.002)
KNOWN = Correction(lag=0.02, bias=BIAS, noise=0.004)
#: What happens to a run: pieces of it, as shares, and seconds of standing still.
STORIES = {
    "is made twice": [(0.0, 1.0), 3.0, (0.0, 1.0)],
    "is stopped and begun again": [(0.0, 0.6), 2.0, (0.0, 1.0)],
    "is begun in the middle": [(0.4, 0.402), 0.5, (0.402, 1.0)],
    "jumps back": [(0.0, 0.6), 1.0, (0.3, 1.0)],
    "is held for 20 s": [(0.0, 0.5), 20.0, (0.5, 1.0)],
}


def live(package, columns, correction=None, block=50):
    """Place a run block by block; return what came out, joined, and the most rows that were held back."""
    aligner = Aligner(package, correction)
    parts, most, placed = [], 0, 0
    for at in range(0, columns.rows, block):
        parts.append(aligner.take(columns.part(slice(at, at + block))))
        placed += parts[-1][0].rows
        most = max(most, at + block - placed)
    parts.append(aligner.rest())
    assert joined(ready for ready, _ in parts).time.tolist() == columns.time.tolist()
    names = ("executed", "way", "confidence", "operation")
    found = {name: np.concatenate([getattr(found, name) for _, found in parts]) for name in names}
    return SimpleNamespace(**found, correction=aligner.correction, most=most, method=parts[-1][1].method)


@pytest.mark.parametrize("name", ["zigzag_P0.01", "trochoid_P0.01", "panel_P0.01"])
@pytest.mark.parametrize("story", list(STORIES))
def test_a_run_is_followed_when_it(story, name):
    package, run = recomposed(name, STORIES[story], **FAULTS)
    columns = run.columns(line=name.startswith("zigzag"))
    whole, followed = align(package, columns), live(package, columns, KNOWN)
    assert run.within_1_percent(package, whole) >= 99.5
    assert run.within_1_percent(package, followed) >= 99.5


def test_both_ways_say_the_same():
    package, run = recorded("panel_P0.01", **FAULTS)
    whole = align(package, run.columns(), correction=KNOWN)
    followed = live(package, run.columns(), KNOWN, block=7)
    assert followed.executed.tolist() == whole.executed.tolist()
    assert followed.way == pytest.approx(whole.way, abs=1e-6)


def test_rows_wait_for_a_velocity_and_no_longer():
    package, run = recorded("panel_P0.01", every=1, **FAULTS)
    assert live(package, run.columns(rows=slice(0, 20_000)), KNOWN, block=10).most <= 820  # 0.8 s, while it is found
    aligner = Aligner(package, KNOWN)
    aligner.take(run.columns(rows=slice(0, 5_000)))
    waiting = []
    for at in range(5_000, 9_000, 10):
        ready, _ = aligner.take(run.columns(rows=slice(at, at + 10)))
        waiting.append(at + 10 - (ready.time[-1] - EPOCH) * 1e3 if ready.rows else np.inf)
    assert max(waiting) <= 9  # 8 ms to each side of a sample tell its velocity


def test_a_machine_teaches_its_lag_bias_and_delay_within_a_minute():
    package, run = recorded("panel_P0.01", delay=0.03, **FAULTS)
    followed = live(package, run.columns(line=True))
    assert followed.correction.lag == pytest.approx(0.02, abs=0.003)
    assert followed.correction.delay == pytest.approx(0.03, abs=0.003)
    assert followed.correction.bias == pytest.approx(BIAS, abs=0.003)
    late = run.time > 20
    known = run.columns(line=True, rows=late)
    assert run.within_1_percent(package, live(package, known, followed.correction), late) >= 99.5


def test_what_is_learned_beside_is_what_is_learned_at_once():
    package, run = recorded("panel_P0.01", **FAULTS)
    columns = run.columns(line=True)
    with ThreadPoolExecutor(1) as teacher:
        aligner = Aligner(package, teacher=teacher)
        for at in range(0, columns.rows, 50):
            aligner.take(columns.part(slice(at, at + 50)))
            teacher.submit(int).result()  # what was to be learned is learned
    assert aligner.correction == live(package, columns).correction != Correction()


def test_a_silence_of_30_seconds_loses_only_itself():
    package = package_of(trochoid(loops=120))
    run = made_up(package, **FAULTS)
    rows = (run.time < 20) | (run.time > 50)
    followed = live(package, run.columns(rows=rows), KNOWN)
    assert run.within_1_percent(package, followed, rows) >= 99.5


def test_positions_that_cannot_be_do_no_harm():
    package, run = recorded("panel_P0.01", **FAULTS)
    random = np.random.default_rng(0)
    bad = random.random(len(run.time)) < 0.01
    points = run.points.copy()
    points[bad] = random.choice([np.nan, 1e6, -300.0, 0.0], (int(bad.sum()), 3))
    columns = Columns(EPOCH + run.time, dict(zip("xyz", points.T, strict=True)))
    for found in (align(package, columns), live(package, columns, KNOWN)):
        assert run.within_1_percent(package, found) >= 99.0


def test_a_position_that_is_nowhere_on_the_path_is_placed_nowhere():
    package, run = recorded("zigzag_P0.01")
    high = Columns(EPOCH + run.time, dict(zip("xyz", (run.points + np.array([0.0, 0.0, 50.0])).T, strict=True)))
    for found in (align(package, high), live(package, high, KNOWN)):
        assert (found.executed == -1).mean() > 0.95
        assert found.confidence[found.executed == -1].max() == 0.0


def test_a_source_slower_than_its_rows_is_no_machine_that_stands():
    package, run = recorded("trochoid_P0.01", every=1, lag=0.02)
    held = np.arange(len(run.time)) // 20 * 20  # rows at 1 kHz, positions at 50 Hz
    columns = Columns(EPOCH + run.time, dict(zip("xyz", run.points[held].T, strict=True)))
    found = align(package, columns)
    assert run.within_1_percent(package, found) >= 99.5
    assert found.correction.lag == pytest.approx(0.02, abs=0.005)


@pytest.mark.parametrize("wrong", [lambda line: 10 * line, lambda line: line + 100, lambda line: 0 * line + 20])
def test_lines_of_something_else_do_no_harm(wrong):
    package, run = recorded("panel_P0.01", **FAULTS)
    columns = run.columns(line=True)
    columns.values["line"][:] = wrong(run.line)
    for found in (align(package, columns), live(package, columns, KNOWN)):
        assert run.within_1_percent(package, found) >= 99.0
        assert found.method == "position"
        assert np.median(found.confidence) > 0.9


def test_lines_alone_place_a_running_machine():
    package, run = recorded("zigzag_P0.01")
    followed = live(package, run.columns(points=False, line=True), block=5)
    assert run.within_1_percent(package, followed) >= 99.5
    assert followed.method in ("line", "nothing")


def test_a_load_alone_places_a_run_only_afterwards():
    package, run = recorded("zigzag_P0.01")
    followed = live(package, Columns(EPOCH + run.time, {"power": np.ones(len(run.time))}))
    assert (followed.executed == -1).all()
    assert followed.most <= 50


def test_work_offsets_shifts_and_tool_lengths_are_taken_out_as_they_change():
    package, run = recorded("panel_P0.01")
    later = (run.time > 60).astype(float)  # G55, G92 and another tool, all at once
    offset, shift, length = np.array([100.0, -50.0, -200.0]), np.array([1.5, 0.0, -2.0]), 80.0 + 12.5 * later
    machine = run.points + np.outer(1 + later, offset) + np.outer(later, shift)
    machine[:, 2] += length
    meanings = [f"{kind}_{axis}" for kind in ("POSITION", "WORK_OFFSET", "WORK_SHIFT") for axis in "XYZ"]
    signals = SignalMap(
        tuple(Signal(name, Meaning[name]) for name in [*meanings, "TOOL_LENGTH"]), coordinates="machine"
    )
    told = np.column_stack([machine, np.outer(1 + later, offset), np.outer(later, shift), length])
    columns = to_columns(signals, [Samples(EPOCH + run.time, (*meanings, "TOOL_LENGTH"), told)])
    for found in (align(package, columns), live(package, columns, Correction())):
        assert run.within_1_percent(package, found) >= 99.5


@pytest.mark.parametrize("rate", [200.0, 10.0, 4.0])
def test_a_slow_source_teaches_as_much_in_as_long(rate):
    lesson = Lesson(SimpleNamespace(line=None))
    lesson._learn = lambda time, *_: time[-1]
    nothing = np.zeros((1, 2))
    taught = [
        lesson.take(np.array([time]), np.array([[time, 0.0, 0.0]]), nothing, nothing)
        for time in np.arange(0.0, 70.0, 1 / rate)
    ]
    assert [found for found in taught if found is not None] == pytest.approx(LESSON_TIMES, abs=1 / rate)
    assert lesson.is_over


def test_a_machine_that_stands_all_night_teaches_nothing():
    lesson = Lesson(SimpleNamespace(line=None))
    for time in np.arange(0.0, 3600.0, 0.1):
        assert lesson.take(np.array([time]), np.zeros((1, 3)), np.zeros((1, 2)), np.zeros((1, 2))) is None
    assert sum(len(part[0]) for part in (*lesson._known, *lesson._parts)) < 10
