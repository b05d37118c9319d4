# SPDX-License-Identifier: LGPL-2.1-or-later
"""The smallest program whose analysis needs every kernel of the usual one: a flat cutter's slope, arc and plunge.

Other shapes of cutter are compiled when a job first has one.
"""

import tempfile
from pathlib import Path

from freecad_camtwin.twin.analysis.analysis import analyze
from freecad_camtwin.twin.cut.reduced import reduce
from freecad_camtwin.twin.job.job import Stock
from freecad_camtwin.twin.job.program import read_program
from freecad_camtwin.twin.job.tool import Shape, Tool

PROGRAM = """G21 G90 G17
T1 M6
S12000 M3
G0 X-10 Y20 Z5
G1 Z-2 F300
G1 X30 Y20 Z-4 F900
G2 X40 Y20 I5 J0
G0 Z5
M2
"""
TOOL = Tool(6.0, Shape.FLAT, number=1, zefp=2, lpr=25.0, material="Carbide")


def run():
    """Read the program, analyze it in aluminium on a machine, and reduce it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "first.ngc"
        file.write_text(PROGRAM, encoding="ascii")
        job = read_program(file, tools=[TOOL], stock=Stock((0, 0, -10), (60, 40, 0)))
    found = analyze(job, material="6061", machine="vmc", cell=0.2)
    reduce(found.engagement, job)
