# SPDX-License-Identifier: LGPL-2.1-or-later
"""Read the stock of a job from the shape that the document stores.

A box and a vertical cylinder are recognized by their geometry; every other shape becomes triangles. If the shape is
missing (its proxy is lost and it was never computed), the dimensions of its properties are used.
"""

import math
from typing import Any

import numpy as np

from freecad_camtwin.document.structure import has
from freecad_camtwin.twin.job.job import Stock

#: Two volumes this close, relatively, are the same.
_SAME = 1e-6

Corner = tuple[float, float, float]


def read_stock(job: Any) -> tuple[Stock | None, str | None]:
    """Return the stock in the job's coordinates, or None and a sentence that says why."""
    obj = getattr(job, "Stock", None)
    if obj is None:
        return None, f"job {job.Label!r} has no stock: add one, because the cuts cannot be simulated without it"
    shape = getattr(obj, "Shape", None)
    if shape is None or shape.isNull() or not shape.Faces:
        stock = _from_properties(obj)
        return (
            stock,
            None if stock else f"the stock of job {job.Label!r} has no shape: recompute it, or choose another stock",
        )
    return _from_shape(shape), None


def _from_shape(shape: Any) -> Stock:
    box = shape.BoundBox
    lower, upper = (box.XMin, box.YMin, box.ZMin), (box.XMax, box.YMax, box.ZMax)
    volume = math.prod(high - low for low, high in zip(lower, upper, strict=True))
    if abs(shape.Volume - volume) <= _SAME * volume:
        return Stock(lower, upper)
    return _cylinder(shape) or _solid(shape)


def _cylinder(shape: Any) -> Stock | None:
    """Return a vertical cylinder if the shape has one side, two flat ends and the volume of that cylinder."""
    sides = [face.Surface for face in shape.Faces if hasattr(face.Surface, "Radius") and hasattr(face.Surface, "Axis")]
    if len(shape.Faces) != 3 or len(sides) != 1 or abs(abs(sides[0].Axis.z) - 1) > _SAME:
        return None
    radius, centre = sides[0].Radius, sides[0].Center
    height = shape.BoundBox.ZLength
    volume = math.pi * radius**2 * height
    if abs(shape.Volume - volume) > 1e-4 * volume:
        return None
    lower = (centre.x - radius, centre.y - radius, shape.BoundBox.ZMin)
    upper = (centre.x + radius, centre.y + radius, shape.BoundBox.ZMax)
    return Stock(lower, upper, "cylinder")


def _solid(shape: Any) -> Stock:
    """Return triangles that deviate from the solid by 1e-4 of its size, at least 0.005 mm and at most 0.1 mm."""
    points, facets = shape.tessellate(min(0.1, max(0.005, 1e-4 * shape.BoundBox.DiagonalLength)))
    corners = np.array([(point.x, point.y, point.z) for point in points])
    triangles = corners[np.array(facets, np.int64)]
    return Stock(_corner(corners.min(axis=0)), _corner(corners.max(axis=0)), "solid", triangles)


def _corner(values: Any) -> Corner:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _from_properties(obj: Any) -> Stock | None:
    place = obj.Placement.Base if has(obj, "Placement") else None
    if place is not None and has(obj, "Length", "Width", "Height"):
        size = (obj.Length.Value, obj.Width.Value, obj.Height.Value)
        return _box((place.x, place.y, place.z), size)
    if place is not None and has(obj, "Radius", "Height"):
        radius, height = obj.Radius.Value, obj.Height.Value
        stock = _box((place.x - radius, place.y - radius, place.z), (2 * radius, 2 * radius, height))
        return stock and Stock(stock.lower, stock.upper, "cylinder")
    if has(obj, "ExtXneg", "Base"):
        return _around(obj)
    return None


def _box(lower: Corner, size: Corner) -> Stock | None:
    if not all(math.isfinite(side) and side > 0 for side in size):
        return None
    return Stock(lower, (lower[0] + size[0], lower[1] + size[1], lower[2] + size[2]))


def _around(obj: Any) -> Stock | None:
    """Return the box around the model, enlarged by the margins."""
    members = getattr(obj.Base, "Group", [obj.Base]) if obj.Base is not None else []
    boxes = [member.Shape.BoundBox for member in members if hasattr(member, "Shape") and not member.Shape.isNull()]
    if not boxes:
        return None
    lower = tuple(
        min(getattr(box, f"{axis}Min") for box in boxes) - getattr(obj, f"Ext{axis}neg").Value for axis in "XYZ"
    )
    upper = tuple(
        max(getattr(box, f"{axis}Max") for box in boxes) + getattr(obj, f"Ext{axis}pos").Value for axis in "XYZ"
    )
    return _box(_corner(lower), _corner(np.subtract(upper, lower)))
