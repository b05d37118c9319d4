# SPDX-License-Identifier: LGPL-2.1-or-later
"""A job through its file, and a stored job followed as moves."""

import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from freecad_camtwin.errors import DocumentError, InputError, OutputError, ProgramError
from freecad_camtwin.twin.job.job import Limits, Operation, Stock
from freecad_camtwin.twin.job.job_file import load_job, save_job, save_stored
from freecad_camtwin.twin.job.stored_job import (
    StoredJob,
    StoredOperation,
    interpret_stored,
    pack_commands,
    unpack_commands,
)
from freecad_camtwin.twin.job.tool import Shape, Tool
from freecad_camtwin.twin.job.toolpath import EventKind, MoveKind

ROOT = Path(__file__).resolve().parent.parent.parent.parent

MILL = Tool(dc=6.0, shape=Shape.FLAT, number=2, label="EM6", re=0.0, zefp=3)
CONE = Tool(dc=10.0, shape=Shape.PROFILE, number=5, label="cone", profile=((1.0, 0.0), (5.0, 4.0)))
ODD = Tool(dc=None, shape=None, number=6, label="odd", shape_name="dovetail")

SQUARE = [
    ("(a square)", {}),
    ("G0", {"Z": 5.0}),
    ("G0", {"X": 0.0, "Y": 0.0}),
    ("G1", {"Z": -1.0, "F": 5.0}),
    ("G1", {"X": 10.0, "F": 20.0}),
    ("G2", {"X": 10.0, "Y": 10.0, "I": 0.0, "J": 5.0, "F": 20.0}),
    ("G0", {"Z": 5.0}),
]
HOLE = [("G90", {}), ("G98", {}), ("G81", {"X": 30.0, "Y": 0.0, "Z": -8.0, "R": 2.0, "F": 0.0}), ("G80", {})]


def stored():
    """Two operations with two tools, the second without a spindle speed, and a solid as stock."""
    triangles = np.arange(18.0).reshape(2, 3, 3)
    operations = (
        StoredOperation(
            Operation("square", "Profile", 0, "Profile", "Profile", "abc", "uuid-1", Limits(force=200.0)),
            SQUARE, 12000.0, False, "Flood",
        ),
        StoredOperation(Operation("holes", "Drilling", 2), HOLE),
    )  # fmt: skip
    return StoredJob(
        "a job", operations, (MILL, CONE, ODD), Stock((0, 0, -8), (17, 16, 0), "solid", triangles), "6061", None, "Job",
        ("a warning",), "part.FCStd", "1.1.3", False, "FreeCAD 0.20",
    )  # fmt: skip


def same(one, other):
    """Whether two jobs are equal, arrays and NaN included."""
    for name in ("kind", "start", "end", "centre", "feed", "n_rpm", "cycle", "tool", "operation", "command", "line"):
        np.testing.assert_array_equal(getattr(one.toolpath, name), getattr(other.toolpath, name))
    assert one.toolpath.hash == other.toolpath.hash
    assert [str(event) for event in one.toolpath.events] == [str(event) for event in other.toolpath.events]
    np.testing.assert_array_equal(one.stock.triangles, other.stock.triangles)
    plain = {"toolpath": None, "stock": None}
    assert replace(one, **plain) == replace(other, **plain)


def test_a_job_comes_back_as_it_was(tmp_path):
    job = interpret_stored(stored())
    save_job(job, tmp_path / "job.npz")
    same(load_job(tmp_path / "job.npz"), job)


def test_a_stored_job_comes_back_followed_as_moves(tmp_path):
    save_stored(stored(), tmp_path / "job.npz")
    same(load_job(tmp_path / "job.npz"), interpret_stored(stored()))


def test_commands_come_back_as_they_were():
    job = stored()
    assert unpack_commands(pack_commands(job.operations)) == [SQUARE, HOLE]


def test_moves_know_operation_tool_command_speed():
    path = interpret_stored(stored()).toolpath
    arc = int(np.flatnonzero(path.kind == MoveKind.ARC)[0])
    assert (path.operation[arc], path.tool[arc], path.command[arc], path.n_rpm[arc]) == (0, 0, 5, 12000.0)
    drilling = path.operation == 1
    assert set(path.cycle[drilling & path.is_cutting]) == {81}
    assert np.isnan(path.n_rpm[drilling]).all()
    assert np.isnan(path.feed[drilling]).all()
    assert set(path.tool[drilling]) == {2}


def test_a_controller_speaks_before_its_operation():
    events = interpret_stored(stored()).toolpath.events
    kinds = [event.kind for event in events]
    assert kinds.index(EventKind.TOOL_CHANGE) < kinds.index(EventKind.SPINDLE) < kinds.index(EventKind.COOLANT)
    assert [event.value for event in events if event.kind is EventKind.TOOL_CHANGE] == [2.0, 6.0]
    assert [event.value for event in events if event.kind is EventKind.COOLANT] == [2.0, 0.0]


def test_a_job_without_operations_or_moves_is_refused():
    with pytest.raises(DocumentError, match="no active operation"):
        interpret_stored(replace(stored(), operations=()))
    still = replace(stored().operations[0], commands=[("(nothing)", {})])
    with pytest.raises(DocumentError, match="moves nothing"):
        interpret_stored(replace(stored(), operations=(still,)))


def test_a_command_that_cannot_be_followed_is_named():
    bad = replace(stored().operations[0], commands=[*SQUARE, ("G5", {"X": 1.0})])
    with pytest.raises(ProgramError, match="command 7 of 'square'"):
        interpret_stored(replace(stored(), operations=(bad,)))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_a_file_that_holds_no_job_is_refused(tmp_path, content):
    path = tmp_path / "job.npz"
    path.write_bytes(content)
    with pytest.raises(InputError):
        load_job(path)


def test_an_archive_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(InputError, match="is not a job file"):
        load_job(tmp_path / "other.npz")


def test_a_job_packed_in_another_way_is_refused(tmp_path):
    save_stored(stored(), tmp_path / "job.npz")
    with (
        zipfile.ZipFile(tmp_path / "job.npz") as old,
        zipfile.ZipFile(tmp_path / "l.npz", "w", zipfile.ZIP_LZMA) as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(InputError, match=r"l\.npz: its entry .* is neither stored nor deflated"):
        load_job(tmp_path / "l.npz")


def test_an_array_that_claims_more_than_it_holds_is_refused(tmp_path):
    save_stored(stored(), tmp_path / "job.npz")
    with zipfile.ZipFile(tmp_path / "job.npz") as old:
        entries = {name: old.read(name) for name in old.namelist()}
    entries["commands.name.npy"] = entries["commands.name.npy"].replace(b"(11,), } ".ljust(19), b"(900000000000,), } ")
    with zipfile.ZipFile(tmp_path / "job.npz", "w") as new:
        for name, data in entries.items():
            new.writestr(name, data)
    with pytest.raises(InputError, match=r"'commands\.name\.npy' has another length than its header states"):
        load_job(tmp_path / "job.npz")


def test_a_job_that_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        save_stored(stored(), tmp_path / "no" / "job.npz")
    assert list(tmp_path.iterdir()) == []


def test_handing_a_job_over_needs_numpy_alone(tmp_path):
    # A FreeCAD whose Python lacks our packages still reads documents, and applies and clears plans.
    code = """
import sys
for name in ("numba", "msgspec", "matplotlib", "jinja2", "click", "rich"):
    sys.modules[name] = None
import freecad_camtwin.twin.feeds.into_commands, freecad_camtwin.twin.job.job_file, freecad_camtwin.twin.feeds.plan
import freecad_camtwin.twin.job.stored_job
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
