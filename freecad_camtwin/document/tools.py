# SPDX-License-Identifier: LGPL-2.1-or-later
"""Read a tool controller as a ``Tool``, for every generation of FreeCAD's tools.

Documents contain three generations: the ``Path.Tool`` value of 0.18 and 0.19 (``ToolType``), the tool
bit of 0.19 to 1.0 (``ShapeName`` and ``BitShape``) and that of 1.1 (``ShapeType`` and ``ShapeID``). Their
names of shapes differ, and so do names and meanings of dimensions. In all of them 0 means "not stated".
"""

import math
import re
from typing import Any

from freecad_camtwin.errors import ToolError
from freecad_camtwin.twin.job.tool import Profile, Shape, Tool, read_profile, tapered_ball

#: FreeCAD's names of the supported shapes, in lower case and without other characters than letters.
_SHAPES = {
    "endmill": Shape.FLAT,
    "ballend": Shape.BALL,
    "ballendmill": Shape.BALL,
    "ballnose": Shape.BALL,
    "bullnose": Shape.BULL,
    "bullnoseendmill": Shape.BULL,
    "chamfer": Shape.CHAMFER,
    "chamfermill": Shape.CHAMFER,
    "vbit": Shape.CHAMFER,
    "engraver": Shape.CHAMFER,
    "drill": Shape.DRILL,
}

#: Properties that may name the shape, the most reliable first. Of a file name the stem counts.
_SHAPE_NAMES = ("ShapeName", "ShapeType", "ShapeID", "BitShape", "ToolType")

#: Names that FreeCAD 1.1 uses for an unrecognized shape, and 0.19 for a tool without a description.
_NO_WORDS = ("", "custom", "undefined", "none")


def read_tool(controller: Any) -> Tool | None:
    """Return the tool of a controller; None if it has none. ToolError if a dimension is impossible."""
    bit = getattr(controller, "Tool", None)
    if bit is None:
        return None
    shape, word = _shape(bit)
    dc = _length(bit, "Diameter", zero_counts=True)
    profile = _profile(bit, word) if shape is None else ()
    if profile:
        shape, dc = Shape.PROFILE, 2 * max(radius for radius, _ in profile)
    return Tool(
        dc=dc,
        shape=shape,
        number=int(controller.ToolNumber),
        label=str(getattr(bit, "Label", "") or getattr(bit, "Name", "") or controller.Label),
        shape_name=word,
        re=_corner_radius(bit, shape, dc),
        sig=_point_angle(bit, shape),
        tip_dc=_tip_diameter(bit, shape),
        apmx=_length(bit, "CuttingEdgeHeight") or _length(bit, "CuttingEdgeLength"),
        zefp=_flutes(bit),
        dmm=_length(bit, "ShankDiameter"),
        material=_material(bit),
        profile=profile,
    )


def spindle_speed(controller: Any) -> float:
    """Return the programmed spindle speed [1/min]; NaN if the controller states none, which it stores as 0."""
    value = float(getattr(controller, "SpindleSpeed", 0.0) or 0.0)
    return value if math.isfinite(value) and value > 0 else math.nan


def is_reversed(controller: Any) -> bool:
    """Whether the spindle turns counter-clockwise (M4)."""
    return str(getattr(controller, "SpindleDir", "Forward")) == "Reverse"


def fingerprint(controller: Any) -> str:
    """Return the values of tool and spindle that a feed plan depends on, as text to compare."""
    if controller is None:
        return ""
    bit = getattr(controller, "Tool", None)
    parts = {"n": spindle_speed(controller), "T": int(controller.ToolNumber), "dir": int(is_reversed(controller))}
    if bit is not None:
        shape, word = _shape(bit)
        dc = _length(bit, "Diameter", zero_counts=True)
        parts |= {"dc": dc or 0.0, "z": _flutes(bit) or 0, "re": _corner_radius(bit, shape, dc) or 0.0}
        outline = f" {bit.Profile}" if isinstance(getattr(bit, "Profile", None), str) and bit.Profile else ""
        return (
            " ".join(f"{key}={value:g}" for key, value in parts.items()) + f" {shape.value if shape else word}{outline}"
        )
    return " ".join(f"{key}={value:g}" for key, value in parts.items())


