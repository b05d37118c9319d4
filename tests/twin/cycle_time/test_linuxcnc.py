# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whatever the path, LinuxCNC's planner gets to its end, within its limits, and merges no more than it may."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from camtwin_kernels import linuxcnc_merge, linuxcnc_tables
from freecad_camtwin.twin.cycle_time.linuxcnc import LinuxcncPlanner
from freecad_camtwin.twin.cycle_time.motion import schedule
from freecad_camtwin.twin.cycle_time.path_geometry import Geometry
from freecad_camtwin.twin.job.toolpath import EventKind, MoveKind, PathEvent, Toolpath
from freecad_camtwin.twin.shop.machine import read_machine

MACHINE = read_machine("linuxcnc_sim")
MODES = ((61.0, None, None), (61.1, None, None), (64.0, None, None), (64.0, 0.01, 0.0), (64.0, 0.05, None))


def wild_path(seed, moves, mode):
    """Lines, rapids, arcs and helices of all sizes, moves of no length, waits anywhere."""
    rng = np.random.default_rng(seed)
    kind = rng.choice([0, 1, 1, 1, 2], moves)
    start, end = np.zeros((moves, 3)), np.zeros((moves, 3))
    centre, sweep, plane = np.full((moves, 3), np.nan), np.zeros(moves), np.zeros(moves, int)
    at = np.zeros(3)
    for i in range(moves):
        start[i] = at
        size = 10.0 ** rng.uniform(-5, 1.3)
        if kind[i] == MoveKind.ARC:
            size = max(size, 0.02)
            plane[i] = rng.choice([0, 0, 1, 2])
            first, second, normal = ((0, 1, 2), (2, 0, 1), (1, 2, 0))[plane[i]]
            angle = rng.uniform(0, 2 * np.pi)
            sweep[i] = rng.choice([-1, 1]) * rng.choice([rng.uniform(0.01, 6.2), 2 * np.pi, np.pi])
            centre[i] = at
            centre[i, first] -= size * np.cos(angle)
            centre[i, second] -= size * np.sin(angle)
            at = at.copy()
            at[first] = centre[i, first] + size * np.cos(angle + sweep[i])
            at[second] = centre[i, second] + size * np.sin(angle + sweep[i])
            at[normal] += rng.choice([0.0, rng.normal()])
        else:
            step = rng.normal(size=3) * rng.choice([1, 1, 0], 3)
            at = at + rng.choice([0.0, size, size, size]) * step
        end[i] = at
    waits = [
        PathEvent(int(before), EventKind.DWELL, 0.1) for before in np.unique(rng.integers(0, moves + 1, moves // 8))
    ]
    return Toolpath(
        kind=kind,
        start=start,
        end=end,
        centre=centre,
        plane=plane,
        sweep=sweep,
        feed=10.0 ** rng.uniform(-1, 3, moves),
        n_rpm=np.full(moves, np.nan),
        cycle=rng.choice([0, 0, 0, 81], moves),
        tool=np.full(moves, -1),
        operation=np.zeros(moves),
        command=np.arange(moves),
        line=np.full(moves, -1),
        events=(PathEvent(0, EventKind.PATH_MODE, mode[0], tolerance=mode[1], naive=mode[2]), *waits),
    )


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from(MODES))
@example(108313701, 5, (64.0, 0.05, None))  # ends with a circle that is flatter than the tolerance
@settings(max_examples=150)
def test_every_path_is_run_to_its_end_within_the_axes_limits(seed, moves, mode):
    path = wild_path(seed, moves, mode)
    timed = schedule(path, MACHINE)
    assert np.isfinite(timed.total)
    assert timed.legs.way[-1] == pytest.approx(path.length.sum(), rel=1e-9, abs=1e-6)
    assert (np.diff(timed.legs.time) > 0).all()
    assert (np.diff(timed.legs.way) >= -1e-9).all()
    limit = np.sqrt(3) * 200.0
    assert (timed.reachable <= limit * 1.001).all()
    fed = path.is_cutting & (path.length > 1.0)
    assert (timed.reachable[fed] <= path.feed[fed] * 1.001 + 1e-6).all() or mode[0] == 64.0
    at_least = path.length / np.minimum(np.where(path.is_cutting, path.feed, np.inf), limit)
    if mode[0] != 64.0:  # without a stop a corner may be cut, and at the speed of the faster of its two moves
        assert timed.total >= at_least[path.length > 1.0].sum() - 1e-6


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.floats(0.001, 0.2))
@settings(max_examples=50)
def test_merged_lines_pass_all_their_points_within_q(seed, naive):
    rng = np.random.default_rng(seed)
    points = np.cumsum(np.column_stack([np.full(80, 0.3), rng.normal(0, 0.05, 80), rng.normal(0, 0.01, 80)]), axis=0)
    count = len(points) - 1
    path = Toolpath(
        kind=np.ones(count),
        start=points[:-1],
        end=points[1:],
        centre=np.full((count, 3), np.nan),
        plane=np.zeros(count),
        sweep=np.zeros(count),
        feed=np.full(count, 20.0),
        n_rpm=np.full(count, np.nan),
        cycle=np.zeros(count),
        tool=np.full(count, -1),
        operation=np.zeros(count),
        command=np.arange(count),
        line=np.full(count, -1),
        events=(PathEvent(0, EventKind.PATH_MODE, 64.0, tolerance=0.01, naive=naive),),
    )
    planner = LinuxcncPlanner(path, MACHINE, Geometry.of(path), MACHINE.controller)
    rules = planner._rules.copy()
    rules[:, linuxcnc_tables.RULE_FEED] = path.feed
    rules[:, linuxcnc_tables.RULE_WAIT] = -1.0
    pieces = np.empty((2 * count, linuxcnc_tables.PIECE_COLUMNS))
    chain = np.empty((linuxcnc_tables.LONGEST_CHAIN + 2, 3))
    found = linuxcnc_merge.merge(
        planner._shape, path.start, path.end, rules, planner.geometry.way, planner._circles, planner._limits,
        chain, pieces,
    )  # fmt: skip
    first = pieces[:found, linuxcnc_tables.FIRST].astype(int)
    final = pieces[:found, linuxcnc_tables.FINAL].astype(int)
    assert first[0] == 0
    assert final[-1] == count - 1
    assert (first[1:] == final[:-1] + 1).all()
    for a, b in zip(first, final, strict=True):
        along = points[b + 1] - points[a]
        share = (points[a : b + 2] - points[a]) @ along / (along @ along)
        off = points[a : b + 2] - points[a] - np.clip(share, 0, 1)[:, None] * along
        assert np.linalg.norm(off, axis=1).max() <= naive + 1e-12
