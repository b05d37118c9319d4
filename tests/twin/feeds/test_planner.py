# SPDX-License-Identifier: LGPL-2.1-or-later
"""Planned feeds against what they promise: limits held on a fresh simulation, nothing but feeds and split points."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freecad_camtwin.errors import PlanError
from freecad_camtwin.twin.cut.engagement import engage
from freecad_camtwin.twin.cut.limits import limits_for, tool_limits
from freecad_camtwin.twin.cut.load import LoadModel
from freecad_camtwin.twin.feeds.into_toolpath import planned_toolpath
from freecad_camtwin.twin.feeds.plan import FeedPlan, Reason
from freecad_camtwin.twin.feeds.planner import PlanOptions, plan_feeds
from freecad_camtwin.twin.job.job import Limits, Stock
from freecad_camtwin.twin.job.tool import Shape, Tool
from freecad_camtwin.twin.shop.machine import read_machine
from freecad_camtwin.twin.shop.material import find_material
from plan_jobs import END_MILL, dense, job_of, passes, straight_path

QUANTITIES = {"h_ex": "h_ex_max", "force": "force", "torque": "torque", "power": "power"}
LEAST = 0.25  # of the programmed feed, where nobody says a least feed
CELL = 0.06


class Planned:
    """A job, its plan, and the same job simulated afresh with the plan's feeds."""

    def __init__(self, job, user=None, machine=None, blind=False, **options):
        self.job = job
        material = None if blind else find_material(job.material)
        self.limits = limits_for(job, machine, user, material=material)
        self.engagement, self.model = self.simulate(job, material)
        self.plan = plan_feeds(
            job, self.engagement, self.model, self.limits, machine, PlanOptions(**options) if options else None
        )
        self.after = replace(job, toolpath=planned_toolpath(job.toolpath, self.plan))
        self.material, self.machine, self.user, self.options = material, machine, user, options

    @staticmethod
    def simulate(job, material):
        engagement, _ = engage(job, cell=CELL)
        return engagement, LoadModel(engagement, job, material)

    @property
    def changes(self):
        return self.plan.operations[0].changes

    def feeds(self, move):
        """(start, end, feed, reason) of the changed stretches of a move."""
        return [(one.start, one.end, one.feed_after, one.reason) for one in self.changes if one.move == move]

    def excess(self):
        """Worst load over limit where the feed is above the least one, and the least feeds' own worst."""
        engagement, model = self.simulate(self.after, self.material)
        load, path = model.at(), self.after.toolpath
        cuts = path.is_cutting[engagement.move] & (engagement.volume > 0)
        least = np.nanmax(self.job.toolpath.feed) * LEAST
        free = cuts & (model.feed > least * 1.001)
        worst = [0.0, 0.0]
        for quantity, limit in QUANTITIES.items():
            bound = getattr(self.limits[0], limit)
            if bound:
                ratio = np.nan_to_num(getattr(load, quantity) / bound)
                worst[0] = max(worst[0], ratio[free].max(initial=0))
                worst[1] = max(worst[1], ratio[cuts & ~free].max(initial=0))
        return worst

    def again(self):
        return Planned(self.after, self.user, self.machine, self.material is None, **self.options)


def test_thin_chips_are_thickened_up_to_the_programmed_one():
    # A side pass of ae = dc / 10 thins the chip to 2·√(0.1 - 0.01) = 0.6 of that of the slot.
    found = Planned(job_of(passes(ae=0.6, feed=10.0)), blind=True)
    assert found.plan.relative
    slot, side = 1, 5
    assert found.feeds(slot) == [] or {reason for *_, reason in found.feeds(slot)} == {Reason.ENTRY}
    longest = max(found.feeds(side), key=lambda one: one[1] - one[0])
    assert longest[3] == Reason.CHIP_THINNING
    # Never beyond the theory, and not far below it: the widest of the steps decides, and cells blur the width.
    assert 0.97 / 0.6 * 0.85 <= longest[2] / 10.0 <= 0.97 / 0.6
    assert found.plan.totals.time_after < 0.85 * found.plan.totals.time_before
    assert found.plan.totals.clock == "feed"


