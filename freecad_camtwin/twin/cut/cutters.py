# SPDX-License-Identifier: LGPL-2.1-or-later
"""The job's tools as the arrays of dimensions that the engagement kernels need."""

import math

import numpy as np

from camtwin_kernels import engagement_shapes as shapes
from camtwin_kernels.engagement_moves import Cutters
from freecad_camtwin.errors import ToolError
from freecad_camtwin.twin.job.job import Job
from freecad_camtwin.twin.job.tool import Shape, Tool, undercut

#: Point angle of a drill without one: the usual one of ISO 235 drills [rad].
DRILL_SIG = math.radians(118.0)


def cutters_of(job: Job, warnings: list[str]) -> Cutters:
    """Return the job's tools in the form of the kernels; a tool that no move uses gets placeholder values.

    Raises ToolError if a move cuts without a tool, or with one that cannot be simulated.
    """
    path = job.toolpath
    is_bare = path.is_cutting & (path.tool < 0)
    if is_bare.any():
        raise ToolError(f"{path.where(int(is_bare.argmax()))} cuts without a tool: give the operation one")
    cutters = {index: _cutter(tool, warnings) for index, tool in enumerate(job.tools) if (path.tool == index).any()}
    shape = np.zeros(max(len(job.tools), 1), np.int32)
    size = np.ones((len(shape), max((len(sizes) for _, sizes in cutters.values()), default=4)))
    for index, (kind, sizes) in cutters.items():
        # The last point of a table is repeated to fill its row.
        tail = sizes[-2:] * ((size.shape[1] - len(sizes)) // 2)
        shape[index], size[index] = kind, sizes + tail
    return Cutters(shape, size)


def _cutter(tool: Tool, warnings: list[str]) -> tuple[int, tuple[float, ...]]:
    """Return a tool's shape, its radius, tip radius, corner radius [mm] and steepness dz/dr, then a profile's table."""
    if tool.shape is Shape.PROFILE and tool.profile:
        outline = _outline(tool)
        radius = outline[-1][0]
        return shapes.PROFILE, (radius, radius, 0.0, 1.0, *(value for point in outline for value in point))
    if tool.shape is None or tool.shape is Shape.PROFILE:
        raise ToolError(f"{tool.name} is a {tool.shape_name or 'cutter of unknown shape'}, which cannot be simulated")
    if tool.dc is None:
        raise ToolError(f"{tool.name} has no diameter: give it one")
    radius = tool.dc / 2
    corner = {Shape.BALL: radius, Shape.BULL: tool.re}.get(tool.shape, 0.0)
    if corner is None:
        raise ToolError(f"{tool.name} is a bull nose without a corner radius: give it one")
    if tool.shape in (Shape.CHAMFER, Shape.DRILL):
        tip = min((tool.tip_dc or 0.0) / 2, radius)
        return shapes.CONE, (radius, tip, 0.0, 1 / math.tan(_point_angle(tool, warnings) / 2))
    shape = shapes.FLAT if corner == 0 else shapes.BALL if corner == radius else shapes.BULL
    return shape, (radius, radius - corner, corner, 1.0)


def _point_angle(tool: Tool, warnings: list[str]) -> float:
    if tool.sig is None and tool.shape is Shape.DRILL:
        warnings.append(f"{tool.name} has no point angle: 118° is assumed")
        return DRILL_SIG
    if tool.sig is None:
        raise ToolError(f"{tool.name} is a pointed tool without a point angle: give it one")
    return tool.sig


def _outline(tool: Tool) -> list[tuple[float, float]]:
    """Return the points (radius, height above the tip) [mm] from the axis to the start of the wall."""
    fault = undercut(tool.profile)
    if fault:
        raise ToolError(f"{tool.name} cannot be simulated: {fault}")
    tip, widest = tool.profile[0][1], tool.profile[-1][0]
    outline = [(0.0, 0.0)]
    for radius, height in tool.profile:
        outline.append((radius, height - tip))
        if radius == widest:
            break
    return outline
