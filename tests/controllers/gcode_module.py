# SPDX-License-Identifier: LGPL-2.1-or-later
"""LinuxCNC's interpreter at full precision, by its Python module ``gcode``: run by the system's Python as a script.

    /usr/bin/python3 gcode_module.py PROGRAM FOLDER

Writes FOLDER/moves.json, [call, physical line, numbers in mm, plane, feed in mm/min, offset] of every move; the module
itself prints on standard output. ``rs274`` prints four decimals only, too few for an inch program to be held against
it to 1e-4 mm.
"""

import ctypes
import json
import os
import sys
from pathlib import Path

INCH = 25.4


class Canon:
    """What ``gcode.parse`` calls: the moves are kept, the rest is passed over."""

    def __init__(self, folder):
        self.parameter_file = str(folder / "v.var")
        self.moves, self.line, self.plane, self.feed = [], 0, 1, 0.0
        self.offsets = {"g5x": [0.0] * 3, "g92": [0.0] * 3}

    def __getattr__(self, name):
        return lambda *_: 0

    def next_line(self, state):
        self.line = state.sequence_number

    def get_external_length_units(self):
        return 1.0

    def get_external_angular_units(self):
        return 1.0

    def get_axis_mask(self):
        return 7

    def get_block_delete(self):
        return 0

    def check_abort(self):
        return False

    def get_tool(self, pocket):
        return (pocket, *[0.0] * 12, 0)

    def set_plane(self, plane):
        self.plane = plane

    def set_feed_rate(self, rate):
        self.feed = rate * INCH

    def set_g5x_offset(self, _index, *offset):
        self.offsets["g5x"] = [value * INCH for value in offset[:3]]

    def set_g92_offset(self, *offset):
        self.offsets["g92"] = [value * INCH for value in offset[:3]]

    def straight_traverse(self, *numbers):
        self.keep("STRAIGHT_TRAVERSE", numbers[:3])

    def straight_feed(self, *numbers):
        self.keep("STRAIGHT_FEED", numbers[:3])

    def arc_feed(self, *numbers):
        self.keep("ARC_FEED", numbers[:6])
        self.moves[-1][2][4] = numbers[4]  # turns

    def keep(self, call, numbers):
        shift = [a + b for a, b in zip(*self.offsets.values())]  # noqa: B905, the system's Python may be old
        self.moves.append([call, self.line, [value * INCH for value in numbers], self.plane, self.feed, shift])


def load_tools(folder):
    """Make the tool table in memory that a running machine would have; without it, T and G43 crash the module."""
    (folder / "t.tbl").write_text("".join(f"T{number} P{number} Z0.0 D1.0\n" for number in range(1, 56)))
    library = ctypes.CDLL("libtooldata.so.0", mode=ctypes.RTLD_GLOBAL)
    library._Z17tool_mmap_creatorPK13EMC_TOOL_STATi(ctypes.create_string_buffer(1 << 20), 0)
    library._Z13tooldata_initb(False)
    library._Z13tooldata_loadPKcPPc(str(folder / "t.tbl").encode(), None)


def main():
    program, folder = Path(sys.argv[1]), Path(sys.argv[2])
    (folder / "v.var").touch()
    (folder / "mill.ini").write_text("[EMC]\n[TRAJ]\nLINEAR_UNITS = mm\nANGULAR_UNITS = degree\nCOORDINATES = XYZ\n")
    os.environ["INI_FILE_NAME"] = str(folder / "mill.ini")
    os.environ["HOME"] = str(folder)  # the tool table in memory is a file under HOME
    load_tools(folder)
    import gcode

    canon = Canon(folder)
    status, line = gcode.parse(str(program), canon, "G21", "G17 G40 G49 G54 G80 G90 G94")
    error = gcode.strerror(status) if status > gcode.MIN_ERROR else None
    (folder / "moves.json").write_text(json.dumps({"moves": canon.moves, "error": error, "line": line}))


if __name__ == "__main__":
    main()