def test_a_relative_plan_removes_no_faster_than_the_programmed_slot():
    found = Planned(job_of(passes(ae=2.5, feed=10.0)), blind=True)
    engagement, model = Planned.simulate(found.after, None)
    cuts = found.after.toolpath.is_cutting[engagement.move]
    # dc · ap · vf of the slot, and a tenth for the cells' noise.
    assert model.at().q[cuts].max() <= 6.0 * 2.0 * 10.0 * 1.1


def test_a_speed_that_is_partly_unknown_raises_nothing_beyond_the_feeds_own_reference():
    path = passes(ae=0.6, feed=10.0)
    partly = replace(path, n_rpm=np.where(np.arange(path.moves) < 10, np.nan, 12000.0))
    found = Planned(job_of(partly))
    assert found.plan.relative
    assert np.nanmax(found.after.toolpath.feed) <= 10.0 / 0.6


def test_a_relative_plan_says_so_and_why():
    blind = Planned(job_of(passes()), blind=True).plan
    assert blind.sentence.startswith("A relative plan")
    assert "material" in blind.operations[0].note
    known = Planned(job_of(passes())).plan
    assert known.relative
    assert "no limit" in known.operations[0].note
    assert not Planned(job_of(passes()), Limits(power=200.0)).plan.relative


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(["power", "torque", "force", "h_ex_max"]),
    st.floats(0.5, 1.6),
    st.sampled_from([0.4, 1.3, 3.1]),
    st.sampled_from([1.1, 2.0]),
)
def test_limits_hold_on_a_fresh_simulation(name, share, ae, depth):
    job = job_of(passes(ae=ae, rows=3, depth=depth))
    _, model = Planned.simulate(job, find_material("6061"))
    quantity = {"h_ex_max": "h_ex"}.get(name, name)
    # The limit as a share of what the programmed feed does.
    found = Planned(job, Limits(**{name: float(np.nanmax(getattr(model.at(), quantity))) * share}))
    free, least = found.excess()
    assert free <= 1.02
    assert least <= 1.02 or found.plan.operations[0].bindings


def test_a_default_chip_drives_no_feed_up_unless_asked():
    job = job_of(passes(ae=0.6, feed=10.0))
    # A side pass thins the chip to 0.6 of the feed per tooth; two teeth at 200 revolutions per second.
    chip = tool_limits(END_MILL, find_material("6061")).h_ex_max
    for user, objective, thickest in (
        (Limits(force=300.0), "auto", 10.0 / 400),
        (Limits(force=300.0), "limits", chip),
        (Limits(force=300.0, h_ex_max=0.05), "auto", 0.05),
    ):
        fastest = thickest * 400 / 0.6
        found = Planned(job, user, objective=objective)
        assert not found.plan.relative
        assert np.nanmax(found.after.toolpath.feed) <= fastest
        assert np.nanmax(found.after.toolpath.feed) >= fastest * 0.75
        assert ("programmed" in found.plan.operations[0].note) == (fastest < 20)


def test_a_least_feed_that_binds_is_listed():
    found = Planned(job_of(passes(feed=10.0)), Limits(force=5.0))
    assert {one.reason for one in found.changes} == {Reason.MINIMUM}
    assert {one.feed_after for one in found.changes} == {10.0 * LEAST}
    worst = max(found.plan.operations[0].bindings, key=lambda one: one.ratio)
    assert worst.limit == Reason.FORCE
    assert worst.ratio == pytest.approx(found.excess()[1], rel=0.05)


def test_planning_a_planned_path_changes_nothing():
    for user in (None, Limits(power=120.0), Limits(force=60.0)):
        found = Planned(job_of(passes(ae=1.0)), user)
        assert found.changes
        again = found.again()
        assert again.plan.totals.time_after == pytest.approx(found.plan.totals.time_after, rel=0.02)
        # Borders move by a step where an entry begins; elsewhere nothing changes by as much as would be written.
        moved = sum(
            again.job.toolpath.length[one.move] * (one.end - one.start)
            for one in again.changes
            if abs(one.feed_after / one.feed_before - 1) > 0.1
        )
        assert moved < 0.02 * found.plan.totals.cutting_length


