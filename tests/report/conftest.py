# SPDX-License-Identifier: LGPL-2.1-or-later
"""One small analysis to draw: a slot in aluminium on a hobby mill."""

import pytest

from calling import PROGRAM
from freecad_camtwin.twin.analysis.analysis import analyze
from freecad_camtwin.twin.job.job import Limits, Stock
from freecad_camtwin.twin.job.program import read_program
from freecad_camtwin.twin.job.tool import Shape, Tool

TOOL = Tool(6.0, Shape.FLAT, label="end mill", zefp=2, lpr=20.0, material="Carbide")


@pytest.fixture(scope="session")
def job(tmp_path_factory):
    path = tmp_path_factory.mktemp("job") / "slot.ngc"
    path.write_text(PROGRAM, encoding="ascii")
    return read_program(path, tools=(TOOL,), stock=Stock((0, -20, -10), (50, 40, 0)))


@pytest.fixture(scope="session")
def known(job):
    """Everything is known, and a power limit of 100 W is exceeded."""
    return analyze(job, material="6061", machine="vmc", cell=0.25, limits=Limits(power=100.0))


@pytest.fixture(scope="session")
def unknown(job):
    """Neither material nor machine is known."""
    return analyze(job, cell=0.25)
