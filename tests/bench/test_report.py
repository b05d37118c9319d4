# SPDX-License-Identifier: LGPL-2.1-or-later
"""The form that every benchmark writes."""

import json
import math

import pytest

from bench import report
from bench.report import Row


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    return tmp_path


def test_what_is_required_decides_and_what_is_aimed_at_does_not(results):
    fast = Row("speed", 3.0, "×", "higher", required=2.0, aim=5.0)
    slow = Row("time", 3.0, "s", "lower", required=2.0)
    assert report.publish("fast", [fast])
    assert not report.publish("slow", [fast, slow])


def test_what_could_not_be_measured_falls_short():
    for nothing in (None, math.nan):
        assert Row("speed", nothing, "×", "higher", required=0.0).verdict == "FALLS SHORT"
        assert Row("speed", nothing, "×", "higher").verdict == ""


def test_the_json_form_has_every_field_and_no_nan(results, capsys):
    report.publish("form", [Row("error", math.nan, "mm", "lower", required=0.5)])
    written = json.loads((results / "form.json").read_text(), parse_constant=pytest.fail)
    assert written["machine"]
    assert written["rows"] == [
        {"name": "error", "value": None, "unit": "mm", "better": "lower", "required": 0.5, "aim": None}
    ]
    assert "FALLS SHORT" in capsys.readouterr().out


def test_contestants_take_turns_at_being_first():
    calls = []
    spent = report.cpu_medians({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=2)
    assert "".join(calls) == "ab" + "ab" + "ba"
    assert set(spent) == {"a", "b"}
    assert min(spent.values()) >= 0
