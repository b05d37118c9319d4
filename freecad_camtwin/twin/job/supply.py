# SPDX-License-Identifier: LGPL-2.1-or-later
"""Values that a user adds to a job whose source lacks them: spindle speed, tool dimensions, stock.

Only unknown values are filled; values of the source are never changed. Each value filled in is stated in one sentence.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from freecad_camtwin.twin.job.job import Job, Stock
from freecad_camtwin.twin.job.tool import Shape, Tool, read_profile
from freecad_camtwin.twin.job.toolpath import MoveKind

#: Name in ``--tool`` → (field of Tool, factor to its unit).
_NUMBERS = {
    "D": ("dc", 1.0),
    "re": ("re", 1.0),
    "angle": ("sig", math.pi / 180),
    "tip": ("tip_dc", 1.0),
    "length": ("apmx", 1.0),
    "reach": ("lpr", 1.0),
    "shank": ("dmm", 1.0),
    "helix": ("fha", math.pi / 180),
}
_WHOLE = {"T": "number", "z": "zefp"}
_IN_WORDS = {
    "dc": "diameter",
    "shape": "shape",
    "re": "corner radius",
    "sig": "point angle",
    "tip_dc": "tip diameter",
    "apmx": "cutting length",
    "lpr": "reach",
    "dmm": "shank diameter",
    "fha": "helix angle",
    "zefp": "number of flutes",
    "material": "tool material",
    "profile": "profile",
}


@dataclass(frozen=True, slots=True)
class ToolWords:
    """What the user states about a tool: any of the fields of Tool; ``number`` None means every tool."""

    number: int | None
    known: Mapping[str, object]  #: field of Tool → value

    @classmethod
    def from_pairs(cls, words: Mapping[str, str], number: Callable[[str], float]) -> "ToolWords":
        """Read ``{"T": "1", "D": "6", "z": "2", "shape": "flat"}``; ValueError names an unknown word.

        Raises ToolError for impossible dimensions.
        """
        values = dict(_field_value(name, text, number) for name, text in words.items())
        if "profile" in values:
            values.setdefault("shape", Shape.PROFILE)
        if ("profile" in values) is not (values.get("shape") is Shape.PROFILE):
            raise ValueError("shape=profile goes with profile=radius:height …, and with no other shape")
        which = values.pop("number", None)
        words_of = cls(which if isinstance(which, int) else None, values)
        words_of.tool(which if isinstance(which, int) else 1)  # refuses impossible dimensions
        return words_of

    def tool(self, number: int | None) -> Tool:
        """Make a whole tool of these values, for programs, which define no tools."""
        given = {"dc": None, "shape": None, **self.known}
        shape, dc = given["shape"], given["dc"]
        if shape is Shape.BALL and given.get("re") is None and isinstance(dc, float):
            given["re"] = dc / 2
        return Tool(number=number, **given)  # type: ignore[arg-type]


def _field_value(name: str, text: str, number: Callable[[str], float]) -> tuple[str, object]:
    """Return the field of Tool that ``name`` names, and its value."""
    if name in _NUMBERS:
        field, factor = _NUMBERS[name]
        return field, number(text) * factor
    if name in _WHOLE:
        if number(text) != int(number(text)):
            raise ValueError(f"{name}={text} is not a whole number")
        return _WHOLE[name], int(number(text))
    if name == "shape":
        return name, _shape(text)
    if name == "profile":
        return name, read_profile(text, number)
    if name in {"label", "material"}:
        return name, text
    names = ", ".join([*_WHOLE, *_NUMBERS, "shape", "profile", "label", "material"])
    raise ValueError(f"a tool has no '{name}'; it has {names}")


def _shape(word: str) -> Shape:
    try:
        return Shape(word.lower())
    except ValueError:
        shapes = ", ".join(shape.value for shape in Shape)
        raise ValueError(f"'{word}' is not a tool shape; known are {shapes}") from None


def program_tools(words: tuple[ToolWords, ...]) -> tuple[Tool, ...]:
    """Make the tools of a program: numbered in the order given; a single one without a number is used for all."""
    if len(words) == 1 and words[0].number is None:
        return (words[0].tool(None),)
    return tuple(each.tool(index + 1 if each.number is None else each.number) for index, each in enumerate(words))


def supply(
    job: Job, *, tools: tuple[ToolWords, ...] = (), stock: Stock | None = None, n_rpm: float | None = None
) -> tuple[Job, tuple[str, ...]]:
    """Fill the unknown values of ``job`` with the user's; return it with a sentence for each value supplied."""
    supplied: list[str] = []
    tools_by_field: dict[str, list[str]] = defaultdict(list)
    if n_rpm is not None:
        job = _with_spindle(job, n_rpm, supplied)
    if tools:
        job = replace(job, tools=tuple(_with_words(tool, tools, tools_by_field) for tool in job.tools))
        supplied += [f"The {what} of {_listed(names)} was supplied." for what, names in tools_by_field.items()]
    if stock is not None and job.stock is None:
        job = replace(job, stock=stock)
        supplied.append("The stock was supplied.")
    return job, tuple(supplied)


def _with_spindle(job: Job, n_rpm: float, supplied: list[str]) -> Job:
    path = job.toolpath
    unknown = ~(path.n_rpm > 0) & (path.kind != MoveKind.RAPID)
    if not unknown.any():
        return job
    labels = [job.operations[index].label for index in np.unique(path.operation[unknown]) if index >= 0]
    supplied.append(f"The spindle speed of {_listed(labels)} was supplied: {n_rpm:g} 1/min.")
    return replace(job, toolpath=replace(path, n_rpm=np.where(path.n_rpm > 0, path.n_rpm, n_rpm)))


def _with_words(tool: Tool, words: tuple[ToolWords, ...], tools_by_field: dict[str, list[str]]) -> Tool:
    for each in words:
        if each.number is not None and each.number != tool.number:
            continue
        new = {name: value for name, value in each.known.items() if getattr(tool, name, "") is None}
        if new.get("shape") is Shape.PROFILE:
            new["profile"] = each.known["profile"]
        if new:
            tool = replace(tool, **new)  # type: ignore[arg-type]
            for name in filter(new.__contains__, _IN_WORDS):
                tools_by_field[_IN_WORDS[name]].append(tool.name)
    return tool


def _listed(words: list[str]) -> str:
    unique = list(dict.fromkeys(words))
    if len(unique) > 4:
        return f"{', '.join(unique[:3])} and {len(unique) - 3} more"
    return " and ".join([", ".join(unique[:-1]), unique[-1]] if len(unique) > 1 else unique)
