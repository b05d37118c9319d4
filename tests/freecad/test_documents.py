# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real documents, as their authors saved them, in whichever FreeCAD this is."""

import hashlib
from pathlib import Path

import FreeCAD as App
import pytest

import freecad_camtwin as camtwin
from freecad_camtwin.document import stored, structure
from freecad_camtwin.document.job import read_job, read_stored
from freecad_camtwin.errors import DocumentError
from freecad_camtwin.twin.feeds.plan import commands_hash
from freecad_jobs import VERSION

pytest.importorskip("numba")

#: By document and job: operations, and the length of all feed moves [mm]. Every FreeCAD reads the same.
DOCUMENTS = {
    "front_panel.FCStd": {"FrontPanel": (3, 49769.0)},
    "front_panel_try2.FCStd": {"Job": (1, 5574.1)},
    "vertical_panel.FCStd": {"VerticalPanelJob": (9, 5991.8)},
    "OpHelix_v0-21.FCStd": {"Job": (4, 305.5)},
    "boxtest.fcstd": {"Job": (1, 182.1), "Job001": (5, 514.4)},
    "boxtest1.fcstd": {"Job": (1, 35.7), "Job001": (1, 35.7), "Job002": (1, 35.7)},
    "dressuptest.FCStd": {"Job": (4, 330.2)},
    "drill_test1.FCStd": {"Job": (3, 25.3)},
    "test_filenaming.fcstd": {"MainJob": (3, 3501.8)},
    "boxtest_020.fcstd": {"Job": (1, 182.1), "Job001": (5, 513.8)},
    "lathe_els_panel.FCStd": {"CAM_panel": (11, 19605.2), "CAM_coverglass": (3, 957.6)},
}

#: Which FreeCAD has the code that a document's objects want.
WRITTEN_BY_020 = ("boxtest_020.fcstd",)


@pytest.fixture
def opened(copied, capfd):
    """Opens a copy of a document, and sees that its bytes stay as they are.

    FreeCAD prints a traceback for every proxy that it cannot restore: that is expected, and taken from the output.
    """
    opened_files = []

    def open_copy(name):
        path = copied(name)
        opened_files.append((path, _digest(path)))
        document = App.openDocument(str(path))
        capfd.readouterr()
        return document

    yield open_copy
    for name in list(App.listDocuments()):
        App.closeDocument(name)
    for path, digest in opened_files:
        assert _digest(path) == digest
        assert [other.name for other in path.parent.iterdir() if other.stem == path.stem] == [path.name]


def _digest(path: Path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_reads_the_same_in_every_freecad(opened, name):
    document = opened(name)
    assert [job.Label for job in structure.jobs(document)] == list(DOCUMENTS[name])
    for job in structure.jobs(document):
        operations, length = DOCUMENTS[name][job.Label]
        read = read_job(job)
        assert len(read.operations) == operations
        assert read.toolpath.length[read.toolpath.is_cutting].sum() == pytest.approx(length, abs=0.06)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_posts_from_its_stored_paths(opened, name):
    for job in structure.jobs(opened(name)):
        for post in ("linuxcnc", "grbl"):
            program = camtwin.post(job, post)
            assert program.count("\n") > 10
            assert "G1" in program or "G83" in program


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_whose_proxies_are_lost_is_told_apart(opened, name):
    document = opened(name)
    read = read_stored(structure.jobs(document)[0])
    whole = (VERSION < (0, 21)) == (name in WRITTEN_BY_020)
    assert read.can_be_saved == whole
    assert read.mends_with == (None if whole else "FreeCAD 0.20" if name in WRITTEN_BY_020 else "FreeCAD 0.21 or newer")


def test_a_document_without_a_job_says_so(opened):
    with pytest.raises(DocumentError, match="test_holes00 has no CAM job"):
        structure.find_job(opened("test_holes00.fcstd"))


def test_several_jobs_are_told_by_name(opened):
    document = opened("boxtest1.fcstd")
    with pytest.raises(DocumentError, match="has 3 jobs, 'Job', 'Job001', 'Job002': name one"):
        structure.find_job(document)
    with pytest.raises(DocumentError, match="has no job 'Jobs'"):
        structure.find_job(document, "Jobs")
    assert structure.find_job(document, "Job002").Label == "Job002"


def test_the_outermost_of_two_dressups_is_read(opened):
    read = read_job(structure.find_job(opened("front_panel.FCStd")))
    first = read.operations[0]
    assert (first.name, first.type, read.tools[first.tool].dc) == ("RampEntryDressup001", "Profile", 6.35)


def test_a_slow_spindle_among_fast_ones_is_read_as_it_is(opened):
    path = read_job(structure.find_job(opened("vertical_panel.FCStd"))).toolpath
    assert set(path.n_rpm) <= {1200.0, 12000.0}


def test_a_stored_path_has_one_hash_in_every_freecad(opened):
    stored_job = read_stored(structure.find_job(opened("lathe_els_panel.FCStd"), "CAM_panel"))
    assert commands_hash(stored_job.operations[-1].commands) == stored_job.operations[-1].operation.base_hash
    assert stored_job.operations[-1].operation.base_hash.startswith("0f65a3c8")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is not a FreeCAD document, or it is damaged"),
        (b"%PDF-1.4 no zip at all", "is not a FreeCAD document, or it is damaged"),
        (None, "there is no file"),
    ],
)
def test_what_is_no_document_is_refused(tmp_path, content, sentence):
    path = tmp_path / "odd.FCStd"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DocumentError, match=sentence):
        stored.inspect(path)


def test_a_document_cut_short_is_refused(copied):
    path = copied("boxtest.fcstd")
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(DocumentError, match="damaged"):
        stored.inspect(path)


def test_a_document_with_a_rotten_byte_is_refused(copied):
    path = copied("boxtest.fcstd")
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DocumentError, match="damaged"):
        stored.inspect(path)
