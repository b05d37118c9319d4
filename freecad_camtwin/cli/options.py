# SPDX-License-Identifier: LGPL-2.1-or-later
"""The options that commands share, and the parsers of ``--tool``, ``--stock`` and ``--limit``."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import click

from freecad_camtwin.errors import StockError
from freecad_camtwin.twin.job.job import Limits, Stock
from freecad_camtwin.twin.job.supply import ToolWords


@dataclass
class Settings:
    """Options of the whole call."""

    freecad: str | None  #: path of freecadcmd; None: search for it
    quiet: bool


class _Words(click.ParamType[Any]):
    """A comma-separated value that a function parses.

    A ValueError of the parser is a wrong call (exit code 2). A value that parses but is impossible, such as a diameter
    of 0, is bad input (exit code 3).
    """

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the text of one option."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            return self.fail(str(error), param, ctx)


class Finite(click.FloatRange):
    """A finite number in a range: NaN passes every comparison, and infinity every range that is open."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse the text of one option."""
        parsed = super().convert(value, param, ctx)
        return parsed if math.isfinite(parsed) else self.fail(f"'{value}' is not a finite number.", param, ctx)


def number(text: str) -> float:
    """Read a finite number."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"'{text}' is not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"'{text}' is not a finite number")
    return value


def length(text: str) -> float:
    """Read a length above 0 [mm]."""
    if number(text) <= 0:
        raise ValueError(f"{text} mm is not above 0")
    return number(text)


def pairs(text: str) -> dict[str, str]:
    """Read ``A=1,b=two``; each name may occur once."""
    values: dict[str, str] = {}
    for word in text.split(","):
        name, equals, value = word.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise ValueError(f"'{word}' is not NAME=VALUE")
        if name.strip() in values:
            raise ValueError(f"'{name.strip()}' is given twice")
        values[name.strip()] = value.strip()
    return values


def parse_tool(text: str) -> ToolWords:
    """Read ``T=1,D=6,z=2,shape=flat``: number, diameter, edges, shape; re, angle, tip, length, reach, shank."""
    return ToolWords.from_pairs(pairs(text), number)


def parse_stock(text: str) -> Stock:
    """Read ``x0,y0,z0,x1,y1,z1``: two opposite corners of a box [mm], in the program's coordinates."""
    values = [number(word) for word in text.split(",")]
    if len(values) != 6:
        raise ValueError(f"a stock is a box of six numbers x0,y0,z0,x1,y1,z1, not {len(values)}")
    (x0, x1), (y0, y1), (z0, z1) = (sorted(pair) for pair in zip(values[:3], values[3:], strict=True))
    if x0 == x1 or y0 == y1 or z0 == z1:
        raise StockError(
            "the stock has no volume: its two corners share a coordinate; give two opposite corners of a box."
        )
    return Stock((x0, y0, z0), (x1, y1, z1))


#: Name of a limit on the command line → (attribute, factor to the twin's unit).
_LIMITS: Mapping[str, tuple[str, float]] = {
    **{field.name.replace("_", "-"): (field.name, 1.0) for field in fields(Limits)},
    "feed-min": ("feed_min", 1 / 60),
    "feed-max": ("feed_max", 1 / 60),
}


def parse_limits(text: str) -> Limits:
    """Read ``power=750,force=120``: W, N, N·mm, mm; feeds in mm/min."""
    limits = Limits()
    for name, value in pairs(text).items():
        if name not in _LIMITS:
            raise ValueError(f"'{name}' is not one of {', '.join(_LIMITS)}")
        attribute, factor = _LIMITS[name]
        if number(value) <= 0:
            raise ValueError(f"the limit {name}={value} is not above 0")
        limits = replace(limits, **{attribute: number(value) * factor})
    return limits


def merged_limits(several: tuple[Limits, ...]) -> Limits:
    """Merge the limits of several options; a later value replaces an earlier one."""
    values: dict[str, float] = {}
    for limits in several:
        for field in fields(Limits):
            value = getattr(limits, field.name)
            if value is not None:
                values[field.name] = value
    return Limits(**values)


def _adopt(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
    def adopt(context: click.Context, _: click.Parameter, value: Any) -> None:
        settings = context.find_object(Settings)
        if value and settings is not None:
            setattr(settings, name, value)

    return adopt


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """Accept ``--freecad`` and ``--quiet`` after the command as well as before it."""
    freecad = click.option(
        "--freecad", metavar="PATH", expose_value=False, callback=_adopt("freecad"), help="The freecadcmd to use."
    )
    quiet = click.option(
        "--quiet", "-q", is_flag=True, expose_value=False, callback=_adopt("quiet"), help="Print nothing but errors."
    )
    return freecad(quiet(command))


FILE = click.Path(path_type=Path)  # does not check that the file exists: a missing file is exit code 3, not 2

_SOURCE = (
    click.argument("source", metavar="INPUT", type=FILE),
    click.option("--job", metavar="LABEL", help="Which job of a document (default: the only or first one)."),
    click.option("--material", metavar="M", help="Workpiece material; see 'camtwin materials'."),
    click.option("--machine", metavar="FILE", help="Machine profile: a TOML file or a name of 'camtwin machine list'."),
    click.option(
        "--cell",
        type=_Words("length", length),
        metavar="MM",
        help="Cell size of the simulated stock [mm] (default: from the size of stock and tools).",
    ),
    click.option("--slices", type=click.IntRange(1, 32), default=4, show_default=True, help="Axial slices of the cut."),
    click.option(
        "--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Threads of the simulation."
    ),
    click.option(
        "--tool",
        "tools",
        multiple=True,
        type=_Words("tool", parse_tool),
        metavar="T=1,D=6,z=2,shape=flat",
        help="A tool, or the values that a document's tools lack; may be repeated. See docs/cli.md.",
    ),
    click.option(
        "--stock",
        type=_Words("stock", parse_stock),
        metavar="x0,y0,z0,x1,y1,z1",
        help="Two opposite corners of the raw box, in the program's coordinates [mm].",
    ),
    click.option(
        "--spindle-rpm",
        type=Finite(min=0, min_open=True),
        metavar="N",
        help="Spindle speed [1/min], used if the input gives none.",
    ),
    click.option(
        "--limit",
        "limits",
        multiple=True,
        type=_Words("limits", parse_limits),
        metavar="power=750,force=120",
        help="Limits of every cut: power [W], torque [N·mm], force [N], deflection, h-ex-max [mm] …",
    ),
    click.option("--feed-min", type=Finite(min=0, min_open=True), metavar="MM/MIN", help="Slowest feed to write."),
    click.option("--feed-max", type=Finite(min=0, min_open=True), metavar="MM/MIN", help="Fastest feed to write."),
)


def input_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the argument INPUT and the options that describe it to a command."""
    for option in reversed(_SOURCE):
        command = option(command)
    return common(command)
