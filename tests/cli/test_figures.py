# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the command line prints, and writes as JSON, are the figures of small jobs and runs that were made up."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import hand_analysis
import hand_made
from freecad_camtwin.cli import compare, cycle_time, summary
from freecad_camtwin.twin.alignment.lag import Correction
from freecad_camtwin.twin.runs.execution import make_executions
from freecad_camtwin.twin.signals.run import Silence


@pytest.fixture
def printed(capsys):
    """Call a function and return its lines, with one space where several keep columns apart."""

    def call(function, *arguments):
        function(*arguments)
        return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]

    return call


def executions(told=None, **said):
    made = hand_made.package()
    told = hand_made.columns() if told is None else told
    found = hand_made.placed(made, told, correction=Correction(lag=0.02, delay=0.01))
    return make_executions(made, hand_made.run(made, told, **said), alignment=found)


def test_an_analysis_in_rows(printed):
    lines = printed(summary.print_analysis, hand_analysis.analysis())
    heads, face, side = lines[-3:]
    assert heads == "operation tool m cm³ time W N·m N µm bend µm chip of limit"
    assert face == "Face 6 mm 0.03 0.040 4.0 s 80 1.5 150 15 30 80 %"
    assert side == "Side 6 mm 0.04 0.090 5.0 s 200 3 300 30 50 150 %"
    assert lines[0] == "Time: The job takes 10.0 s on 'mill'; length over feed gives 7.0 s for the feed moves alone."
    assert lines[4] == "! In 'Side' move 4 reaches 150 % of cutting force; limit 100 %."
    assert summary.worst_load(hand_analysis.analysis()) == "150 % of its limit"


def test_an_analysis_of_which_little_is_known(printed):
    loads = {name: np.full(6, np.nan) for name in hand_analysis.LOADS}
    made = hand_analysis.analysis(unknown=(("material",), ("material",)), loads=loads, timed=False, supplied=("Said.",))
    lines = printed(summary.print_analysis, made)
    heads, face, side, note = lines[-4:]
    assert heads.endswith("of limit unknown")
    assert face == "Face 6 mm 0.03 0.040 3.0 s ? ? ? ? ? ? material"  # without a machine, length over feed
    assert side == "Side 6 mm 0.04 0.090 4.0 s ? ? ? ? ? ? material"
    assert note == "note: Said."
    assert summary.worst_load(made) == "unknown"
    power = loads | {"power": hand_analysis.LOADS["power"]}
    no_limits = tuple(replace(each, power=None) for each in hand_analysis.LIMITS)
    assert summary.worst_load(hand_analysis.analysis(loads=power, limits=no_limits)) == "200 W"


def cycle(**other):
    job = hand_made.package().job
    face, side = job.operations
    path = replace(job.toolpath, **other)
    job = replace(job, toolpath=path, operations=(replace(face, freecad_time=7.0), side), warnings=("Odd job.",))
    timed = hand_analysis.schedule(warnings=("Odd time.",))
    return cycle_time.cycle_time_figures(job, timed, SimpleNamespace(name="mill"))


def test_figures_of_a_cycle_time():
    assert cycle() == {
        "schema": "camtwin.cycle-time/1",
        "input": {},
        "job": "part",
        "machine": "mill",
        "total": 10.0,
        "breakdown": {"cutting": 7.0, "rapids": 2.0, "acceleration": 0.0, "dwell": 1.0},
        "time_at_feed": 7.0,
        "operations": [
            {"label": "Face", "moves": 3, "cutting_length": 30.0, "rapid_length": 10.0, "time": 4.0,
             "time_at_feed": 3.0, "freecad_time": 7.0},
            {"label": "Side", "moves": 3, "cutting_length": 40.0, "rapid_length": 10.0, "time": 5.0,
             "time_at_feed": 4.0, "freecad_time": None},
        ],
        "warnings": ["Odd job.", "Odd time."],
    }  # fmt: skip


def test_a_cycle_time_in_rows(printed):
    assert printed(cycle_time._print, cycle()) == [
        "part takes 10.0 s on mill.",
        "length/feed of the feed moves is 7.0 s (-30.0 %).",
        "Time by kind of motion: cutting 7.0 s, rapids 2.0 s, dwell 1.0 s.",
        "",
        "operation moves m cutting m rapid time length/feed FreeCAD",
        "Face 3 0.03 0.01 4.0 s 3.0 s 7.0 s",
        "Side 3 0.04 0.01 5.0 s 4.0 s ?",
        "note: Odd job.",
        "note: Odd time.",
    ]


