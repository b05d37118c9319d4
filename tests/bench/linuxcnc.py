# SPDX-License-Identifier: LGPL-2.1-or-later
"""The whole way, on a real LinuxCNC at the speed of life: a posted job of four and a half minutes, recorded twice.

See ``proving``. Held against the controller's own sampler: how many rows arrive, how many samples of feed moves are
placed within a move of the truth, how well lag and bias are found, and what the (simulated) power alone tells.
"""

import shutil
import tempfile
from pathlib import Path

from bench.report import RESULTS, ROOT, Row
from freecad_camtwin.twin.alignment.align import align
from freecad_camtwin.twin.package.package import load_package
from freecad_camtwin.twin.signals.columns import Columns
from proving import Proof, prove

PACKAGE = ROOT / "examples" / "coverglass.camtwin"
PROGRAM = ROOT / "tests" / "data" / "cycle_times" / "coverglass.ngc"
LAG, BIAS = 0.05, (0.03, 0.03, 0.03)


def main() -> list[Row]:
    """Run, record, place; the recording that came over MQTT stays beside the figures."""
    with tempfile.TemporaryDirectory() as folder:
        proof = prove(Path(folder), load_package(PACKAGE), PROGRAM)
        RESULTS.mkdir(parents=True, exist_ok=True)
        shutil.copy(proof.recordings["mqtt"], RESULTS / "linuxcnc.run")
        return [*_over("mqtt", proof), *_over("opcua", proof), *_worse(proof), _by_power(proof)]


def _over(way: str, proof: Proof) -> list[Row]:
    columns = proof.columns(way)
    found = align(proof.package, columns)
    late = abs(found.correction.lag + found.correction.delay - proof.age(columns))
    return [
        Row(f"{way}_rows_missing", proof.missing(way), f"of {columns.rows}", "lower", required=0),
        Row(f"{way}_within_1_percent", proof.within_1_percent(found), "%", "higher", required=99.5),
        Row(f"{way}_lag_error_ms", 1e3 * late, "ms", "lower", required=3.0),
    ]


def _worse(proof: Proof) -> list[Row]:
    columns, cycles = proof.lagging(LAG, BIAS, line=True)
    found = align(proof.package, columns)
    off = max(abs(told - true) for told, true in zip(found.correction.bias, BIAS, strict=True))
    return [
        Row("lagging_within_1_percent", proof.within_1_percent(found, cycles), "%", "higher", required=99.5),
        Row("lagging_lag_error_ms", 1e3 * abs(found.correction.lag - LAG), "ms", "lower", required=3.0),
        Row("lagging_bias_error_um", 1e3 * off, "µm", "lower"),
    ]


def _by_power(proof: Proof) -> Row:
    columns = proof.columns("mqtt")
    found = align(proof.package, Columns(columns.time, {"power": columns.column("power")}))
    return Row("power_boundary_s", max(proof.boundary_errors(found)), "s", "lower", required=0.5)
