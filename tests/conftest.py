# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every test can ask for. Kernels are compiled afresh: numba's cache does not see a change in another file."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

os.environ.setdefault("NUMBA_CACHE_DIR", tempfile.mkdtemp(prefix="camtwin-numba-"))
sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).resolve().parent.parent
collect_ignore = [] if "FreeCAD" in sys.modules else ["freecad", "gui", "inside_freecad.py"]


@pytest.fixture(scope="session")
def shared_data():
    """The folder of further real inputs that may lie beside a checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the optional folder ../shared/data is absent: its real inputs were not tried")
    return folder
