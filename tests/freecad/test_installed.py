# SPDX-License-Identifier: LGPL-2.1-or-later
"""The addon as FreeCAD finds it in its Mod folder."""

from pathlib import Path

import FreeCAD as App

import freecad_camtwin


def test_the_addon_is_loaded_from_the_mod_folder():
    # Only from there may FreeCAD restore the proxies that a document names.
    mod = Path(App.getUserAppDataDir()) / "Mod" / "CAMTwin"
    assert Path(freecad_camtwin.__file__).parent.parent == mod
