# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draw the measured load of a run along the toolpath, in place of the simulated load."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from freecad_camtwin.document import execution
from freecad_camtwin.document.job import read_job
from freecad_camtwin.errors import DocumentError
from freecad_camtwin.gui.commands import errors_shown, print_to_report_view, translate
from freecad_camtwin.gui.overlay import packed
from freecad_camtwin.gui.state import state_of
from freecad_camtwin.report.coloring import by_values
from freecad_camtwin.twin.base.arrays import Ints
from freecad_camtwin.twin.base.sequences import numbered_pieces
from freecad_camtwin.twin.job.geometry import points_along
from freecad_camtwin.twin.job.toolpath import MoveKind, Toolpath
from freecad_camtwin.twin.runs.execution import Execution

#: Number of chords of a drawn arc, for every radius: a picture has no tolerance.
CHORDS = 12


def show_measured(obj: Any) -> None:
    """Draw the measured load of an execution; show an error if the job's path is not the one that ran."""
    with errors_shown():
        job = execution.job_of_execution(obj)
        execution.check_path(job, dict(obj.PathHashes), obj.Source)
        loaded = execution.load_kept_execution(obj)
        path = read_job(job).toolpath
        if len(loaded.moves["time"]) != path.moves or loaded.load is None:
            raise DocumentError(f"{obj.Label!r} has no measured load along the job's path")
        state_of(job).draw(job.Document, *lines(path, loaded))
        print_to_report_view(translate("CamTwin", "{}: measured {} along the toolpath.").format(obj.Label, loaded.load))


def lines(path: Toolpath, loaded: Execution) -> tuple[NDArray[np.float32], NDArray[np.uint32], Ints]:
    """Return points (2·pieces, 3), colors (2·pieces,) and points per line (pieces,), all 2, of every move."""
    values = loaded.moves[f"{loaded.load}.mean"]
    pieces = np.where(path.kind == MoveKind.ARC, CHORDS, 1)
    move, part = numbered_pieces(pieces)
    length = path.length[move] / pieces[move]
    ends = [points_along(path, move, length * (part + side)) for side in (0, 1)]
    rgba = packed(by_values(values, str(loaded.load)).rgba)[move]
    points = np.stack(ends, axis=1).reshape(-1, 3).astype(np.float32)
    return points, np.repeat(rgba, 2), np.full(len(move), 2, np.int32)
