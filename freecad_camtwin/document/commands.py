# SPDX-License-Identifier: LGPL-2.1-or-later
"""Convert stored paths to plain commands and back. Reading does not touch the object: FreeCAD returns copies."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import Path

from freecad_camtwin.twin.feeds.plan import commands_hash
from freecad_camtwin.twin.job.command import PathCommand

#: Twice the last decimal that FreeCAD saves.
_ROUNDED = 2.1e-6


def commands_of(obj: Any) -> list[tuple[str, dict[str, float]]]:
    """Return the stored commands of an operation or dressup: lengths in mm, F in mm/s."""
    path = obj.Path
    return [] if path is None else [(command.Name, command.Parameters) for command in path.Commands]


def path_of(commands: Iterable[PathCommand]) -> Any:
    """Return commands as a FreeCAD path."""
    return Path.Path([Path.Command(name, _plain(parameters)) for name, parameters in commands])


def _plain(parameters: Mapping[str, float]) -> dict[str, float]:
    return parameters if isinstance(parameters, dict) else dict(parameters)


def stored_hash(obj: Any) -> str:
    """Return the hash of an object's stored commands; a feed plan is keyed to it."""
    return commands_hash(commands_of(obj))


def same(one: Sequence[PathCommand], other: Sequence[PathCommand]) -> bool:
    """Whether two paths are equal within the rounding of saving, of the paths and of the values they are made from."""
    return len(one) == len(other) and all(
        name == other_name
        and parameters.keys() == other_parameters.keys()
        and all(abs(value - other_parameters[letter]) <= _ROUNDED for letter, value in parameters.items())
        for (name, parameters), (other_name, other_parameters) in zip(one, other, strict=True)
    )
