# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin package``: what a machine's side gets to know of a job."""

import hashlib

import pytest

from calling import STOCK, TOOL, here, one_sentence
from freecad_camtwin.twin.package.package import load_package

CUT = (TOOL, STOCK, "--material=6061", "--machine=linuxcnc_sim", "--cell=0.5")
MAP = '[[signals]]\nitem = "watt"\nmeaning = "SPINDLE_POWER"\nunit = "kW"\n'


def test_a_program_is_its_own_package(program, tmp_path):
    called = here("package", program, *CUT, "-o", tmp_path / "slot.camtwin")
    assert called.code == 0, called.err
    package = load_package(tmp_path / "slot.camtwin")
    assert package.toolpath_hash in called.out
    assert package.program == "slot.ngc"
    assert package.program_sha256 == hashlib.sha256(program.read_bytes()).hexdigest()
    assert package.lines.program.line[-1] == program.read_text().splitlines().index("G0 Z20") + 1
    assert package.lines.matched == 1.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["slot.camtwin", "slot.ngc"]


def test_a_document_is_posted_and_every_line_of_that_program_is_known(panel, tmp_path):
    called = here(
        "package", panel, "--job=CAM_coverglass", "--cell=0.5", "--machine=linuxcnc_sim", "--post=linuxcnc",
        "--gcode", tmp_path / "cover.ngc", "-o", tmp_path / "cover.camtwin",
    )  # fmt: skip
    assert called.code == 0, called.err
    package = load_package(tmp_path / "cover.camtwin")
    posted = (tmp_path / "cover.ngc").read_bytes()
    assert package.program == "cover.ngc"
    assert package.program_sha256 == hashlib.sha256(posted).hexdigest()
    assert package.lines.matched == 1.0
    lines = posted.decode().splitlines()
    feeds = package.lines.program.is_cutting
    assert all(lines[line - 1].lstrip("N0123456789 ").startswith("G") for line in package.lines.program.line[feeds])


def test_what_is_not_of_the_job_is_named(program, tmp_path):
    other = tmp_path / "posted.ngc"
    other.write_text(program.read_text().replace("G0 Z20", "G1 X45\nG0 Z20").replace("G1 Y3\nG1 X-10", "G1 Y3"))
    (tmp_path / "map.toml").write_text(MAP)
    called = here(
        "package", program, *CUT, "--program", other, "--signals", tmp_path / "map.toml", "-o", tmp_path / "s.camtwin"
    )
    assert called.code == 0, called.err
    assert "note: line 13 of the program: a feed move that is not in the document" in called.out
    assert "note: move 4 of the document, in 'T1', is not whole in the program" in called.out
    assert load_package(tmp_path / "s.camtwin").signals.signals[0].unit == "kW"


REFUSED = [
    (("--program", "elsewhere.ngc"), "has no feed move of 'slot'"),
    (("--program", "absent.ngc"), "absent.ngc"),
    (("--signals", "slot.ngc"), "is not TOML"),
    (("-o", "no/such/folder.camtwin"), "does not exist"),
    (("-o", "slot.ngc"), "is the input itself"),
]


@pytest.mark.parametrize(("words", "sentence"), REFUSED)
def test_what_cannot_be_packaged_is_one_sentence_and_leaves_nothing(program, tmp_path, monkeypatch, words, sentence):
    (tmp_path / "elsewhere.ngc").write_text("G21 G90\nT1 M6\nS8000 M3\nG0 X500 Y500 Z5\nG1 X600 F900\nM2\n")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    words = words if "-o" in words else (*words, "-o", "slot.camtwin")
    monkeypatch.chdir(tmp_path)
    assert sentence in one_sentence(here("package", program, *CUT, *words))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_program_is_not_posted(program, tmp_path):
    called = here("package", program, *CUT, "--gcode", tmp_path / "x.ngc", "-o", tmp_path / "slot.camtwin")
    assert called.code == 2
    assert "need a document as INPUT" in called.err
