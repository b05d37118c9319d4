# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which FreeCAD this is, and where that FreeCAD keeps what we call of its CAM workbench.

0.20 calls the workbench Path and has its modules flat under ``PathScripts``; later ones have packages
under ``Path`` and call it CAM.
"""

import importlib
from typing import Any

import FreeCAD

#: Our name for a module of the CAM workbench: (in 0.20, later).
_MODULES = {
    "Preferences": ("PathScripts.PathPreferences", "Path.Preferences"),
    "Post": ("PathScripts.PathPost", "Path.Post.Processor"),
    "PostScript": ("PathScripts.PathPostProcessor", "Path.Post.Processor"),
}


def version() -> tuple[int, int]:
    """Major and minor version of this FreeCAD."""
    major, minor = FreeCAD.Version()[:2]
    return int(major), int(minor)


def version_text() -> str:
    """The version of this FreeCAD in words: "0.20.2", "1.1.3"."""
    parts = FreeCAD.Version()
    if parts[2].isdigit():  # since 0.20.1 the third part is the point release, before it was the revision
        return ".".join(parts[:3])
    return ".".join(parts[:2])


def is_flat() -> bool:
    """Whether the CAM modules lie flat under ``PathScripts``, as in 0.20."""
    return version() < (0, 21)


def cam(name: str) -> Any:
    """A module of the CAM workbench by our name for it."""
    return importlib.import_module(_MODULES[name][0 if is_flat() else 1])
