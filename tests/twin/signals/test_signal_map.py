# SPDX-License-Identifier: LGPL-2.1-or-later
"""A signal map says what a machine's items mean; whatever the machine sends becomes rows in our units."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freecad_camtwin.errors import InputError, ProfileError
from freecad_camtwin.twin.signals.columns import Translator, joined, to_columns
from freecad_camtwin.twin.signals.discovery import Item, propose_signals
from freecad_camtwin.twin.signals.observation import GAP, Event, Samples
from freecad_camtwin.twin.signals.signal_map import (
    QUANTITIES,
    Meaning,
    Signal,
    SignalMap,
    decode_signals,
    encode_signals,
    read_signals,
)

CLAMP = b"""
name = "old mill"
source = "mqtt://broker/shop/mill"
[[signals]]
item = "clamp"
meaning = "SPINDLE_POWER"
unit = "kW"
scale = 0.001
delay_s = 0.25
[[signals]]
item = "line"
meaning = "LINE_NUMBER"
"""


def a_map(*signals, **more):
    return SignalMap(tuple(Signal(*signal) for signal in signals), **more)


def test_every_meaning_has_a_quantity_and_its_own_column():
    assert set(QUANTITIES) == set(Meaning)
    columns = [quantity.column for quantity in QUANTITIES.values()]
    assert len(set(columns)) == len(columns)


def test_a_map_survives_being_written():
    signals = decode_signals(CLAMP, "clamp.toml")
    assert decode_signals(encode_signals(signals), "again") == signals
    odd = a_map(('a "quoted"\\ name\n\x7f', Meaning.FEED, "mm/min"), coordinates="machine", work_zero=(1.0, -2.5, 1e-9))
    assert decode_signals(encode_signals(odd), "again") == odd


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "signals is missing"),
        (b"signals = []", "has no"),
        (b"\xff\xfe", "is not TOML"),
        (b"[[signals]]\nitem='a'\nmeaning='SPINDEL'", "SPINDEL"),
        (b"[[signals]]\nitem='a'", "meaning is missing"),
        (b"[[signals]]\nitem='a'\nmeaning='FEED'\ndelay=1", "delay is not an entry"),
        (b"[[signals]]\nitem='a'\nmeaning='FEED'\ndelay_s=-1", "delay_s"),
        (b"[[signals]]\nitem='a'\nmeaning='FEED'\nunit='kW'", "'kW' is no unit"),
        (b"[[signals]]\nitem='a'\nmeaning='PROGRAM'\nunit='kW'", "has no unit"),
        (b"[[signals]]\nitem='a'\nmeaning='FEED'\nscale=0.0", "no scale 0"),
        (b"[[signals]]\nitem='a'\nmeaning='FEED'\nscale=nan", "finite"),
        (b"[[signals]]\nitem='a'\nmeaning='FEED'\n[[signals]]\nitem='b'\nmeaning='FEED'", "'a' and to 'b'"),
        (b"[[signals]]\nitem='a'\nmeaning='FEED'\n[[signals]]\nitem='a'\nmeaning='FEED'", "keep one"),
        (b"work_zero_mm=[0.0,0.0,1.0]\n[[signals]]\nitem='a'\nmeaning='FEED'", "machine"),
        (b"coordinates='polar'\n[[signals]]\nitem='a'\nmeaning='FEED'", "polar"),
    ],
)
def test_a_wrong_map_gets_a_sentence_that_names_the_entry(text, sentence):
    with pytest.raises(ProfileError, match=r"signal map bad\.toml") as caught:
        decode_signals(text, "bad.toml")
    assert sentence in str(caught.value)


def test_a_map_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ProfileError, match="cannot be read"):
        read_signals(tmp_path / "none.toml")
    (tmp_path / "huge.toml").write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(ProfileError, match="larger than 1 MB"):
        read_signals(tmp_path / "huge.toml")


@pytest.mark.parametrize(
    ("meaning", "unit", "theirs", "ours"),
    [
        (Meaning.POSITION_X, "INCH", 1.0, 25.4),
        (Meaning.POSITION_X, "µm", 5.0, 0.005),
        (Meaning.FEED, "MILLIMETER/SECOND", 10.0, 10.0),
        (Meaning.FEED, "mm/min", 600.0, 10.0),
        (Meaning.FEED, "in/min", 60.0, 25.4),
        (Meaning.SPINDLE_POWER, "kW", 2.0, 2000.0),
        (Meaning.SPINDLE_TORQUE, "N·m", 1.5, 1500.0),
        (Meaning.SPINDLE_SPEED, "REVOLUTION/SECOND", 2.0, 120.0),
        (Meaning.FEED_OVERRIDE, "ratio", 0.8, 80.0),
        (Meaning.TEMPERATURE, "KELVIN", 300.0, 26.85),
        (Meaning.TEMPERATURE, "°F", 212.0, 100.0),
        (Meaning.VIBRATION, "g", 1.0, 9806.65),
    ],
)
def test_units_are_converted_once(meaning, unit, theirs, ours):
    columns = to_columns(a_map(("a", meaning, unit)), [Samples.row(1.0, {"a": theirs})])
    assert columns.values[QUANTITIES[meaning].column] == pytest.approx([ours])


def test_scale_and_offset_come_before_the_unit():
    # A 4-20 mA loop of 0-5 kW: 12 mA is the middle.
    loop = Signal("ma", Meaning.SPINDLE_POWER, unit="kW", scale=5 / 16, offset=-5 / 4)
    assert to_columns(SignalMap((loop,)), [Samples.row(0.0, {"ma": 12.0})]).values["power"] == pytest.approx([2500.0])


def test_rows_hold_what_other_items_said_last_until_it_is_unavailable():
    signals = a_map(("x", Meaning.POSITION_X), ("o", Meaning.FEED_OVERRIDE), ("p", Meaning.PROGRAM))
    said = [
        Samples.row(1.0, {"x": 1.0}),
        Samples.row(2.0, {"o": 90.0}),
        Event(2.5, "p", "part.ngc"),
        Samples(np.array([3.0, 4.0]), ("x", "stranger"), np.array([[2.0, 7.0], [np.nan, 7.0]])),
        Event(4.5, "x", None),
        Samples.row(5.0, {"o": 100.0}),
        Event(6.0, GAP, "the broker went away"),
        Samples.row(7.0, {"x": 3.0}),
    ]
    columns = to_columns(signals, said)
    assert list(columns.time) == [1, 2, 3, 4, 5, 7]
    np.testing.assert_array_equal(columns.values["x"], [1, 1, 2, 2, np.nan, 3])
    np.testing.assert_array_equal(columns.values["feed_override"], [np.nan, 90, 90, 90, 100, np.nan])
    assert [(word.column, word.value) for word in columns.words] == [
        ("program", "part.ngc"),
        ("gap", "the broker went away"),
    ]


def test_machine_coordinates_become_work_coordinates():
    signals = a_map(
        ("x", Meaning.POSITION_X), ("z", Meaning.POSITION_Z), ("g54x", Meaning.WORK_OFFSET_X),
        ("g54z", Meaning.WORK_OFFSET_Z), ("g92z", Meaning.WORK_SHIFT_Z), ("h", Meaning.TOOL_LENGTH),
        coordinates="machine",
    )  # fmt: skip
    row = {"x": 110.0, "z": -30.0, "g54x": 100.0, "g54z": -100.0, "g92z": 5.0, "h": 60.0}
    columns = to_columns(signals, [Samples.row(0.0, row)])
    assert (columns.values["x"][0], columns.values["z"][0]) == (10.0, 5.0)
    fixed = a_map(("x", Meaning.POSITION_X), coordinates="machine", work_zero=(100.0, 0.0, 0.0))
    assert to_columns(fixed, [Samples.row(0.0, {"x": 110.0})]).values["x"][0] == 10.0


def test_late_doubled_and_timeless_rows_are_dropped_and_counted():
    translator = Translator(a_map(("x", Meaning.POSITION_X)))
    times = np.array([1.0, 2.0, 2.0, np.nan, 4.0, 3.0])
    first = translator.take(Samples(times, ("x",), np.arange(6.0).reshape(-1, 1)))
    second = translator.take(Samples(np.array([3.5, 5.0]), ("x",), np.array([[6.0], [np.inf]])))
    # Within a block rows are put in order; what is older than the block before is late.
    assert list(first.time) == [1, 2, 3, 4]
    assert list(second.time) == [5]
    assert second.values["x"][0] == 4.0  # infinite is no number, so the last one holds
    assert translator.counters["late or doubled"] == 2
    assert translator.counters["timeless"] == 1


def test_late_rows_in_a_block_with_new_ones_do_not_run_time_back():
    translator = Translator(a_map(("x", Meaning.POSITION_X)))
    translator.take(Samples.row(10.0, {"x": 0.0}))
    rows = translator.take(Samples(np.array([1.0, 2.0, 3.0, 11.0]), ("x",), np.arange(4.0).reshape(-1, 1)))
    assert (list(rows.time), list(rows.values["x"])) == ([11.0], [3.0])


@pytest.mark.parametrize("delay", [0.0, 0.5])
def test_what_a_second_message_says_of_an_instant_is_not_lost(delay):
    signals = (
        Signal("x", Meaning.POSITION_X),
        Signal("y", Meaning.POSITION_Y),
        Signal("n", Meaning.SPINDLE_SPEED, delay=delay),
    )
    translator = Translator(SignalMap(signals))
    told = [Samples.row(1.0, {"x": 1.0}), Samples.row(1.0, {"y": 5.0}), Samples.row(2.0, {"x": 2.0})]
    columns = joined([*(translator.take(each) for each in told), translator.rest()])
    assert list(columns.time) == [1.0, 2.0]
    assert columns.values["y"][-1] == 5.0
    one = Samples(np.array([3.0, 3.0]), ("x", "y"), np.array([[3.0, np.nan], [np.nan, 6.0]]))
    columns = joined([translator.take(one), translator.rest()])
    assert (list(columns.time), list(columns.values["x"]), list(columns.values["y"])) == ([3.0], [3.0], [6.0])


def test_a_clock_that_was_set_back_does_not_silence_the_machine():
    translator = Translator(a_map(("x", Meaning.POSITION_X)))
    before = [translator.take(Samples.row(1000.0 + k, {"x": k})) for k in range(10)]
    after = [translator.take(Samples.row(10.0 + k, {"x": 100.0 + k})) for k in range(20)]
    columns = joined([*before, *after])
    assert (np.diff(columns.time) > 0).all()
    assert columns.rows >= 10 + 20 - 4
    assert columns.values["x"][-1] == 119.0
    assert translator.counters["clock set back"] == 1


def test_a_late_message_is_no_clock_that_was_set_back():
    translator = Translator(a_map(("x", Meaning.POSITION_X)))
    for k in range(20):
        translator.take(Samples.row(1000.0 + k, {"x": k}))
        translator.take(Samples.row(900.0 + k, {"x": -1.0}))
    assert translator.counters["clock set back"] == 0
    assert translator.counters["late or doubled"] == 20


def test_a_slow_signal_is_brought_together_with_the_fast_ones():
    time = np.arange(0.0, 10.0, 0.01)
    slow = Signal("p", Meaning.SPINDLE_POWER, delay=0.25)
    translator = Translator(SignalMap((Signal("x", Meaning.POSITION_X), slow, Signal("o", Meaning.FEED_OVERRIDE))))
    override = np.floor(time)
    parts = []
    for rows in np.array_split(np.arange(len(time)), 77):
        x, p = time[rows] * 3, (time[rows] - 0.25) * 100
        parts.append(translator.take(Samples(time[rows], ("x", "p", "o"), np.stack([x, p, override[rows]], axis=1))))
    assert sum(part.rows for part in parts) == len(time) - 25
    columns = joined([*parts, translator.rest()])
    np.testing.assert_allclose(columns.time, time)
    told = columns.time < 9.74
    np.testing.assert_allclose(columns.values["power"][told], columns.time[told] * 100, atol=1e-6)
    assert np.isnan(columns.values["power"][-20:]).all()
    np.testing.assert_array_equal(columns.values["feed_override"], override)


NUMBERS = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([np.nan, np.inf, -np.inf]))


@given(
    rows=st.lists(st.tuples(st.integers(0, 3), NUMBERS, NUMBERS), min_size=1, max_size=30),
    cuts=st.sets(st.integers(1, 29)),
    delay=st.sampled_from([0.0, 2.0]),
)
def test_rows_are_the_same_however_they_were_cut_into_messages(rows, cuts, delay):
    steps, *values = np.array(rows).T
    time, values = 1000.0 + np.cumsum(steps), np.stack(values, axis=1)
    signals = SignalMap((Signal("n", Meaning.SPINDLE_SPEED, delay=delay), Signal("x", Meaning.POSITION_X)))

    def told(blocks):
        translator = Translator(signals)
        parts = [translator.take(Samples(time[each], ("x", "n"), values[each])) for each in blocks]
        return joined([*parts, translator.rest()])

    whole = told([np.arange(len(rows))])
    cuts = [cut for cut in sorted(cuts) if (cut < len(rows)) and steps[cut]]  # an instant that is told is told
    cut = told(np.array_split(np.arange(len(rows)), cuts))
    np.testing.assert_array_equal(cut.time, whole.time)
    for name, column in whole.values.items():
        np.testing.assert_array_equal(cut.values[name], column)


def test_columns_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="do not fit"):
        Samples(np.zeros(3), ("a", "b"), np.zeros((3, 1)))


def test_a_probe_becomes_a_map():
    offered = [
        Item("Xact", "POSITION", "MILLIMETER", "ACTUAL", "Linear X"),
        Item("Xcom", "POSITION", "MILLIMETER", "COMMANDED", "Linear X"),
        Item("Zact", "POSITION", "INCH", "ACTUAL", "Linear Z"),
        Item("S1load", "LOAD", "PERCENT", "", "Rotary S1"),
        Item("Xload", "LOAD", "PERCENT", "", "Linear X"),
        Item("Yload", "LOAD", "NEWTON", "", "Linear Y"),
        Item("Fovr", "PATH_FEEDRATE_OVERRIDE", "PERCENT", "PROGRAMMED", "Path P1"),
        Item("Frapidovr", "PATH_FEEDRATE_OVERRIDE", "PERCENT", "RAPID", "Path P1"),
        Item("line", "LINE_NUMBER", "", "INCREMENTAL", "Path P1"),
        Item("exec", "EXECUTION", "", "", "Path P1"),
    ]
    proposal = propose_signals(offered, name="probe")
    told = {signal.meaning: (signal.item, signal.unit) for signal in proposal.signals.signals}
    assert told == {
        Meaning.POSITION_X: ("Xact", "MILLIMETER"),
        Meaning.POSITION_Z: ("Zact", "INCH"),
        Meaning.SPINDLE_LOAD: ("S1load", "PERCENT"),
        Meaning.AXIS_LOAD_X: ("Xload", "PERCENT"),
        Meaning.FEED_OVERRIDE: ("Fovr", "PERCENT"),
        Meaning.RAPID_OVERRIDE: ("Frapidovr", "PERCENT"),
        Meaning.LINE_NUMBER: ("line", ""),
        Meaning.EXECUTION: ("exec", ""),
    }
    assert any("'Yload'" in note and "NEWTON" in note for note in proposal.notes)
    assert decode_signals(encode_signals(proposal.signals), "proposed") == proposal.signals


def test_names_alone_become_a_map():
    offered = [
        Item("ns=2;s=Machine.Spindle.Load"), Item("motion.position.x"), Item("motion.position.y"), Item("position_z"),
        Item("motion_line"), Item("vfd/power", unit="kW"), Item("FeedOverride"), Item("Spindle1Override"),
        Item("feedrate"), Item("colour"), Item("tool_in_spindle"),
    ]  # fmt: skip
    proposal = propose_signals(offered)
    told = {signal.item: signal.meaning for signal in proposal.signals.signals}
    assert told["motion.position.x"] is Meaning.POSITION_X
    assert told["position_z"] is Meaning.POSITION_Z
    assert told["motion_line"] is Meaning.LINE_NUMBER
    assert told["vfd/power"] is Meaning.SPINDLE_POWER
    assert told["FeedOverride"] is Meaning.FEED_OVERRIDE
    assert told["feedrate"] is Meaning.FEED
    assert told["tool_in_spindle"] is Meaning.TOOL_NUMBER
    assert told["ns=2;s=Machine.Spindle.Load"] is Meaning.SPINDLE_LOAD
    assert "colour" not in told
