# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cuts whose engagement is known without simulating it, as the jobs and engagements that a load model reads."""

import math

import numpy as np

from freecad_camtwin.twin.cut.engagement import Engagement
from freecad_camtwin.twin.cut.milling import CutSlices
from freecad_camtwin.twin.job.job import Job, Operation, Stock
from freecad_camtwin.twin.job.tool import Shape, Tool
from freecad_camtwin.twin.job.toolpath import Toolpath


def end_mill(**fields):
    """A flat end mill of which everything is known."""
    known = {"dc": 10.0, "shape": Shape.FLAT, "zefp": 2, "fha": math.radians(30), "lpr": 40.0, "material": "Carbide"}
    return Tool(**(known | {"apmx": 25.0, "number": 1} | fields))


def path(points, *, feed=10.0, n_rpm=6000.0, tool=0, operation=0):
    """Straight moves along ``points``."""
    points = np.array(points, float)
    n = len(points) - 1
    return Toolpath(
        kind=np.ones(n),
        start=points[:-1],
        end=points[1:],
        centre=np.full((n, 3), np.nan),
        plane=np.zeros(n),
        sweep=np.zeros(n),
        feed=np.broadcast_to(feed, n),
        n_rpm=np.broadcast_to(n_rpm, n),
        cycle=np.zeros(n),
        tool=np.broadcast_to(tool, n),
        operation=np.broadcast_to(operation, n),
        command=np.arange(n),
        line=np.full(n, -1),
    )


def job(cutter, points=None, *, moves=1, stock=None, **columns):
    """A job of one operation with one tool."""
    points = [(i, 0.0, 0.0) for i in range(moves + 1)] if points is None else points
    return Job("part", path(points, **columns), (cutter,), (Operation("Profile", "Profile", 0),), stock=stock)


def box(x=60.0, y=40.0, z=10.0):
    """A block with one corner at the origin."""
    return Stock((0.0, 0.0, 0.0), (x, y, z))


def cut(phi_st, phi_ex, ap, radius):
    """One horizontal step of a cylinder, as a tool's digest takes it."""
    one = engagement(phi_st, phi_ex, ap, radius=radius)
    return CutSlices(one.volume, one.plunge, one.slice_z, one.slice_ap, one.slice_phi_st, one.slice_phi_ex)


def engagement(phi_st, phi_ex, ap, *, slices=4, plunge=0.0, area=None, radius=None):
    """One step of 1 mm per entry of ``phi_st``; ``area`` [mm²] from the angles unless given."""
    phi_st, phi_ex, ap = (np.atleast_1d(np.asarray(a, float)) for a in (phi_st, phi_ex, ap))
    n = len(phi_st)
    if area is None:
        area = ap * radius * (np.cos(phi_st) - np.cos(phi_ex))
    area = np.broadcast_to(np.asarray(area, float), n)
    z = ap[:, None] * (np.arange(slices) + 0.5) / slices
    across = np.repeat(1, slices)
    start = np.zeros((n, 3))
    start[:, 0] = np.arange(n)
    return Engagement(
        move=np.arange(n, dtype=np.int32),
        length=np.ones(n),
        start=start,
        end=start + np.array([1, 0, 0]),
        volume=area * 1.0,
        ap=ap,
        ae=area / ap,
        phi_st=phi_st,
        phi_ex=phi_ex,
        slice_z=z,
        slice_ap=ap[:, None] / slices * across,
        slice_phi_st=phi_st[:, None] * across,
        slice_phi_ex=phi_ex[:, None] * across,
        plunge=np.broadcast_to(np.asarray(plunge, float), n),
        cell=0.1,
        slices=slices,
        stock_volume=1e4,
        removed_volume=float(area.sum()),
        rapid_contacts=(),
        warnings=(),
    )
