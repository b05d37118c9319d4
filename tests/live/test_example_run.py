# SPDX-License-Identifier: LGPL-2.1-or-later
"""The example's recorded run belongs to its package, and is whole."""

import numpy as np
import pytest

from calling import ROOT
from freecad_camtwin.store.reader import RecordingReader
from freecad_camtwin.twin.package.package import load_package

PACKAGE, RECORDING = ROOT / "examples" / "coverglass.camtwin", ROOT / "examples" / "coverglass.run"


def test_the_run_is_of_the_package_and_says_that_it_is_simulated():
    package = load_package(PACKAGE)
    with RecordingReader(RECORDING) as reader:
        header, rows, gaps = reader.header, reader.query(["operation", "line", "power"]), list(reader.gaps())
    assert header.toolpath_hash == package.toolpath_hash
    assert header.simulated
    assert not gaps
    assert rows.time[-1] - rows.time[0] == pytest.approx(float(package.time.sum()), abs=10.0)
    assert set(np.unique(rows.columns["operation"][np.isfinite(rows.columns["operation"])])) == {0.0, 2.0}
    assert np.nanmax(rows.columns["line"]) <= package.lines.program.line.max()
