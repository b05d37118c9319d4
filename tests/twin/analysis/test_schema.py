# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every figure of an analysis' JSON is what its arrays, which were made up, say of it."""

import json

import numpy as np
import pytest

import hand_analysis
from freecad_camtwin.twin.analysis import schema


def test_figures_of_the_whole_job():
    said = schema.to_dict(hand_analysis.analysis(), path="part.FCStd", sha256="a" * 64)
    assert said["schema"] == "camtwin.analysis/1"
    assert said["input"] == {"path": "part.FCStd", "sha256": "a" * 64, "freecad_version": None}
    assert (said["job"], said["material"], said["machine"]) == ("part", "6061", "mill")
    assert said["toolpath"] == {"hash": "f" * 64, "moves": 6, "cutting_length": 70.0, "rapid_length": 20.0}
    assert (said["time"], said["cell"]) == (10.0, 0.1)
    assert (said["stock_volume"], said["removed_volume"]) == (1000.0, 130.0)
    assert said["tools"] == [
        {"number": 1, "label": "6 mm", "shape": "flat", "shape_name": "", "dc": 6.0, "zefp": 2, "re": None,
         "apmx": None}
    ]  # fmt: skip
    assert len(said["verdicts"]) == 4


def test_figures_of_the_operations():
    face, side = (schema.operation(hand_analysis.analysis(), index) for index in range(2))
    assert (face["label"], face["type"], face["tool"], face["moves"]) == ("Face", "Profile", "6 mm", 3)
    assert (face["cutting_length"], side["cutting_length"]) == (30.0, 40.0)
    assert (face["removed_volume"], side["removed_volume"]) == (40.0, 90.0)
    assert (face["time"], side["time"]) == (4.0, 5.0)
    assert (face["time_at_feed"], side["time_at_feed"]) == (3.0, 4.0)
    assert face["peak"] == {"power": 80.0, "torque": 1500.0, "force": 150.0, "deflection": 0.015, "h_ex": 0.03}
    assert side["peak"] == {"power": 200.0, "torque": 3000.0, "force": 300.0, "deflection": 0.03, "h_ex": 0.05}
    assert (face["worst_ratio"], side["worst_ratio"]) == (0.8, 1.5)  # 80 of 100 W, 300 of 200 N
    assert face["limits"] == {
        "h_ex_max": 0.05, "h_ex_min": None, "force": 200.0, "torque": None, "power": 100.0, "deflection": None,
        "feed_min": None, "feed_max": None,
    }  # fmt: skip
    assert face["limit_sources"] == {"h_ex_max": "tool", "power": "user"}
    assert face["verdicts"] == []
    assert side["verdicts"] == [
        "In 'Side' move 4 reaches 150 % of cutting force; limit 100 %.",
        "In 'Side' move 4 reaches 125 % of chip thickness; limit 100 %.",
    ]
    assert (face["unknown"], side["unknown"]) == ([], [])


def test_what_is_not_known_is_null_and_never_0():
    loads = {name: np.full(6, np.nan) for name in hand_analysis.LOADS}
    feed = hand_analysis.analysis().job.toolpath.feed.copy()
    feed[2] = np.nan
    made = hand_analysis.analysis(
        unknown=(("material", "feed"), ("material",)), loads=loads, timed=False, feed=feed, material=None
    )
    said = json.loads(schema.to_json(made))
    assert (said["time"], said["material"], said["machine"], said["input"]["sha256"]) == (None, None, None, None)
    face, side = said["operations"]
    assert set(face["peak"].values()) == {None}
    assert (face["worst_ratio"], face["time"], face["time_at_feed"]) == (None, None, None)
    assert (side["time"], side["time_at_feed"]) == (None, 4.0)
    assert (face["unknown"], side["unknown"]) == (["material", "feed"], ["material"])


def test_one_known_step_tells_the_peak():
    loads = {name: np.where(np.arange(6) == 4, values, np.nan) for name, values in hand_analysis.LOADS.items()}
    face, side = (schema.operation(hand_analysis.analysis(loads=loads), index) for index in range(2))
    assert set(face["peak"].values()) == {None}
    assert side["peak"] == {"power": 100.0, "torque": 2000.0, "force": 300.0, "deflection": 0.03, "h_ex": 0.05}


def test_arrays_of_the_steps():
    rows = schema.steps(hand_analysis.analysis())
    assert list(rows["move"]) == [1, 1, 2, 3, 4, 4]
    assert list(rows["operation"]) == [0, 0, 0, 1, 1, 1]
    assert rows["time"] == pytest.approx([2.0, 3.0, 4.0, 5.0, 6.5, 8.0])
    assert rows["x"] == pytest.approx([20, 30, 40, 50, 65, 80])
    for name, values in hand_analysis.LOADS.items():
        np.testing.assert_array_equal(rows[name], values)


def test_the_four_verdicts_name_the_hardest_step():
    time, load, tool, safety = hand_analysis.analysis().verdicts[:4]
    assert time == "The job takes 10.0 s on 'mill'; length over feed gives 7.0 s for the feed moves alone."
    assert load == "The hardest step reaches 150 % of its limit (cutting force, 'Side' move 4)."
    assert tool == "The tool bends by 0.03 mm at most ('Side' move 4); the thickest chip is 0.05 mm ('Side' move 4)."
    assert safety == "No rapid move touches the simulated stock."
