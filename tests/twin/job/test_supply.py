# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a user supplies fills what the source does not say, never overrides it, and is told in a sentence."""

from dataclasses import fields, replace

import numpy as np
import pytest

from freecad_camtwin.twin.job.job import Job, Operation, Stock
from freecad_camtwin.twin.job.supply import ToolWords, supply
from freecad_camtwin.twin.job.tool import Shape, Tool
from freecad_camtwin.twin.job.toolpath import MoveKind
from plan_jobs import straight_path

BOX = Stock((0.0, 0.0, -10.0), (50.0, 50.0, 0.0))
OTHER_BOX = Stock((0.0, 0.0, -1.0), (5.0, 5.0, 0.0))
#: All that can be said of a tool, and something else of each.
WORDS = {"dc": 6.0, "shape": Shape.BULL, "re": 0.5, "apmx": 12.0, "lpr": 25.0, "dmm": 6.0, "fha": 0.5, "zefp": 2,
         "material": "Carbide"}  # fmt: skip
OTHER = {"dc": 8.0, "shape": Shape.FLAT, "re": 0.2, "apmx": 20.0, "lpr": 40.0, "dmm": 8.0, "fha": 0.7, "zefp": 3,
         "material": "HSS"}  # fmt: skip


def job(n_rpm, *, tool=None, stock=None):
    """Four moves of two operations: a rapid and a cut each."""
    path = straight_path([(x, 0, 0) for x in range(5)], [0, 1, 0, 1], 10.0)
    path = replace(path, n_rpm=np.array(n_rpm, float), operation=np.array([0, 0, 1, 1]))
    tool = tool or Tool(dc=6.0, shape=Shape.FLAT, number=1)
    operations = (Operation("Face", "Profile", 0), Operation("Side", "Profile", 0))
    return Job("part", path, (tool,), operations, stock=stock)


@pytest.mark.parametrize(
    ("said", "then", "labels"),
    [
        ([8000, 8000, 8000, 8000], [8000, 8000, 8000, 8000], None),
        ([np.nan, np.nan, np.nan, np.nan], [5000, 5000, 5000, 5000], "Face and Side"),
        ([8000, 8000, np.nan, np.nan], [8000, 8000, 5000, 5000], "Side"),
        ([0, 0, 8000, 8000], [5000, 5000, 8000, 8000], "Face"),  # a spindle that stands does not cut
        ([np.nan, 8000, np.nan, 8000], [np.nan, 8000, np.nan, 8000], None),  # rapids need no spindle
    ],
)
def test_a_supplied_spindle_speed_fills_what_is_unknown_and_never_overrides(said, then, labels):
    filled, supplied = supply(job(said), n_rpm=5000.0)
    np.testing.assert_array_equal(filled.toolpath.n_rpm, then)
    assert supplied == ((f"The spindle speed of {labels} was supplied: 5000 1/min.",) if labels else ())


def test_nothing_but_the_spindle_speed_of_the_path_is_changed_by_it():
    before = job([np.nan] * 4)
    after, _ = supply(before, n_rpm=5000.0)
    for item in fields(before.toolpath):
        if item.name != "n_rpm":
            np.testing.assert_array_equal(getattr(after.toolpath, item.name), getattr(before.toolpath, item.name))
    assert (after.toolpath.kind == [MoveKind.RAPID, MoveKind.LINE] * 2).all()


@pytest.mark.parametrize("name", WORDS)
def test_each_word_of_a_tool_fills_a_gap_and_never_overrides(name):
    whole = Tool(number=1, label="mill", **WORDS)
    gap = {"shape": None, "re": None} if name == "shape" else {name: None}
    words = (ToolWords(1, OTHER),)
    said, supplied = supply(job([8000] * 4, tool=whole), tools=words)
    assert (said.tools, supplied) == ((whole,), ())
    filled, supplied = supply(job([8000] * 4, tool=replace(whole, **gap)), tools=words)
    assert filled.tools == (replace(whole, **{each: OTHER[each] for each in gap}),)
    assert len(supplied) == len(gap)
    assert all(sentence.startswith("The ") and sentence.endswith(" of mill was supplied.") for sentence in supplied)


def test_words_of_one_tool_are_not_those_of_another():
    lacking = Tool(dc=None, shape=Shape.FLAT, number=1)
    filled, supplied = supply(job([8000] * 4, tool=lacking), tools=(ToolWords(2, {"dc": 8.0}),))
    assert (filled.tools, supplied) == ((lacking,), ())
    filled, _ = supply(job([8000] * 4, tool=lacking), tools=(ToolWords(None, {"dc": 8.0}),))
    assert filled.tools[0].dc == 8.0


def test_the_first_of_two_words_on_one_dimension_counts():
    lacking = Tool(dc=None, shape=Shape.FLAT, number=1)
    filled, _ = supply(job([8000] * 4, tool=lacking), tools=(ToolWords(1, {"dc": 8.0}), ToolWords(None, {"dc": 9.0})))
    assert filled.tools[0].dc == 8.0


def test_a_supplied_stock_fills_a_gap_and_never_overrides():
    filled, supplied = supply(job([8000] * 4), stock=OTHER_BOX)
    assert (filled.stock, supplied) == (OTHER_BOX, ("The stock was supplied.",))
    said, supplied = supply(job([8000] * 4, stock=BOX), stock=OTHER_BOX)
    assert (said.stock, supplied) == (BOX, ())
