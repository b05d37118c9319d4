# SPDX-License-Identifier: LGPL-2.1-or-later
"""The report says what the analysis says, the verdicts first, and escapes what the world put into labels."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from freecad_camtwin.report import page
from freecad_camtwin.twin.analysis.verdicts import operation_verdicts, verdict_sentences
from freecad_camtwin.twin.feeds.into_toolpath import planned_toolpath
from freecad_camtwin.twin.feeds.planner import plan_feeds

VOID = {"meta", "br", "img", "link", "wbr", "hr", "input"}


class Balanced(HTMLParser):
    """Checks that every tag that opens closes."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.words = []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def words_of(html):
    parser = Balanced()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return " ".join(" ".join(parser.words).split())


@pytest.fixture(scope="module")
def planned(job, known):
    """The plan, and the same job at its feeds."""
    from freecad_camtwin.twin.analysis.analysis import analyze
    from freecad_camtwin.twin.job.job import Limits

    plan = plan_feeds(known.job, known.engagement, known.model, known.limits, known.machine)
    mended = replace(known.job, toolpath=planned_toolpath(known.job.toolpath, plan))
    return plan, analyze(mended, material="6061", machine="vmc", cell=0.25, limits=Limits(power=100.0))


def test_the_four_verdicts_stand_before_any_picture(known):
    html = page.report_html(known)
    words_of(html)
    first_picture = min(html.index("<svg"), html.index("<img"))
    text = html[:first_picture]
    for sentence in verdict_sentences(known).values():
        assert sentence.replace("'", "&#39;") in text
    for sentence in operation_verdicts(known, 0):
        assert "exceeds" not in sentence
        assert sentence.replace("'", "&#39;") in text


def test_what_is_unknown_is_hatched_and_named_and_never_zero(unknown):
    html = page.report_html(unknown)
    text = words_of(html)
    assert "The material is unknown in every operation." in text
    assert 'class="unknown">unknown' in html
    row = html[html.index('id="operation-1"') :]
    row = row[: row.index("</tr>")]
    assert not re.search(r">0(\.0+)?<", row)


def test_before_and_after_stand_side_by_side(known, planned):
    plan, after = planned
    text = words_of(page.report_html(known, after, plan))
    assert "before and after" in text
    assert "was" in text
    assert "As programmed." in text
    assert "As planned, on the same scale." in text
    for reason in {change.reason for operation in plan.operations for change in operation.changes}:
        assert reason in text


def test_the_planned_load_keeps_its_limit(known, planned):
    plan, after = planned
    assert np.nanmax(known.worst_ratio) > 1
    bound = [binding for operation in plan.operations for binding in operation.bindings]
    assert bound or np.nanmax(after.worst_ratio) <= 1.02


def test_labels_cannot_smuggle_markup(known):
    evil = "<script>alert(1)</script>&\"'"
    operations = tuple(replace(each, label=evil) for each in known.job.operations)
    html = page.report_html(replace(known, job=replace(known.job, label=evil, operations=operations)))
    words_of(html)
    assert "<script" not in html


def test_an_operation_that_cuts_nothing_has_a_row(known):
    operations = (*known.job.operations, replace(known.job.operations[0], label="idle"))
    limits = (*known.limits, known.limits[0])
    job = replace(known.job, operations=operations)
    from freecad_camtwin.twin.cut.load import LoadModel

    model = LoadModel(known.engagement, job, known.material)
    html = page.report_html(replace(known, job=job, limits=limits, model=model))
    assert "idle" in words_of(html)
