# SPDX-License-Identifier: LGPL-2.1-or-later
"""A digital twin for FreeCAD's CAM workbench: predict the load of a cut, watch the machine, mend the feeds."""

import sys
from pathlib import Path

__version__ = "0.1.0"

# FreeCAD puts the addon's root on sys.path and nothing below it. The kernels have a source root of
# their own, so that their import name is ours alone: every addon shares one sys.path.
_KERNELS = str(Path(__file__).resolve().parent.parent / "kernels")
if _KERNELS not in sys.path:
    sys.path.append(_KERNELS)
