# SPDX-License-Identifier: LGPL-2.1-or-later
"""A split toolpath is the same path, arcs and helices included, and its events stay where they were."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freecad_camtwin.errors import PlanError
from freecad_camtwin.twin.feeds.into_toolpath import planned_toolpath
from freecad_camtwin.twin.feeds.plan import Change, FeedPlan, OperationPlan
from freecad_camtwin.twin.job.toolpath import PLANE_AXES, EventKind, PathEvent, Toolpath
from plan_jobs import dense, straight_path


def arcs(kinds):
    """One arc per (plane, sweep, rise), each from where the last ended, with a rapid in front."""
    here = np.zeros(3)
    rows = [(0, np.array([0.0, 0.0, 5.0]), here, np.full(3, np.nan), 0, 0.0)]
    for plane, sweep, rise in kinds:
        a, b, normal = PLANE_AXES[plane]
        centre = here.copy()
        centre[a] += 7.0
        angle = math.pi + sweep
        end = centre.copy()
        end[a], end[b], end[normal] = (
            centre[a] + 7 * math.cos(angle),
            centre[b] + 7 * math.sin(angle),
            here[normal] + rise,
        )
        rows.append((2, here, end, centre, plane, sweep))
        here = end
    kind, start, end, centre, plane, sweep = (np.array(column) for column in zip(*rows, strict=True))
    moves = len(rows)
    base = straight_path(np.zeros((moves + 1, 3)), np.zeros(moves), 10.0)
    feed = np.where(kind == 0, np.nan, 10.0)
    return Toolpath(
        **{name: getattr(base, name) for name in ("n_rpm", "cycle", "tool", "operation", "command", "line")},
        kind=kind, start=start, end=end, centre=centre, plane=plane, sweep=sweep, feed=feed,
        events=(PathEvent(1, EventKind.SPINDLE, 9000.0), PathEvent(moves, EventKind.END, 2.0)),
    )  # fmt: skip


turns = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 2]),
        st.floats(0.2, 2 * math.pi).flatmap(lambda size: st.sampled_from([size, -size])),
        st.floats(-5, 5),
    ),
    min_size=1,
    max_size=4,
)


@given(turns, st.data())
def test_a_split_arc_is_the_same_arc(kinds, data):
    path = arcs(kinds)
    changes, borders = [], {0: [0.0, 1.0]}
    for move in range(1, path.moves):
        cut = sorted(data.draw(st.sets(st.integers(1, 99), max_size=3)))
        borders[move] = [0.0, *(at / 100 for at in cut), 1.0]
        for i, (low, high) in enumerate(pairwise(borders[move])):
            changes.append(Change(move, -1, move, low, high, 10.0, 3.0 + i, "corner"))
    plan = FeedPlan(path.hash, (OperationPlan("op", changes=tuple(changes)),))
    new = planned_toolpath(path, FeedPlan.from_json(plan.to_json()))
    assert new.moves == sum(len(own) - 1 for own in borders.values())
    assert new.length.sum() == pytest.approx(path.length.sum())
    assert new.sweep.sum() == pytest.approx(path.sweep.sum())
    # Each piece, sampled on its own, lies where the whole arc is at the same share of its length.
    points = dense(new).reshape(new.moves, 9, 3)
    piece = 0
    for move, own in borders.items():
        for low, high in pairwise(own):
            for share, point in zip(np.linspace(low, high, 9), points[piece], strict=True):
                assert point == pytest.approx(place(path, move, share), abs=1e-9)
            piece += 1
    assert [event.before for event in new.events] == [1, new.moves]


def place(path, move, share):
    """A point of an arc by turning its start about its centre."""
    start, end = path.start[move], path.end[move]
    if path.kind[move] != 2:
        return start + (end - start) * share
    a, b, normal = PLANE_AXES[path.plane[move]]
    spoke = complex(start[a] - path.centre[move][a], start[b] - path.centre[move][b])
    spoke *= np.exp(1j * path.sweep[move] * share)
    point = start + (end - start) * share
    point[a], point[b] = path.centre[move][a] + spoke.real, path.centre[move][b] + spoke.imag
    assert point[normal] == start[normal] + (end[normal] - start[normal]) * share
    return point


def test_changes_that_overlap_or_name_a_rapid_are_refused():
    path = arcs([(0, 1.0, 0.0)])
    one = Change(1, -1, 1, 0.0, 0.6, 10.0, 5.0, "corner")
    for bad in ((one, replace(one, start=0.5, end=1.0)), (replace(one, move=0),), (replace(one, move=9),)):
        with pytest.raises(PlanError):
            planned_toolpath(path, FeedPlan(path.hash, (OperationPlan("op", changes=bad),)))
