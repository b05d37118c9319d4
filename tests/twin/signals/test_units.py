# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every unit that a machine may name is converted by its definition; what is no unit of the quantity is refused."""

import math

import pytest

from freecad_camtwin.errors import ProfileError
from freecad_camtwin.twin.signals import units
from freecad_camtwin.twin.signals.columns import to_columns
from freecad_camtwin.twin.signals.observation import Event, Samples
from freecad_camtwin.twin.signals.signal_map import Meaning, Signal, SignalMap

#: Definitions: the international foot (1959), standard gravity (CGPM 1901), the avoirdupois pound (1959).
FOOT = 304.8
GRAVITY = 9.80665
POUND = 0.45359237
#: A metric horsepower lifts 75 kg by a metre in a second, a mechanical one 550 lb by a foot.
METRIC_HORSEPOWER = 75 * GRAVITY
HORSEPOWER = 550 * POUND * GRAVITY * FOOT / 1000

#: Our unit → {spelling: how much of ours one of theirs is}.
FACTORS = {
    "mm": {
        "mm": 1, "millimeter": 1, "millimetre": 1, "m": 1000, "meter": 1000, "cm": 10, "um": 0.001, "µm": 0.001,
        "\u03bcm": 0.001,
        "micron": 0.001, "micrometer": 0.001, "in": FOOT / 12, "inch": FOOT / 12, "foot": FOOT,
    },
    "mm/s": {
        "mm/s": 1, "millimeter/second": 1, "mm/min": 1 / 60, "millimeter/minute": 1 / 60, "m/min": 1000 / 60,
        "m/s": 1000, "in/min": FOOT / 720, "inch/minute": FOOT / 720, "ipm": FOOT / 720, "in/s": FOOT / 12,
        "inch/second": FOOT / 12,
    },
    "mm/s²": {
        "mm/s²": 1, "mm/s2": 1, "mm/s^2": 1, "millimeter/second^2": 1, "m/s²": 1000, "m/s2": 1000, "m/s^2": 1000,
        "g": 1000 * GRAVITY, "gravitational_acceleration": 1000 * GRAVITY,
    },
    "%": {"%": 1, "percent": 1, "1": 100, "ratio": 100},
    "W": {"w": 1, "watt": 1, "kw": 1000, "kilowatt": 1000, "hp": HORSEPOWER, "ps": METRIC_HORSEPOWER},
    "A": {"a": 1, "ampere": 1, "ma": 0.001, "milliampere": 0.001},
    "N": {"n": 1, "newton": 1, "kn": 1000, "kilonewton": 1000, "lbf": POUND * GRAVITY},
    "N·mm": {
        "n·mm": 1, "nmm": 1, "newton_millimeter": 1, "n·m": 1000, "nm": 1000, "n*m": 1000, "newton_meter": 1000,
    },
    "1/min": {
        "1/min": 1, "rpm": 1, "rev/min": 1, "revolution/minute": 1, "u/min": 1, "1/s": 60, "hz": 60, "rps": 60,
        "revolution/second": 60, "rad/s": 60 / math.tau, "degree/second": 60 / 360,
    },
    "°C": {"°c": 1, "c": 1, "celsius": 1, "degc": 1},
    "": {"": 1, "count": 1},
}  # fmt: skip
#: Spelling → (its value where water freezes, its value where water boils).
TEMPERATURES = {
    "k": (273.15, 373.15),
    "kelvin": (273.15, 373.15),
    "f": (32.0, 212.0),
    "°f": (32.0, 212.0),
    "fahrenheit": (32.0, 212.0),
}
ROWS = [(ours, word, factor) for ours, words in FACTORS.items() for word, factor in words.items()]


def test_the_table_here_has_every_spelling_that_is_known():
    assert {ours: set(words) for ours, words in FACTORS.items()} == {
        ours: set(words) for ours, words in units._FACTORS.items()
    }
    assert set(TEMPERATURES) == set(units._SHIFTED)


@pytest.mark.parametrize(("ours", "word", "factor"), ROWS)
def test_a_unit_is_converted_by_its_definition(ours, word, factor):
    shouted = word if "µ" in word else word.upper()  # of the micro sign that is a Greek capital, which no unit has
    for spelling in (word, shouted, f" {word} "):
        unit = units.unit(spelling, ours)
        assert unit.ours == ours
        assert unit.factor == pytest.approx(factor, rel=1e-8)
        assert unit.shift == 0.0


@pytest.mark.parametrize("word", TEMPERATURES)
def test_a_temperature_scale_meets_ours_where_water_freezes_and_boils(word):
    unit = units.unit(word.upper(), "°C")
    freezes, boils = TEMPERATURES[word]
    assert freezes * unit.factor + unit.shift == pytest.approx(0.0, abs=1e-9)
    assert boils * unit.factor + unit.shift == pytest.approx(100.0, abs=1e-9)


@pytest.mark.parametrize(("ours", "words"), [*FACTORS.items(), ("°C", TEMPERATURES)])
def test_a_unit_is_one_of_its_own_quantity_alone(ours, words):
    for word in words:
        known_in = {other for other in FACTORS if word in FACTORS[other] or (other == "°C" and word in TEMPERATURES)}
        for other in FACTORS:
            assert units.is_unit_of(word, other) == (other in known_in)
            if other not in known_in:
                with pytest.raises(ProfileError, match="is no unit that converts to"):
                    units.unit(word, other)


@pytest.mark.parametrize("word", ["", "furlong", "mm/s/s", "kWh", "°", "mm min", "percent ", "K"])
def test_a_word_that_is_no_length_is_refused_and_the_known_ones_are_named(word):
    assert not units.is_unit_of(word, "mm")
    with pytest.raises(ProfileError, match=r"is no unit that converts to 'mm'; known are 'mm', .*'inch', 'foot'"):
        units.unit(word, "mm")


@pytest.mark.parametrize(
    ("meaning", "column", "unit", "theirs", "ours"),
    [
        (Meaning.TEMPERATURE, "temperature", "°F", 212.0, 100.0),
        (Meaning.TEMPERATURE, "temperature", "KELVIN", 273.15, 0.0),
        (Meaning.SPINDLE_POWER, "power", "PS", 2.0, 2 * METRIC_HORSEPOWER),
        (Meaning.FEED, "feed", "ipm", 60.0, 25.4),
    ],
)
def test_a_number_that_comes_as_a_word_is_converted_like_one_in_a_row(meaning, column, unit, theirs, ours):
    """MTConnect sends slow items one by one, as text; fast ones come in rows."""
    signals = SignalMap((Signal("item", meaning, unit), Signal("x", Meaning.POSITION_X)))
    word = [Event(1.0, "item", str(theirs)), Samples.row(2.0, {"x": 0.0})]
    row = [Samples.row(2.0, {"x": 0.0, "item": theirs})]
    for observations in (word, row):
        assert to_columns(signals, observations).values[column] == pytest.approx([ours], abs=1e-9)


def test_scale_and_offset_of_a_word_come_before_its_unit():
    """A sensor that sends tenths of a degree Fahrenheit above freezing: 1800 are 212 °F."""
    tenths = Signal("item", Meaning.TEMPERATURE, "°F", scale=0.1, offset=32.0)
    signals = SignalMap((tenths, Signal("x", Meaning.POSITION_X)))
    columns = to_columns(signals, [Event(1.0, "item", "1800"), Samples.row(2.0, {"x": 0.0})])
    assert columns.values["temperature"] == pytest.approx([100.0])