def test_only_feeds_and_split_points_differ():
    found = Planned(job_of(passes(ae=1.0)), Limits(power=120.0))
    old, new = found.job.toolpath, found.after.toolpath
    assert new.moves > old.moves
    ends = {tuple(np.round(point, 9)) for point in new.end}
    assert {tuple(np.round(point, 9)) for point in old.end} <= ends
    for command in range(old.moves):
        own = new.command == command
        line = old.end[command] - old.start[command]
        offset = dense(new)[np.repeat(own, 9)] - old.start[command]
        across = np.cross(offset, line / np.linalg.norm(line))
        assert np.abs(across).max() < 1e-9
        assert new.length[own].sum() == pytest.approx(old.length[command], abs=1e-9)
    rapids = ~new.is_cutting
    assert np.isnan(new.feed[rapids]).all()
    assert rapids.sum() == (~old.is_cutting).sum()
    assert new.length[new.is_cutting].min() >= min(1.0, old.length[old.is_cutting].min()) - 1e-6


def test_a_written_feed_is_round_and_within_its_band():
    found = Planned(job_of(passes(ae=1.0)), Limits(power=120.0))
    for one in found.changes:
        per_minute = one.feed_after * 60
        assert per_minute == pytest.approx(round(per_minute), abs=1e-3) or one.feed_after == 10.0 * LEAST
    assert FeedPlan.from_json(found.plan.to_json()) == found.plan


def test_a_head_on_entry_is_slower_than_the_cut_behind_it():
    found = Planned(job_of(passes(feed=10.0, rows=1)), blind=True, entry=0.5)
    entry = [one for one in found.feeds(1) if one[3] == Reason.ENTRY]
    assert [one[2] for one in entry] == [5.0]
    # The tool's rim meets the block, which begins at x = -10, when its axis is at x = -13, 7 mm into the move.
    assert entry[0][0] * 60 == pytest.approx(7.0 - 0.25 * 6.0, abs=1.0)
    assert (entry[0][1] - entry[0][0]) * 60 == pytest.approx(3.0 + 0.35 * 6.0, abs=2.0)
    assert not any(one.reason == Reason.ENTRY for one in Planned(job_of(passes(rows=1)), blind=True, entry=1.0).changes)


def test_a_plunge_is_never_sped_up():
    points = [(0, 0, 5), (0, 0, 1), (0, 0, -2), (30, 0, -2), (30, 0.5, -2), (0, 0.5, -2)]
    path = straight_path(points, [0, 1, 1, 1, 1], [math.nan, 2.0, 10.0, 10.0, 10.0])
    found = Planned(job_of(path), Limits(power=400.0))
    assert found.changes
    assert all(one.feed_after <= 2.0 for one in found.changes if one.move == 1)


def test_air_is_sped_up_only_if_asked():
    points = [(-50, 0, 5), (-50, 0, -2), (-15, 0, -2), (30, 0, -2)]
    job = job_of(straight_path(points, [0, 1, 1], 10.0))
    machine = read_machine("vmc")
    assert not [one for one in Planned(job, machine=machine).changes if one.move == 1]
    asked = Planned(job, machine=machine, air=True)
    assert {(one.reason, one.feed_after > 10.0) for one in asked.changes if one.move == 1} <= {
        (Reason.AIR, True),
        (Reason.ACCELERATION, True),
    }
    assert [one for one in asked.changes if one.move == 1]


def test_a_users_greatest_feed_is_a_cap():
    found = Planned(job_of(passes(feed=10.0)), Limits(feed_max=6.0))
    assert {one.feed_after for one in found.changes if one.reason == Reason.CAP} == {6.0}
    assert np.nanmax(found.after.toolpath.feed) == 6.0


def test_no_feed_is_written_that_the_machine_does_not_reach():
    # Side passes in 2 mm zigzags: a machine with 250 mm/s² does not come far in them.
    points = [(0.0, 0.0, 5.0), (0.0, 0.0, -2.0)]
    for i in range(40):
        points += [(1.6 * i, 0.5 * (i % 2), -2.0)]
    path = straight_path(points, [0, *[1] * 40], 12.0)
    machine = read_machine("hobby_mill")
    machine = type(machine)(**{name: getattr(machine, name) for name in machine.__struct_fields__})
    free = Planned(job_of(path, stock=Stock((-10, -10, -6), (70, 3.2, 0))), Limits(h_ex_max=0.09))
    held = Planned(job_of(path, stock=Stock((-10, -10, -6), (70, 3.2, 0))), Limits(h_ex_max=0.09), machine)
    assert held.plan.totals.clock == "controller"
    assert np.nanmax(held.after.toolpath.feed) < np.nanmax(free.after.toolpath.feed)
    assert Reason.ACCELERATION in {one.reason for one in held.changes}


