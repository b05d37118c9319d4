# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs and documents to call the command line with."""

import zipfile

import pytest

from calling import PROGRAM, ROOT


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
