# SPDX-License-Identifier: LGPL-2.1-or-later
"""An analysis of the job of ``hand_made`` whose loads are made up, so that every figure of it can be read off here.

step    0      1      2      3      4      5
move    1      1      2      3      4      4
length  10     10     10     10     15     15    mm
volume  10     30     -      -      60     30    mm³
power   50     80     -      -      100    200   W          limits 100 and 400 W
force   100    150    -      -      300    200   N          limits 200 and 200 N
torque  1000   1500   -      -      2000   3000  N·mm       no limit
h_ex    0.02   0.03   -      -      0.05   0.04  mm         limits 0.05 and 0.04 mm
"""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

import hand_made
from freecad_camtwin.twin.analysis.analysis import Analysis
from freecad_camtwin.twin.cut.engagement import Engagement
from freecad_camtwin.twin.cut.limits import OperationLimits
from freecad_camtwin.twin.cut.load import Load
from freecad_camtwin.twin.shop.material import find_material

MOVE = np.array([1, 1, 2, 3, 4, 4], np.int32)
LENGTH = np.array([10.0, 10.0, 10.0, 10.0, 15.0, 15.0])
VOLUME = np.array([10.0, 30.0, 0.0, 0.0, 60.0, 30.0])
LOADS = {
    "power": np.array([50.0, 80.0, 0.0, 0.0, 100.0, 200.0]),
    "torque": np.array([1000.0, 1500.0, 0.0, 0.0, 2000.0, 3000.0]),
    "force": np.array([100.0, 150.0, 0.0, 0.0, 300.0, 200.0]),
    "deflection": np.array([0.01, 0.015, 0.0, 0.0, 0.03, 0.02]),
    "h_ex": np.array([0.02, 0.03, 0.0, 0.0, 0.05, 0.04]),
}
LIMITS = (
    OperationLimits(power=100.0, force=200.0, h_ex_max=0.05, sources={"power": "user", "h_ex_max": "tool"}),
    OperationLimits(power=400.0, force=200.0, h_ex_max=0.04, sources={"power": "machine"}),
)


def engagement():
    """What the steps take."""
    covered = 10.0 + np.cumsum(LENGTH)
    end, start = np.zeros((2, 6, 3))
    end[:, 0], start[:, 0] = covered, covered - LENGTH
    nothing, sliced = np.zeros(6), np.zeros((6, 1), np.float32)
    return Engagement(
        move=MOVE, length=LENGTH, start=start, end=end, volume=VOLUME, ap=np.where(VOLUME > 0, 2.0, 0.0), ae=nothing,
        phi_st=nothing, phi_ex=np.where(VOLUME > 0, math.pi, 0.0), slice_z=sliced, slice_ap=sliced,
        slice_phi_st=sliced, slice_phi_ex=sliced, plunge=nothing, cell=0.1, slices=1, stock_volume=1000.0,
        removed_volume=130.0, rapid_contacts=(), warnings=(),
    )  # fmt: skip


def schedule(**other):
    """The times of ``hand_made``, and a second after the last move."""
    start = np.concatenate([[0.0], np.cumsum(hand_made.PREDICTED)[:-1]])
    known = {"start": start, "time": hand_made.PREDICTED, "total": 10.0, "warnings": (),
             "breakdown": {"cutting": 7.0, "rapids": 2.0, "acceleration": 0.0, "dwell": 1.0}}  # fmt: skip
    return SimpleNamespace(**(known | other))


def analysis(*, unknown=((), ()), loads=LOADS, timed=True, feed=None, **other):
    """All of it as an analysis; ``loads`` may be NaN, ``feed`` replaces the programmed ones."""
    job = hand_made.package().job
    if feed is not None:
        job = replace(job, toolpath=replace(job.toolpath, feed=feed))
    rest = {name: np.zeros(6) for name in ("fz", "q", "h_m", "force_mean", "torque_mean", "thrust")}
    known = {
        "stock": None, "limits": LIMITS, "material": find_material("6061"), "source_hash": "f" * 64,
        "machine": SimpleNamespace(name="mill") if timed else None, "schedule": schedule() if timed else None,
    }  # fmt: skip
    return Analysis(
        job=job,
        engagement=engagement(),
        model=SimpleNamespace(unknown=unknown),
        load=Load(feed=job.toolpath.feed[MOVE], **rest, **loads),
        **(known | other),
    )
