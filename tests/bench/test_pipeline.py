# SPDX-License-Identifier: LGPL-2.1-or-later
"""A part of the pipeline's benchmark that fails is told, and its rows fall short; none is left out."""

import pytest

from bench import pipeline
from bench.report import Row


def test_a_part_that_fails_says_why_and_owes_its_rows(monkeypatch, capsys):
    def broken(_part):
        raise ValueError("AssertionError: mosquitto is not installed")

    monkeypatch.setattr(pipeline, "run", broken)
    rows = pipeline.measured("pipeline_mqtt")
    assert [row.name for row in rows] == ["mqtt_batch_p99_ms", "json_p99_ms"]
    assert not any(row.reaches(row.required) for row in rows)
    assert "pipeline_mqtt failed: AssertionError: mosquitto is not installed" in capsys.readouterr().out


def test_a_row_that_was_measured_stands_once():
    rows = pipeline.complete("store", [Row("query_ms", 2.0, "ms", "lower", 10.0), Row("other", 1.0, "", "lower")])
    assert [row.name for row in rows] == ["query_ms", "other", "record_1e6_s", "record_mb"]
    assert [row.value for row in rows] == [2.0, 1.0, None, None]


def test_a_part_runs_in_a_process_of_its_own_and_its_last_words_are_told():
    with pytest.raises(ValueError, match=r"No module named 'bench\.no_such_part'"):
        pipeline.run("no_such_part")
