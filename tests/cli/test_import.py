# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin import``: a run into the document that it made, with the FreeCAD of this machine."""

import json
import shutil

import pytest

from calling import here, one_sentence
from follow import follow
from freecad_camtwin.twin.package.package import load_package
from freecad_camtwin.twin.runs.file import load_execution

CUT = ("--material=6061", "--machine=hobby_mill", "--tool=reach=20", "--cell=0.5")


@pytest.fixture(scope="module")
def shop(native, tmp_path_factory):
    """A folder with a document with a twin, its package, its program, and a run of it."""
    folder = tmp_path_factory.mktemp("shop")
    called = here("attach", native, "-o", folder / "part.FCStd", "--material=6061")
    assert called.code == 0, called.err
    called = here(
        "package", folder / "part.FCStd", *CUT, "--post=linuxcnc", "--gcode", folder / "part.ngc", "-o",
        folder / "part.camtwin-package",
    )  # fmt: skip
    assert called.code == 0, called.err
    shutil.move(folder / "part.camtwin-package", folder / "job.camtwin")
    package = load_package(folder / "job.camtwin")
    follow(folder / "monday.run", package, program_hash=package.program_sha256, program="part.ngc")
    follow(folder / "foreign.run", package, toolpath_hash="f" * 64)
    return folder


def test_a_run_is_kept_with_the_document_and_its_figures_beside_it(shop, tmp_path):
    out = tmp_path / "out.FCStd"
    called = here("import", shop / "monday.run", shop / "part.FCStd", "--job", shop / "job.camtwin", "-o", out)
    assert called.code == 0, called.err
    assert "these data are simulated" in called.out
    (text,) = (tmp_path / "out.camtwin").glob("*.json")
    found = load_execution(text)
    assert found.about.program == "part.ngc"
    assert found.quality.seen > 0.95
    assert len(list((tmp_path / "out.camtwin").iterdir())) == 2

    # A second run goes into a copy in another folder, and the first goes along with it.
    follow(tmp_path / "tuesday.run", load_package(shop / "job.camtwin"), power=95.0)
    (tmp_path / "far").mkdir()
    called = here(
        "import", tmp_path / "tuesday.run", out, "--job", shop / "job.camtwin", "-o", tmp_path / "far" / "2.FCStd"
    )
    assert called.code == 0, called.err
    assert sorted(path.name for path in (tmp_path / "far").iterdir()) == ["2.FCStd", "2.camtwin", "out.camtwin"]
    assert load_execution(tmp_path / "far" / "out.camtwin" / text.name).about == found.about
    again = here(
        "import", tmp_path / "tuesday.run", tmp_path / "far" / "2.FCStd", "--job", shop / "job.camtwin", "-o",
        tmp_path / "3.FCStd",
    )  # fmt: skip
    assert "is in the document already" in one_sentence(again)
    assert not (tmp_path / "3.FCStd").exists()
    assert not (tmp_path / "3.camtwin").exists()


def test_without_a_package_the_document_is_analysed_and_posted(shop, tmp_path):
    out = tmp_path / "out.FCStd"
    run = follow(tmp_path / "bare.run", load_package(shop / "job.camtwin"), toolpath_hash=None)
    called = here("import", run, shop / "part.FCStd", "--program", shop / "part.ngc", "-o", out)
    assert called.code == 0, called.err
    assert "its samples fit this path" in called.out
    (text,) = (tmp_path / "out.camtwin").glob("*.json")
    assert json.loads(text.read_text())["about"]["material"] == "6061"


REFUSED = [
    (("foreign.run", "part.FCStd", "-o", "x.FCStd"), "was recorded along another path (ffffffffffff…)"),
    (("absent.run", "part.FCStd", "-o", "x.FCStd"), "absent.run does not exist"),
    (("monday.run", "absent.FCStd", "-o", "x.FCStd"), "absent.FCStd does not exist"),
    (("monday.run", "part.ngc", "-o", "x.FCStd"), "is not a FreeCAD document"),
    (("monday.run", "part.FCStd", "-o", "part.FCStd"), "is the input itself"),
    (("monday.run", "part.FCStd", "-o", "kept.FCStd"), "is read-only"),
    (("monday.run", "part.FCStd", "-o", "no/x.FCStd"), "does not exist"),
    (("monday.run", "bare.FCStd", "-o", "x.FCStd"), "attach one first, with 'camtwin attach DOC -o OUT'"),
    (("monday.run", "part.FCStd", "--label", "Nothing", "-o", "x.FCStd"), "has no job 'Nothing'"),
]


@pytest.mark.parametrize(("words", "sentence"), REFUSED)
def test_what_cannot_be_imported_is_one_sentence_and_leaves_nothing(shop, native, monkeypatch, words, sentence):
    shutil.copy(native, shop / "bare.FCStd")
    (shop / "kept.FCStd").touch(mode=0o444)
    before = {path.name: path.read_bytes() for path in shop.iterdir()}
    monkeypatch.chdir(shop)
    assert sentence in one_sentence(here("import", *words, "--job", "job.camtwin"))
    assert {path.name: path.read_bytes() for path in shop.iterdir()} == before
