# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run FreeCAD's own path simulator over straight moves, and print the CPU seconds it took for them.

Usage, with FreeCAD's Python: ``python3 engagement_freecad.py MOVES.npz flat|ball CELL``. MOVES.npz holds ``start``
and ``end``, (moves, 3) [mm]; the stock is the 150 × 100 × 30 mm box below z = 0, the cutter has 6 mm.
"""

import sys
import time

sys.path.insert(0, "/usr/lib/freecad/lib")

import FreeCAD  # noqa: I001 - it finds the others' modules
import Part
import Path
import PathSimulator
import numpy as np


def simulate(file, shape, cell):
    moves = np.load(file)
    up = FreeCAD.Vector
    cutter = Part.makeCylinder(3.0, 30.0)
    if shape == "ball":
        cutter = Part.makeCylinder(3.0, 27.0, up(0, 0, 3)).fuse(Part.makeSphere(3.0, up(0, 0, 3))).removeSplitter()
    simulator = PathSimulator.PathSim()
    simulator.BeginSimulation(Part.makeBox(150, 100, 30, up(0, 0, -30)), cell)
    simulator.SetToolShape(cutter, cell / 4)
    commands = [Path.Command("G1", dict(zip("XYZ", map(float, point), strict=True))) for point in moves["end"]]
    position = FreeCAD.Placement(up(*map(float, moves["start"][0])), FreeCAD.Rotation())
    began = time.process_time()
    for command in commands:
        position = simulator.ApplyCommand(position, command)
    print("seconds", time.process_time() - began)


if __name__ == "__main__":
    simulate(sys.argv[1], sys.argv[2], float(sys.argv[3]))