def _shape(bit: Any) -> tuple[Shape | None, str]:
    """Return the shape and the source's name for it; the first supported name counts."""
    words = [_stem(str(getattr(bit, name, "") or "")) for name in _SHAPE_NAMES]
    words = [word for word in words if word.lower() not in _NO_WORDS]
    for word in words:
        shape = _SHAPES.get(re.sub(r"[^a-z]", "", word.lower()))
        if shape is not None:
            return shape, word
    return None, words[0] if words else ""


def _stem(word: str) -> str:
    """Return the last part of a path of POSIX or Windows, without its ending."""
    name = re.split(r"[\\/]", word)[-1]
    return re.sub(r"\.fcstd$", "", name, flags=re.IGNORECASE)


def _number(bit: Any, name: str) -> float | None:
    value = getattr(bit, name, None)
    value = getattr(value, "Value", value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _length(bit: Any, name: str, *, zero_counts: bool = False) -> float | None:
    """Return a length [mm]; 0 is "not stated" unless ``zero_counts``; Tool refuses a value below 0."""
    value = _number(bit, name)
    return None if value == 0 and not zero_counts else value


def _angle(bit: Any, name: str) -> float | None:
    """Return an angle [rad]; None outside 0° to 180°, where the source does not state it."""
    value = _number(bit, name)
    return math.radians(value) if value is not None and 0 < value < 180 else None


def _corner_radius(bit: Any, shape: Shape | None, dc: float | None) -> float | None:
    """Return RE [mm]: FreeCAD 1.1 stores it; before 1.1 a bull nose stored the radius of its flat bottom."""
    if shape is Shape.FLAT:
        return 0.0
    if shape is Shape.BALL:
        return dc / 2 if dc else None
    if shape is not Shape.BULL:
        return None
    stored = _number(bit, "CornerRadius")
    if stored:
        return stored
    flat = _number(bit, "FlatRadius")
    return dc / 2 - flat if dc and flat is not None else stored


def _point_angle(bit: Any, shape: Shape | None) -> float | None:
    """Return SIG [rad]: of a drill its tip angle, of a cone the full angle between its edges."""
    if shape is Shape.DRILL:
        return _angle(bit, "TipAngle") or _angle(bit, "CuttingEdgeAngle")
    return _angle(bit, "CuttingEdgeAngle") if shape is Shape.CHAMFER else None


def _tip_diameter(bit: Any, shape: Shape | None) -> float | None:
    if shape is not Shape.CHAMFER:
        return None
    stored = _number(bit, "TipDiameter")
    if stored is not None:
        return stored
    flat = _number(bit, "FlatRadius")
    return None if flat is None else 2 * flat


def _profile(bit: Any, word: str) -> Profile:
    """Return the outline of any other shape: its text property Profile, or a ball on a cone."""
    text = getattr(bit, "Profile", "")
    if isinstance(text, str) and text.strip():
        try:
            return read_profile(text)
        except ValueError as error:
            raise ToolError(
                f"{getattr(bit, 'Label', '') or 'a tool'} has a Profile that cannot be read: {error}"
            ) from None
    angle, tip = _angle(bit, "TaperAngle"), _length(bit, "Diameter")
    if word.lower() != "taperedballnose" or angle is None or not tip:
        return ()
    return tapered_ball(tip, angle, _length(bit, "TaperDiameter"), _length(bit, "CuttingEdgeHeight"))


def _flutes(bit: Any) -> int | None:
    value = _number(bit, "Flutes")
    return int(value) if value else None


def _material(bit: Any) -> str | None:
    value = str(getattr(bit, "Material", "") or "")
    return value if value and value.lower() not in _NO_WORDS else None
