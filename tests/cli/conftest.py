# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs and documents to call the command line with."""

import os
import subprocess
import zipfile

import pytest

from calling import PROGRAM, ROOT
from freecad_camtwin.cli.freecad import FreeCAD

_BUILD = """
import os, sys
sys.path[:0] = [{root!r}, {tests!r}]
import FreeCAD, freecad_jobs
document = FreeCAD.newDocument("one")
freecad_jobs.build_job(document, whole=False)
document.saveAs({target!r})
os._exit(0)
"""


@pytest.fixture
def program(tmp_path):
    """A folder with one good program in it."""
    path = tmp_path / "slot.ngc"
    path.write_text(PROGRAM, encoding="ascii")
    return path


@pytest.fixture(scope="session")
def panel():
    """The real document of the examples."""
    return ROOT / "examples" / "lathe_els_panel.FCStd"


@pytest.fixture
def zipped(tmp_path):
    """Make a zip archive of given members, as a document would be."""

    def made(name, **members):
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in members.items():
                archive.writestr(member.replace("_", "."), content)
        return path

    return made


@pytest.fixture(scope="session")
def native(tmp_path_factory):
    """A document with one profile, built by the very FreeCAD that the command line finds."""
    folder = tmp_path_factory.mktemp("native")
    target, script = folder / "one.FCStd", folder / "build.py"
    script.write_text(_BUILD.format(root=str(ROOT), tests=str(ROOT / "tests"), target=str(target)), encoding="utf-8")
    ended = subprocess.run(
        [FreeCAD.find().program, str(script)], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, env=os.environ | {"HOME": str(folder), "LC_ALL": "C.UTF-8"}, check=False,
    )  # fmt: skip
    assert target.is_file(), ended.stdout + ended.stderr
    return target
