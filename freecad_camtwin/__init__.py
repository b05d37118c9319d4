# SPDX-License-Identifier: LGPL-2.1-or-later
"""A digital twin for FreeCAD's CAM workbench: predict the load of a cut, watch the machine, mend the feeds.

Inside FreeCAD, ``attach``, ``analyze``, ``plan_feeds``, ``mend``, ``apply``, ``post``, ``import_run`` and ``clear``
work on a job object, ``load_run`` works on the object of a run. They are imported from ``document.api`` when first
used, so importing this package needs no FreeCAD.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

#: The folder of the addon, or of the checkout.
ROOT = Path(__file__).resolve().parent.parent

# FreeCAD puts the addon's root on sys.path and nothing below it. The kernels have a source root of
# their own, so that their import name is ours alone: every addon shares one sys.path.
_KERNELS = str(ROOT / "kernels")
if _KERNELS not in sys.path:
    sys.path.append(_KERNELS)

_API = ("analyze", "apply", "attach", "clear", "import_run", "load_run", "mend", "plan_feeds", "post")


def __getattr__(name: str) -> Any:
    if name in _API:
        return getattr(importlib.import_module("freecad_camtwin.document.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_API])