def test_a_cycle_time_without_a_feed_is_unknown_and_not_0(printed):
    feed = hand_made.package().job.toolpath.feed.copy()
    feed[2] = np.nan
    said = cycle(feed=feed)
    assert (said["time_at_feed"], said["operations"][0]["time_at_feed"]) == (None, None)
    assert said["operations"][1]["time_at_feed"] == 4.0
    lines = printed(cycle_time._print, said)
    assert lines[1] == "length/feed is unknown, because some moves have no feed."
    assert lines[5] == "Face 3 0.03 0.01 4.0 s ? 7.0 s"


def test_figures_of_a_comparison():
    (made,) = executions(machine="mill 1", name="r1", received=110, dropped={"late": 5})
    (said,) = json.loads(compare._json((made,)))["executions"]
    assert said["about"] == {
        "toolpath_hash": hand_made.package().toolpath_hash, "job": "part", "program": "part.ngc", "program_hash": None,
        "source": "part.run", "run": "r1", "part": 1, "parts": 1, "started": 0.0, "machine": "mill 1",
        "operator": None, "simulated": False, "material": None,
        "operations": [{"label": label, "name": None, "path_hash": None} for label in ("Face", "Side")],
    }  # fmt: skip
    figures = said["figures"]
    assert figures["cycle_time"] == 13.0
    assert figures["predicted_time"] == pytest.approx(9.0)
    assert figures["breakdown"]["cutting"] == 8.0
    assert figures["removed"] == pytest.approx(130.0)
    assert (figures["q"], figures["feed_reached"]) == pytest.approx((16.25, 7 / 11))
    assert figures["energy"] == pytest.approx(made.figures.energy)
    assert figures["loads"]["power"]["ratio"] == pytest.approx(150 / 175)
    face, side = said["operations"]
    assert (face["loads"]["power"]["mean"], side["loads"]["power"]["mean"]) == pytest.approx((120.0, 160.0))
    assert (face["loads"]["power"]["limit"], face["loads"]["power"]["over_limit"]) == (100.0, pytest.approx(0.5))
    assert said["quality"] == {
        "method": "position", "samples": 105, "placed": 1.0, "seen": pytest.approx(1.0), "interval": 0.125,
        "confidence": 1.0, "off_path": 0.0, "lag": 0.02, "delay": 0.01, "bias": [0.0, 0.0, 0.0], "gaps": 0,
        "gap_time": 0.0, "received": 110, "dropped": {"late": 5},
    }  # fmt: skip
    assert said["notes"] == []


def test_a_comparison_in_rows(printed):
    (made,) = executions()
    assert printed(compare.print_execution, made) == [
        "Run: part.run of 'part'.",
        "Time: 13.0 s measured; 9.0 s predicted for the part with data.",
        "Load: power 150 W in the mean of the cut, 86 % of the predicted.",
        "Data: 100.0 % of the feed moves' path has data, placed by position.",
        "Lag 20.0 ms, delay 10.0 ms; 0 gaps.",
        "",
        "operation seen time predicted feed mean W predicted ratio of seconds",
        "Face 100.0 % 4.0 s 4.0 s 100 % 120 100 120 % "
        f"{100 * made.operations[0].loads['power'].ratio_low:.0f} % … "
        f"{100 * made.operations[0].loads['power'].ratio_high:.0f} %",
        "Side 100.0 % 9.0 s 5.0 s 50 % 160 200 80 % 80 % … 80 %",
    ]


def test_a_comparison_with_a_silence_and_without_a_load(printed):
    told = hand_made.columns(power=None)
    hushed = hand_made.part(told, (told.time <= 7.0) | (told.time >= 9.0))
    (made,) = executions(hushed, silences=(Silence(7.0, 9.0, "lost"),), simulated=True)
    lines = printed(compare.print_execution, made)
    assert lines[:5] == [
        "Run: part.run of 'part'; these data are simulated.",
        "Time: 13.0 s measured, of which 2.0 s have no data; 8.0 s predicted for the part with data.",
        "Load: the run contains none.",
        "Data: 85.7 % of the feed moves' path has data, placed by position.",
        "Lag 20.0 ms, delay 10.0 ms; 1 gap of 2.0 s.",
    ]
    assert lines[8] == "Side 80.0 % 7.0 s 4.0 s 50 % ? ? ? ?"
    assert lines[9].startswith("note: The run has no measured load")
