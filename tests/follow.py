# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine that does just what is predicted of it: simulated runs for jobs that no controller ran here."""

import numpy as np

from freecad_camtwin.store.recording import Recording
from freecad_camtwin.store.schema import RecordingHeader
from freecad_camtwin.twin.job.geometry import points_along


def follow(path, package, *, every=0.05, power=90.0, **said):
    """Record a run along a package's path; its header says that it is simulated."""
    program = package.lines.program
    clock = np.arange(0.0, float(package.start[-1] + package.time[-1]), every)
    move = np.clip(np.searchsorted(package.start, clock, side="right") - 1, 0, program.moves - 1).astype(np.int32)
    share = np.clip((clock - package.start[move]) / np.maximum(package.time[move], 1e-9), 0.0, 1.0)
    x, y, z = points_along(program, move, share * program.length[move]).T
    header = RecordingHeader(**({"started": 1.7e9, "toolpath_hash": package.toolpath_hash, "simulated": True} | said))
    with Recording.create(path, header) as recording:
        recording.append(1.7e9 + clock, {"x": x, "y": y, "z": z, "power": np.full(len(clock), power)})
        recording.finish()
    return path
