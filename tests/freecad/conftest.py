# SPDX-License-Identifier: LGPL-2.1-or-later
"""Documents and jobs that the tests inside FreeCAD ask for."""

import shutil
from pathlib import Path

import FreeCAD as App
import pytest

from freecad_camtwin.document import observer, structure
from freecad_jobs import build_job

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDERS = (ROOT / "tests" / "data" / "fcstd", ROOT / "examples")


@pytest.fixture(autouse=True)
def _close_documents():
    yield
    for name in list(App.listDocuments()):
        App.closeDocument(name)


@pytest.fixture
def document():
    """A new document."""
    return App.newDocument("test")


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """The files of the two jobs: building takes seconds, opening does not."""
    folder = tmp_path_factory.mktemp("built")
    for name, whole in (("one", False), ("whole", True)):
        made = App.newDocument(name)
        build_job(made, whole=whole)
        made.saveCopy(str(folder / f"{name}.FCStd"))
        App.closeDocument(made.Name)
    return folder


@pytest.fixture
def job(built):
    """A job with one profile."""
    return structure.find_job(App.openDocument(str(built / "one.FCStd")))


@pytest.fixture
def whole_job(built):
    """A job with profile, pocket, adaptive and drilling."""
    return structure.find_job(App.openDocument(str(built / "whole.FCStd")))


@pytest.fixture
def reopened(tmp_path):
    """Saves a document, closes it, opens it again and returns its first job."""

    def save_and_open(job, name="again.FCStd"):
        path = tmp_path / name
        job.Document.saveCopy(str(path))
        App.closeDocument(job.Document.Name)
        document = App.openDocument(str(path))
        observer.heal(document)
        return structure.find_job(document)

    return save_and_open


@pytest.fixture
def copied(tmp_path):
    """A copy of a document that the repository brings along, by its name."""

    def copy(name):
        source = next(folder / name for folder in FOLDERS if (folder / name).is_file())
        return Path(shutil.copy(source, tmp_path / name))

    return copy
