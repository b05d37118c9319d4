# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the twin notes on a document's operations: a stable identity and limits. Tables of properties.

FreeCAD's number properties know no "not said": 0 stands for it here, and only here.
"""

import uuid
from typing import Any

from freecad_camtwin.document.properties import Property, declare, withdraw
from freecad_camtwin.twin.job.job import Limits

_GROUP = "CAM Twin"


def _limit(name: str, doc: str) -> Property:
    return Property("App::PropertyFloat", f"CamTwin{name}", _GROUP, doc + "; 0 sets no limit", 0.0, note=True)


#: The property of each limit. Setting one does not recompute the operation.
LIMITS = {
    "h_ex_max": _limit("ChipMax", "Largest chip thickness [mm]"),
    "h_ex_min": _limit("ChipMin", "Smallest chip thickness, below which the edge rubs [mm]"),
    "force": _limit("Force", "Largest peak force in the working plane [N]"),
    "torque": _limit("Torque", "Largest peak spindle torque [N·mm]"),
    "power": _limit("Power", "Largest mean spindle power [W]"),
    "deflection": _limit("Deflection", "Largest tool deflection at the tip [mm]"),
    "feed_min": _limit("FeedMin", "Lowest feed to plan [mm/s]"),
    "feed_max": _limit("FeedMax", "Highest feed to plan [mm/s]"),
}

_UUID = Property(
    "App::PropertyString", "CamTwinUUID", _GROUP, "Identity of this operation, which renaming does not change", "",
    note=True, read_only=True,
)  # fmt: skip

_OPERATION = (_UUID, *LIMITS.values())


def declare_operation(root: Any) -> None:
    """Give an operation its identity and its limits' properties, where it has none yet."""
    declare(root, _OPERATION)
    if not root.CamTwinUUID:
        root.CamTwinUUID = str(uuid.uuid4())


def forget(root: Any) -> None:
    """Remove what ``declare_operation`` added."""
    withdraw(root, _OPERATION)


def uuid_of(root: Any) -> str | None:
    """The identity of an operation, once it has one."""
    return str(getattr(root, _UUID.name, "")) or None


def limits_of(root: Any) -> Limits:
    """The limits noted on an operation."""
    return Limits(**{name: _number(root, row.name) for name, row in LIMITS.items()})


def _number(obj: Any, name: str) -> float | None:
    value = float(getattr(obj, name, 0.0) or 0.0)
    return value if value > 0 else None


def choice(obj: Any | None, name: str, choices: tuple[str, ...]) -> str:
    """An enumeration; the first choice where the object is not there or has a word of another version."""
    found = text(obj, name)
    return found if found in choices else choices[0]


def text(obj: Any | None, name: str) -> str | None:
    """A text property; None where the object or the text is not there."""
    return (str(getattr(obj, name, "")) or None) if obj is not None else None
