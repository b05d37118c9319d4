# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run the tests that need FreeCAD, inside it, and leave with pytest's exit code. ``.ci/freecad`` starts it.

FreeCAD imports this file (its ``__name__`` is never ``__main__``), runs it a second time when it raises, and answers 0
after an exception: hence one function that catches everything and leaves by ``os._exit``.
"""

import os
import sys
import traceback
from pathlib import Path

import FreeCAD as App

TESTS = Path(__file__).resolve().parent


def answer_first_start_questions() -> None:
    """Set the preferences whose absence opens modal dialogs, for which a script would wait for ever."""
    preferences = "User parameter:BaseApp/Preferences/"
    start = App.ParamGet(preferences + "Mod/Start")
    start.SetBool("FirstStart2024", False)
    start.SetBool("ShowOnStartup", False)
    App.ParamGet(preferences + "Units").SetInt("UserSchema", 6)
    for module in ("Mod/Path", "Mod/CAM"):
        cam = App.ParamGet(preferences + module)
        for warning in ("AllSpeeds", "RapidSpeeds", "SelectionMode", "OpenCamLib", "Velocity"):
            cam.SetBool("WarningSuppress" + warning, True)


def run() -> None:
    """Run pytest and leave the process with its exit code."""
    code = 3
    try:
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__  # a window would send prints to its report view
        import pytest

        import freecad_camtwin  # noqa: F401 - from FreeCAD's Mod folder: only there may proxies be restored from

        asked = os.environ.get("CAMTWIN_PYTEST", "").split("\n")
        chosen = [str(TESTS.parent / word) if word.startswith("tests/") else word for word in asked if word]
        if not any(word.startswith(str(TESTS)) for word in chosen):
            chosen += [str(TESTS / ring) for ring in (("freecad", "gui") if App.GuiUp else ("freecad",))]
        # FreeCAD's own modules warn by the hundred, so warnings are ours alone here, and no error.
        warnings = "filterwarnings=ignore\ndefault:::freecad_camtwin\ndefault:::camtwin_kernels"
        options = ["-p", "no:cacheprovider", "-o", warnings, "--rootdir", str(TESTS.parent)]
        code = int(pytest.main([*options, *chosen]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # a windowed FreeCAD would otherwise wait for its user


answer_first_start_questions()
if App.GuiUp:
    from PySide import QtCore

    QtCore.QTimer.singleShot(0, run)  # once the main window stands
else:
    run()
