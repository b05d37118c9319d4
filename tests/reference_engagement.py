# SPDX-License-Identifier: LGPL-2.1-or-later
"""Slow and obvious: a cutter stamped at many places along its stroke, and means by numerical integration."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from freecad_camtwin.twin.cut.height_field import QUANTUM, HeightField
from freecad_camtwin.twin.job.job import Job, Operation, Stock
from freecad_camtwin.twin.job.tool import Shape, Tool
from freecad_camtwin.twin.job.toolpath import MoveKind, Toolpath

Floats = NDArray[np.float64]


def toolpath(points: Sequence[Sequence[float]], **columns: object) -> Toolpath:
    """Return feed moves from point to point; ``columns`` override any column."""
    moves = len(points) - 1
    at = np.asarray(points, float)
    table: dict[str, object] = {
        "kind": np.full(moves, MoveKind.LINE),
        "start": at[:-1],
        "end": at[1:],
        "centre": np.full((moves, 3), np.nan),
        "feed": np.full(moves, 10.0),
        "n_rpm": np.full(moves, 10000.0),
        "command": np.arange(moves),
        "line": np.full(moves, -1),
    }
    for name in ("plane", "sweep", "cycle", "tool", "operation"):
        table[name] = np.zeros(moves)
    return Toolpath(**(table | columns))  # type: ignore[arg-type]


def job(path: Toolpath, *tools: Tool, stock: Stock | None = None) -> Job:
    """Return a job of one operation on a block of 60 × 40 × 10 mm below z = 0."""
    stock = stock or Stock((0.0, 0.0, -10.0), (60.0, 40.0, 0.0))
    return Job("test", path, tools or (Tool(6.0, Shape.FLAT),), (Operation("Op", "Profile", 0),), stock)


def profile(tool: Tool, r: Floats) -> Floats:
    """Return the height of the cutter's surface above its tip at radius ``r`` [mm]."""
    radius = (tool.dc or math.nan) / 2
    if tool.shape is Shape.FLAT:
        return np.zeros_like(r)
    if tool.shape is Shape.PROFILE:
        radii, heights_ = np.array([(0.0, 0.0), *tool.profile]).T
        return np.interp(r, radii, heights_)
    if tool.shape in (Shape.BALL, Shape.BULL):
        corner = radius if tool.shape is Shape.BALL else (tool.re or 0.0)
        beyond = np.clip(r - (radius - corner), 0, corner)
        return np.asarray(corner - np.sqrt(corner**2 - beyond**2))
    return np.asarray(np.maximum(r - (tool.tip_dc or 0) / 2, 0) / math.tan((tool.sig or math.nan) / 2))


def sample_points(field: HeightField) -> tuple[Floats, Floats]:
    """Return x and y of all samples [mm], shape (tiles, 64) each."""
    rows = [field.samples(row) for row in range(field.rows)]
    return np.concatenate([x for x, _ in rows]), np.concatenate([y for _, y in rows])


def heights(field: HeightField) -> Floats:
    """Return the material's top [mm], shape (tiles, 64)."""
    return np.asarray(field.height * QUANTUM + field.lower[2])


def stamped(field: HeightField, tool: Tool, start: Floats, end: Floats, places: int = 1501) -> Floats:
    """Return what a stroke leaves [mm]: the lowest of the cutter over ``places`` positions, shape (tiles, 64)."""
    x, y = sample_points(field)
    left = heights(field)
    for part in np.linspace(0, 1, places):
        tip = start + (end - start) * part
        r = np.hypot(x - tip[0], y - tip[1])
        is_under = r <= (tool.dc or math.nan) / 2 * (1 + 5e-7)
        left[is_under] = np.minimum(left[is_under], np.maximum((tip[2] + profile(tool, r))[is_under], field.lower[2]))
    return left


def mean_forces(
    phi_st: float, phi_ex: float, ap: float, kappa: float, radius: float, fz: float, k: Sequence[float]
) -> Floats:
    """Return feed, normal, axial force and torque of one tooth, averaged over a revolution in 20,000 angles."""
    ktc, krc, kac, kte, kre, kae = k
    phi = (np.arange(20_000) + 0.5) / 20_000 * 2 * math.pi
    is_in = (phi >= phi_st) & (phi <= phi_ex)
    chip, edge = fz * np.sin(phi) * math.sin(kappa), ap / math.sin(kappa)
    tangential, radial, axial = ((c * chip + e) * edge for c, e in ((ktc, kte), (krc, kre), (kac, kae)))
    pushing = math.sin(kappa) * radial + math.cos(kappa) * axial
    all_four = np.stack(
        [
            -np.cos(phi) * tangential - np.sin(phi) * pushing,
            np.sin(phi) * tangential - np.cos(phi) * pushing,
            math.sin(kappa) * axial - math.cos(kappa) * radial,
            radius * tangential,
        ]
    )
    return np.asarray((all_four * is_in).mean(axis=1))
