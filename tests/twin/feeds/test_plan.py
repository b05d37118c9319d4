# SPDX-License-Identifier: LGPL-2.1-or-later
"""The feed plan as data: text and back, the hash it is keyed to, and the commands it is written into."""

import json
import math
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freecad_camtwin.errors import PlanError
from freecad_camtwin.twin.feeds.into_commands import apply_to_commands
from freecad_camtwin.twin.feeds.plan import Binding, Change, FeedPlan, OperationPlan, Reason, Totals, commands_hash

COMMANDS = [
    ("(a comment)", {}),
    ("G0", {"Z": 5.0, "F": 50.0}),
    ("G0", {"X": 0.0, "Y": 0.0}),
    ("G1", {"Z": -1.0, "F": 5.0}),
    ("G1", {"X": 10.0, "F": 20.0}),
    ("G2", {"X": 20.0, "Y": 0.0, "I": 5.0, "J": 0.0}),
    ("G1", {"Y": 8.0}),
    ("G3", {"X": 20.0, "Y": 8.0, "Z": -3.0, "I": -4.0, "J": 0.0, "K": 0.0}),
    ("G81", {"X": 1.0, "Y": 2.0, "Z": -5.0, "R": 2.0, "F": 3.0}),
    ("G1", {"X": 3.0, "F": 7.0}),
]

PLANES = {"G17": "XYZ", "G18": "ZXY", "G19": "YZX"}


def plan_of(commands, *changes):
    return OperationPlan("Pocket", "Pocket001", None, commands_hash(commands), tuple(changes))


def change(command, start=0.0, end=1.0, after=10.0, before=20.0):
    return Change(command, -1, command, start, end, before, after, "force limit")


def trace(commands, borders=None, samples=7):
    """Points and feed along all cuts, (points, 4), by textbook formulas of its own.

    ``borders`` gives the fractions of a command between which to sample it; by default it is sampled as a whole.
    """
    at = dict.fromkeys("XYZ", 0.0)
    plane, feed, found = "XYZ", math.nan, []
    for index, (name, words) in enumerate(commands):
        plane = PLANES.get(name, plane)
        if name not in ("G0", "G1", "G2", "G3"):
            continue
        end = at | {axis: words[axis] for axis in "XYZ" if axis in words}
        feed = words.get("F", feed) if name != "G0" else feed
        for low, high in pairwise((borders or {}).get(index, (0.0, 1.0))):
            for share in np.linspace(low, high, samples) if name != "G0" else ():
                if name == "G1":
                    place = [at[axis] + (end[axis] - at[axis]) * share for axis in "XYZ"]
                else:
                    place = around(at, end, words, plane, name == "G3", share)
                found.append((*place, feed))
        at = end
    return np.array(found)


def around(at, end, words, plane, ccw, share):
    a, b, normal = plane
    letters = {"X": "I", "Y": "J", "Z": "K"}
    centre = complex(at[a] + words.get(letters[a], 0.0), at[b] + words.get(letters[b], 0.0))
    spoke = complex(at[a], at[b]) - centre
    turn = np.angle((complex(end[a], end[b]) - centre) / spoke)
    if abs(complex(end[a], end[b]) - complex(at[a], at[b])) < 1e-9:
        turn = 0.0
    turn = turn % (2 * np.pi) or 2 * np.pi if ccw else -((-turn) % (2 * np.pi) or 2 * np.pi)
    point = centre + spoke * np.exp(1j * turn * share)
    place = {a: point.real, b: point.imag, normal: at[normal] + (end[normal] - at[normal]) * share}
    return [place[axis] for axis in "XYZ"]