def test_a_canned_cycle_gets_one_feed_per_command():
    points = [(0, 0, 5), (0, 0, 1), (0, 0, -2), (0, 0, 1), (0, 0, -2), (0, 0, -5), (0, 0, 5)]
    path = straight_path(points, [0, 1, 0, 0, 1, 0], 3.0, cycle=83)
    path = replace(path, command=np.full(path.moves, 4))
    drill = Tool(dc=5.0, shape=Shape.DRILL, zefp=2, sig=math.radians(118), number=2)
    job = job_of(path, tool=drill)
    _, model = Planned.simulate(job, find_material("6061"))
    found = Planned(job, Limits(torque=float(np.nanmax(model.at().torque)) * 0.95))
    assert [(one.command, one.start, one.end) for one in found.changes] == [(4, 0.0, 1.0)]
    cut = found.after.toolpath
    assert set(cut.feed[cut.is_cutting]) == {found.changes[0].feed_after}
    assert found.changes[0].reason == Reason.TORQUE
    assert found.excess()[0] <= 1.02


def test_an_operation_without_feeds_keeps_what_it_has():
    path = passes()
    found = Planned(job_of(replace(path, feed=np.full(path.moves, math.nan))), Limits(power=100.0))
    assert not found.changes
    assert "no programmed feed" in found.plan.operations[0].note
    assert found.plan.totals.time_before is None


def test_a_stated_deflection_that_cannot_be_reckoned_is_said():
    tool = replace(END_MILL, lpr=None)
    found = Planned(job_of(passes(rows=1), tool=tool), Limits(deflection=0.02, power=200.0))
    assert not found.plan.relative
    assert "protruding length is not known" in found.plan.operations[0].note


def test_a_chip_below_its_least_is_listed():
    found = Planned(job_of(passes(ae=0.3, feed=4.0)), Limits(h_ex_min=0.02, h_ex_max=0.03, feed_max=5.0))
    assert Reason.THIN in {one.limit for one in found.plan.operations[0].bindings}


def test_moves_outside_all_operations_keep_their_feeds():
    path = passes(ae=0.6)
    outside = np.where(np.arange(path.moves) > 8, -1, 0)
    found = Planned(job_of(replace(path, operation=outside)), blind=True)
    assert found.changes
    assert all(one.move <= 8 for one in found.changes)
    assert (
        found.after.toolpath.feed[(found.after.toolpath.operation < 0) & found.after.toolpath.is_cutting] == 10
    ).all()


@pytest.mark.parametrize(("name", "share"), [("force", 1.1), ("power", 0.95)])
def test_limits_hold_on_a_real_adaptive_path(shared_data, name, share):
    stored = np.load(shared_data / "engagement_jobs" / "job1_adaptive.npz")
    segments, rapid = stored["seg"][:12000], stored["rap"][:12000] != 0
    base = straight_path(np.zeros((len(segments) + 1, 3)), np.where(rapid, 0, 1), 25.0, 18000.0)
    path = replace(base, start=segments[:, :3], end=segments[:, 3:])
    job = job_of(path, replace(END_MILL, zefp=3), stock=Stock((0.0, 0.0, -30.0), (150.0, 100.0, 0.0)))
    _, model = Planned.simulate(job, find_material("6061"))
    typical = float(np.nanquantile(getattr(model.at(), name)[np.nan_to_num(model.area) > 1], 0.9))
    found = Planned(job, Limits(**{name: typical * share}))
    free, least = found.excess()
    assert free <= 1.02
    assert least <= 1.02 or found.plan.operations[0].bindings
    if share > 1:
        assert found.plan.totals.time_after < found.plan.totals.time_before


def test_senseless_options_are_refused():
    with pytest.raises(PlanError, match="objective"):
        PlanOptions(objective="faster")
    with pytest.raises(PlanError, match="entry"):
        PlanOptions(entry=1.5)


def test_a_plan_for_another_path_is_refused():
    found = Planned(job_of(passes(rows=1)), Limits(power=100.0))
    with pytest.raises(PlanError, match="another toolpath"):
        planned_toolpath(passes(rows=2), found.plan)


def test_the_end_mill_is_the_one_the_numbers_above_speak_of():
    assert (END_MILL.dc, END_MILL.zefp) == (6.0, 2)
