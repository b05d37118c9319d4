# SPDX-License-Identifier: LGPL-2.1-or-later
"""A digital twin for FreeCAD's CAM workbench: it predicts the load of a cut, records the machine, and plans feeds.

Inside FreeCAD, ``attach``, ``analyze``, ``plan_feeds``, ``mend``, ``apply``, ``post``, ``import_run`` and ``clear``
take a job object, ``load_run`` takes the object of a run. They are imported from ``document.api`` at their first use,
so the import of this package needs no FreeCAD.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

#: The folder of the addon, or of the checkout.
ROOT = Path(__file__).resolve().parent.parent

# FreeCAD puts only the addon's root on sys.path, which all addons share. The kernels are in a separate source root, so
# that their import name differs from the names of other addons.
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