def test_the_module_needs_no_package():
    code = (
        "import sys; import freecad_camtwin.twin.feeds.into_commands\n"
        "print([name for name in ('numpy', 'numba', 'msgspec') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_text_and_back_is_the_same_plan():
    operation = OperationPlan(
        "Tasche °",
        "Pocket001",
        "u-1",
        "ab" * 32,
        (change(4, 0.0, 0.25), replace(change(4, 0.25, 1.0), feed_before=None)),
        (Binding(4, -1, 4, "power limit", 1.25, 5.0),),
        "a note",
    )
    program = OperationPlan("T1", changes=(Change(-1, 12, 3, 0.0, 1.0, 2.0, 3.0, "corner"),))
    plan = FeedPlan("ff", (operation, program), True, "so", Totals(2.0, 1.0, "feed", 3.0, 4.0), {"air": False}, ("w",))
    assert FeedPlan.from_json(plan.to_json()) == plan
    assert OperationPlan.from_json(operation.to_json()) == operation


def test_one_change_is_one_line():
    one = FeedPlan("ff", (plan_of(COMMANDS, change(4), change(6)),))
    other = FeedPlan("ff", (plan_of(COMMANDS, change(4), change(6, after=11.0)),))
    differing = set(one.to_json().splitlines()) ^ set(other.to_json().splitlines())
    assert len(differing) == 2
    assert all('"command": 6' in line for line in differing)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda data: data.update(schema="camtwin.plan/9"), "camtwin.plan/9"),
        (lambda data: data.pop("operations"), "operations"),
        (lambda data: data["operations"][0]["changes"][1].update(feed_after="fast"), "'Pocket'.*change 2.*feed_after"),
        (lambda data: data["operations"][0]["changes"][0].update({"to": 0.0}), "command 4"),
        (lambda data: data["operations"][0]["changes"][0].update(feed_after=-1.0), "command 4.*above 0"),
        (lambda data: data["operations"][0]["changes"][0].update(command=True), "command"),
        (lambda data: data["operations"][0].pop("label"), "operation 1.*label"),
    ],
)
def test_a_damaged_plan_is_refused_by_the_name_of_its_entry(damage, named):
    data = json.loads(FeedPlan("ff", (plan_of(COMMANDS, change(4), change(6)),)).to_json())
    damage(data)
    with pytest.raises(PlanError, match=named):
        FeedPlan.from_json(json.dumps(data))


def test_every_reason_is_explained():
    page = (Path(__file__).parents[3] / "docs" / "feeds.md").read_text(encoding="utf-8")
    table = page.partition("## Reasons")[2].partition("## ")[0]
    assert [reason for reason in Reason if reason not in table] == []


def test_what_is_not_json_is_refused():
    with pytest.raises(PlanError, match="not JSON"):
        FeedPlan.from_json("G1 X5")


