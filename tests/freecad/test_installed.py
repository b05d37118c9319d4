# SPDX-License-Identifier: LGPL-2.1-or-later
"""The addon as FreeCAD finds it in its Mod folder."""

from pathlib import Path

import FreeCAD as App

import freecad_camtwin

MOD = Path(App.getUserAppDataDir()) / "Mod" / "CAMTwin"


def test_the_addon_is_loaded_from_the_mod_folder():
    # Only from there may FreeCAD restore the proxies that a document names.
    assert Path(freecad_camtwin.__file__).parent.parent == MOD


def test_the_addon_manager_reads_what_the_addon_says_of_itself():
    addon = App.Metadata(str(MOD / "package.xml"))
    (workbench,) = addon.Content["workbench"]
    assert addon.Version == freecad_camtwin.__version__
    assert addon.supportsCurrentFreeCAD()
    assert workbench.supportsCurrentFreeCAD()
    assert (MOD / workbench.Icon).is_file()
    assert f"class {workbench.Classname}(" in (MOD / "InitGui.py").read_text()
    assert "numba" in {need["package"] for need in workbench.Depend}
