# SPDX-License-Identifier: LGPL-2.1-or-later
"""Units as machines write them, and their conversion into CAM Twin's: mm, s, N, N·mm, W, A, %, 1/min, °C.

MTConnect's words, the symbols of OPC UA's engineering units, and usual spellings in tables are known.
"""

from dataclasses import dataclass

from freecad_camtwin.errors import ProfileError


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of a quantity: value in CAM Twin's unit = value in this unit · factor + shift."""

    ours: str  #: CAM Twin's unit of that quantity
    factor: float
    shift: float = 0.0


_INCH = 25.4
_GRAVITY = 9806.65  # standard acceleration of free fall [mm/s²]

#: CAM Twin's unit → {other spelling, in lower case: factor to CAM Twin's unit}.
_FACTORS: dict[str, dict[str, float]] = {
    "mm": {"mm": 1, "millimeter": 1, "millimetre": 1, "m": 1e3, "meter": 1e3, "cm": 10, "um": 1e-3, "µm": 1e-3,
           "\u03bcm": 1e-3,  # the Greek letter; the line above has the micro sign
           "micron": 1e-3, "micrometer": 1e-3, "in": _INCH, "inch": _INCH, "foot": 12 * _INCH},
    "mm/s": {"mm/s": 1, "millimeter/second": 1, "mm/min": 1 / 60, "millimeter/minute": 1 / 60, "m/min": 1e3 / 60,
             "m/s": 1e3, "in/min": _INCH / 60, "inch/minute": _INCH / 60, "ipm": _INCH / 60, "in/s": _INCH,
             "inch/second": _INCH},
    "mm/s²": {"mm/s²": 1, "mm/s2": 1, "mm/s^2": 1, "millimeter/second^2": 1, "m/s²": 1e3, "m/s2": 1e3, "m/s^2": 1e3,
              "g": _GRAVITY, "gravitational_acceleration": _GRAVITY},
    "%": {"%": 1, "percent": 1, "1": 100, "ratio": 100},
    "W": {"w": 1, "watt": 1, "kw": 1e3, "kilowatt": 1e3, "hp": 745.699872, "ps": 735.49875},
    "A": {"a": 1, "ampere": 1, "ma": 1e-3, "milliampere": 1e-3},
    "N": {"n": 1, "newton": 1, "kn": 1e3, "kilonewton": 1e3, "lbf": 4.4482216},
    "N·mm": {"n·mm": 1, "nmm": 1, "newton_millimeter": 1, "n·m": 1e3, "nm": 1e3, "n*m": 1e3, "newton_meter": 1e3},
    "1/min": {"1/min": 1, "rpm": 1, "rev/min": 1, "revolution/minute": 1, "u/min": 1, "1/s": 60, "hz": 60, "rps": 60,
              "revolution/second": 60, "rad/s": 9.549296585513721, "degree/second": 1 / 6},
    "°C": {"°c": 1, "c": 1, "celsius": 1, "degc": 1},
    "": {"": 1, "count": 1},
}  # fmt: skip
_SHIFTED = {
    "k": Unit("°C", 1.0, -273.15),
    "kelvin": Unit("°C", 1.0, -273.15),
    "f": Unit("°C", 5 / 9, -160 / 9),
    "°f": Unit("°C", 5 / 9, -160 / 9),
    "fahrenheit": Unit("°C", 5 / 9, -160 / 9),
}


def unit(word: str, ours: str) -> Unit:
    """Return the unit ``word`` as a conversion to ``ours``; ProfileError if it is no unit, or of another quantity.

    >>> unit("MILLIMETER/MINUTE", "mm/s").factor * 600
    10.0
    """
    key = word.strip().lower()
    shifted = _SHIFTED.get(key)
    if shifted is not None and shifted.ours == ours:
        return shifted
    factor = _FACTORS[ours].get(key)
    if factor is None:
        raise ProfileError(
            f"{word!r} is no unit that converts to {ours or 'a plain number'!r}; known are {convertible_units(ours)}"
        )
    return Unit(ours, factor)


def is_unit_of(word: str, ours: str) -> bool:
    """Whether ``word`` is a unit that converts to ``ours``."""
    key = word.strip().lower()
    return key in _FACTORS[ours] or (key in _SHIFTED and _SHIFTED[key].ours == ours)


def convertible_units(ours: str) -> str:
    """Return every unit that converts to ``ours``, listed for a sentence."""
    return ", ".join(repr(word) for word in _FACTORS[ours] if word)
