# SPDX-License-Identifier: LGPL-2.1-or-later
"""The macro in the README does what the README says."""

import re
from pathlib import Path

import pytest

from freecad_camtwin.document import structure

pytest.importorskip("numba", reason="the macro simulates, and this FreeCAD's Python has no numba")

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_five_lines_mend_the_feeds_of_a_job(whole_job, capsys):
    (macro,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(macro.strip().splitlines()) == 5
    names = {"job": whole_job}
    exec(macro, names)
    assert "No rapid move touches" in capsys.readouterr().out
    assert "G1" in names["program"]
    assert any("Dressup" in top.Name for top in structure.operations(whole_job))
