# SPDX-License-Identifier: LGPL-2.1-or-later
"""The version of this FreeCAD, and the modules of its CAM workbench.

In FreeCAD 0.20 the workbench is called Path and its modules are flat under ``PathScripts``; later it is called CAM
and has packages under ``Path``.
"""

import importlib
from typing import Any

import FreeCAD

#: Short name of a module of the CAM workbench → (module in 0.20, module since 0.21).
_MODULES = {
    "Preferences": ("PathScripts.PathPreferences", "Path.Preferences"),
    "Post": ("PathScripts.PathPost", "Path.Post.Processor"),
    "PostScript": ("PathScripts.PathPostProcessor", "Path.Post.Processor"),
}


def version() -> tuple[int, int]:
    """Return major and minor version of this FreeCAD."""
    major, minor = FreeCAD.Version()[:2]
    return int(major), int(minor)


def version_text() -> str:
    """Return the version of this FreeCAD as text: "0.20.2", "1.1.3"."""
    parts = FreeCAD.Version()
    if parts[2].isdigit():  # since 0.20.1 the third part is the point release, before it was the revision
        return ".".join(parts[:3])
    return ".".join(parts[:2])


def is_flat() -> bool:
    """Whether the CAM modules are flat under ``PathScripts``, as in 0.20."""
    return version() < (0, 21)


def cam(name: str) -> Any:
    """Return a module of the CAM workbench by its short name in ``_MODULES``."""
    return importlib.import_module(_MODULES[name][0 if is_flat() else 1])
