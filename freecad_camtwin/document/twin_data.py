# SPDX-License-Identifier: LGPL-2.1-or-later
"""The properties that the twin adds to a document's operations: a stable identity and limits.

FreeCAD's number properties have no value for "not stated": here, and only here, 0 means that.
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
    "App::PropertyString", "CamTwinUUID", _GROUP, "Identity of this operation; renaming does not change it", "",
    note=True, read_only=True,
)  # fmt: skip

_OPERATION = (_UUID, *LIMITS.values())


def declare_operation(root: Any) -> None:
    """Add identity and limits to an operation, if it has none yet."""
    declare(root, _OPERATION)
    if not root.CamTwinUUID:
        root.CamTwinUUID = str(uuid.uuid4())


def forget(root: Any) -> None:
    """Remove the properties that ``declare_operation`` added."""
    withdraw(root, _OPERATION)


def uuid_of(root: Any) -> str | None:
    """Return the identity of an operation; None if it has none."""
    return str(getattr(root, _UUID.name, "")) or None


def limits_of(root: Any) -> Limits:
    """Return the limits of an operation."""
    return Limits(**{name: _number(root, row.name) for name, row in LIMITS.items()})


def _number(obj: Any, name: str) -> float | None:
    value = float(getattr(obj, name, 0.0) or 0.0)
    return value if value > 0 else None


def choice(obj: Any | None, name: str, choices: tuple[str, ...]) -> str:
    """Return an enumeration; the first choice if there is no object, or its value is of another version."""
    value = text(obj, name)
    return value if value in choices else choices[0]


def text(obj: Any | None, name: str) -> str | None:
    """Return a text property; None if there is no object or no text."""
    return (str(getattr(obj, name, "")) or None) if obj is not None else None