@given(st.floats(-1e4, 1e4))
def test_the_hash_survives_freecads_six_decimals(value):
    # FreeCAD truncates at the seventh decimal and rounds halves up; what it saved reads back as the same hash.
    saved = math.copysign((int(abs(value) * 1e7) + 5) // 10 / 1e6, value)
    assert commands_hash([("G1", {"X": value})]) == commands_hash([("G1", {"X": saved})])


def test_the_hash_sees_every_word_and_no_line_number():
    base = commands_hash(COMMANDS)
    assert commands_hash([*COMMANDS[:4], ("G1", {"X": 10.0, "F": 20.000001}), *COMMANDS[5:]]) != base
    assert commands_hash(COMMANDS[:-1]) != base
    assert commands_hash([(name, words | {"N": 7.0}) for name, words in COMMANDS]) == base


def test_a_changed_base_keeps_its_own_feeds_and_is_told():
    plan = plan_of(COMMANDS, change(4, after=100.0))
    edited = [*COMMANDS[:4], ("G1", {"X": 10.0, "F": 15.0}), *COMMANDS[5:]]
    applied = apply_to_commands(edited, plan)
    assert applied.commands == edited
    assert "'Pocket'" in applied.sentence
    assert apply_to_commands(COMMANDS, plan).sentence is None


def test_a_feed_changes_only_where_the_plan_says():
    applied = apply_to_commands(COMMANDS, plan_of(COMMANDS, change(4, after=12.0))).commands
    assert applied[4] == ("G1", {"X": 10.0, "F": 12.0})
    assert applied[5] == ("G2", {"X": 20.0, "Y": 0.0, "I": 5.0, "J": 0.0, "F": 20.0})
    assert applied[:4] + applied[6:] == COMMANDS[:4] + COMMANDS[6:]


def test_an_arc_stays_an_arc_of_equal_angles():
    applied = apply_to_commands(COMMANDS, plan_of(COMMANDS, change(5, 0.0, 0.5))).commands
    first, second = applied[5:7]
    assert first[0] == second[0] == "G2"
    assert [first[1][axis] for axis in "XYZ"] == pytest.approx([15.0, 5.0, -1.0])
    assert [second[1][word] for word in "XYIJ"] == pytest.approx([20.0, 0.0, 0.0, -5.0])
    assert (first[1]["F"], second[1]["F"]) == (10.0, 20.0)


def test_a_canned_cycle_has_one_feed():
    applied = apply_to_commands(COMMANDS, plan_of(COMMANDS, change(8, after=2.0))).commands
    assert applied[8] == ("G81", COMMANDS[8][1] | {"F": 2.0})
    assert applied[9] == COMMANDS[9]


@pytest.mark.parametrize("before", [("G91", {}), ("G28", {})])
def test_what_cannot_be_split_takes_its_slowest_feed(before):
    commands = [*COMMANDS[:4], before, ("G1", {"X": 10.0, "F": 20.0})]
    applied = apply_to_commands(commands, plan_of(commands, change(5, 0.2, 0.4), change(5, 0.4, 1.0, 12.0))).commands
    assert applied[5:] == [("G1", {"X": 10.0, "F": 10.0})]


def test_a_rapids_own_feed_never_speeds_up_a_cut():
    commands = [*COMMANDS[:5], ("G0", {"Z": 5.0, "F": 90.0}), ("G1", {"Z": -1.0})]
    applied = apply_to_commands(commands, plan_of(commands, change(4, after=12.0))).commands
    assert applied[-1] == ("G1", {"Z": -1.0, "F": 20.0})


fractions = st.lists(st.integers(1, 999), min_size=0, max_size=4, unique=True).map(sorted)
coordinate = st.integers(-20000, 20000).map(lambda value: value / 1000)


@st.composite
def cuts(draw):
    """Commands as FreeCAD stores them: modal axes and feeds, arcs and helices in the three planes."""
    commands = [("G0", {"X": draw(coordinate), "Y": draw(coordinate), "Z": draw(coordinate)}), ("G17", {})]
    commands.append(("G1", {"X": draw(coordinate), "F": 10.0}))
    at = {axis: commands[0][1][axis] for axis in "YZ"} | {"X": commands[2][1]["X"]}
    plane = "G17"
    for _ in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["G1", "G2", "G3", "plane"]))
        feed = draw(st.sampled_from([{}, {"F": 15.0}, {"F": 7.5}]))
        if kind == "plane":
            plane = draw(st.sampled_from(["G17", "G18", "G19"]))
            commands.append((plane, {}))
            continue
        if kind == "G1":
            words = {axis: draw(coordinate) for axis in draw(st.sets(st.sampled_from("XYZ"), min_size=1))}
        else:
            a, b, normal = {"G17": "XYZ", "G18": "ZXY", "G19": "YZX"}[plane]
            radius, angle = draw(st.floats(0.5, 20)), draw(st.floats(0, 2 * math.pi))
            turn = draw(st.floats(0.05, 2 * math.pi - 0.05) | st.just(2 * math.pi)) * (1 if kind == "G3" else -1)
            centre = (at[a] - radius * math.cos(angle), at[b] - radius * math.sin(angle))
            words = {a: centre[0] + radius * math.cos(angle + turn), b: centre[1] + radius * math.sin(angle + turn)}
            if abs(turn) == 2 * math.pi:
                words = {a: at[a], b: at[b]}
            words |= {{"X": "I", "Y": "J", "Z": "K"}[axis]: centre[i] - at[axis] for i, axis in enumerate((a, b))}
            words |= {normal: draw(coordinate)} if draw(st.booleans()) else {}
        at |= {axis: words[axis] for axis in "XYZ" if axis in words}
        commands.append((kind, words | feed))
    return commands


@given(cuts(), st.data())
def test_any_plan_keeps_the_geometry_and_sets_the_feeds(commands, data):
    changes, borders = [], {}
    for index, (name, _) in enumerate(commands):
        if name in ("G1", "G2", "G3") and data.draw(st.booleans()):
            own = []
            for low, high in pairwise([0, *data.draw(fractions), 1000]):
                if data.draw(st.booleans()):
                    own.append(change(index, low / 1000, high / 1000, data.draw(st.floats(1, 100))))
            borders[index] = sorted({0.0, 1.0, *(one.start for one in own), *(one.end for one in own)})
            changes += own
    applied = apply_to_commands(commands, plan_of(commands, *changes))
    assert applied.sentence is None
    old, new = trace(commands, borders), trace(applied.commands)
    assert new.shape == old.shape
    np.testing.assert_allclose(new[:, :3], old[:, :3], atol=1e-6)
    np.testing.assert_allclose(new[:, 3], planned_feeds(commands, borders, changes), rtol=1e-12)
    for index, (name, words) in enumerate(commands):
        if index not in borders:
            assert any(
                name == other and words.items() <= own.items() and set(own) - set(words) <= {"F"}
                for other, own in applied.commands
            )


def planned_feeds(commands, borders, changes):
    """The feed at each point of the old trace, if the plan is obeyed."""
    feeds, modal = [], math.nan
    for index, (name, words) in enumerate(commands):
        if name in ("G1", "G2", "G3"):
            modal = words.get("F", modal)
            for low, high in pairwise(borders.get(index, (0.0, 1.0))):
                own = [one.feed_after for one in changes if one.command == index and one.start <= low < high <= one.end]
                feeds += [own[0] if own else modal] * 7
    return feeds
