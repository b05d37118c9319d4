# SPDX-License-Identifier: LGPL-2.1-or-later
"""A posted job on a real LinuxCNC, recorded over MQTT and over OPC UA, is placed as LinuxCNC's own sampler says.

The job is CAM_coverglass of the example document, as FreeCAD posted it, with twenty times its feeds: 15 s under
G64 P0.01 at the speed of life, and so much harder to place. The power is simulated.
"""

import re
from dataclasses import replace

import pytest

from calling import ROOT
from controllers.linuxcnc.harness import unavailable
from freecad_camtwin.store.reader import RecordingReader
from freecad_camtwin.twin.alignment.align import align
from freecad_camtwin.twin.analysis.analysis import analyze
from freecad_camtwin.twin.package.package import load_package, make_package
from freecad_camtwin.twin.signals.columns import Columns
from proving import prove

PACKAGE = ROOT / "examples" / "coverglass.camtwin"
PROGRAM = ROOT / "tests" / "data" / "cycle_times" / "coverglass.ngc"
RECORDING = ROOT / "examples" / "coverglass.run"
FASTER = 20
LAG, BIAS = 0.05, (0.03, 0.03, 0.03)


@pytest.fixture(scope="module")
def proof(tmp_path_factory):
    """The run, recorded twice."""
    reason = unavailable()
    if reason:
        pytest.fail(f"{reason}: make test installs it")
    folder = tmp_path_factory.mktemp("proof")
    program = folder / "fast.ngc"
    program.write_text(re.sub(r"F([\d.]+)", lambda feed: f"F{FASTER * float(feed[1]):.3f}", PROGRAM.read_text()))
    job = load_package(PACKAGE).job
    fast = replace(job, toolpath=replace(job.toolpath, feed=FASTER * job.toolpath.feed))
    package = make_package(analyze(fast, material="6061", machine="linuxcnc_sim", cell=0.2), program)
    return prove(folder, package, program)


@pytest.mark.parametrize("way", ["mqtt", "opcua"])
def test_every_row_of_the_controller_is_recorded_and_placed(proof, way):
    assert proof.missing(way) == 0
    found = align(proof.package, proof.columns(way))
    assert proof.within_1_percent(found) >= 99.5
    assert found.correction.lag == pytest.approx(0.0, abs=0.003)
    assert found.correction.delay == pytest.approx(0.0, abs=0.003)


@pytest.mark.parametrize("way", ["mqtt", "opcua"])
def test_the_recorder_places_rows_while_they_come(proof, way):
    with RecordingReader(proof.recordings[way]) as reader:
        rows = reader.query(["move", "operation"])
        assert reader.header.toolpath_hash == proof.package.toolpath_hash
        assert reader.header.simulated
    found = align(proof.package, proof.columns(way))
    moves = dict(zip(rows.time, rows.columns["move"], strict=True))
    both = [(moves[time], move) for time, move in zip(found.time, found.move, strict=True) if move >= 0]
    placed = [abs(live - later) <= 1 for live, later in both if live == live]
    assert len(placed) >= 0.5 * len(both)  # a row waits 0.3 s at most for its place: on a busy machine some get none
    assert sum(placed) / len(placed) >= 0.99


@pytest.mark.parametrize("has_line", [True, False])
def test_a_lag_of_50_ms_and_a_bias_of_30_um_are_found_and_taken_out(proof, has_line):
    columns, cycles = proof.lagging(LAG, BIAS, line=has_line)
    found = align(proof.package, columns)
    assert found.correction.lag == pytest.approx(LAG, abs=0.003)
    assert found.correction.bias == pytest.approx(BIAS, abs=0.002)
    assert proof.within_1_percent(found, cycles) >= 99.5


def test_the_power_alone_tells_where_cutting_begins_and_ends(proof):
    columns = proof.columns("mqtt")
    found = align(proof.package, Columns(columns.time, {"power": columns.column("power")}))
    assert found.method == "power"
    assert max(proof.boundary_errors(found)) <= 0.5
