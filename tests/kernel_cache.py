# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where tests and benchmarks keep compiled kernels: a folder that no change of any kernel can outlive.

numba's own cache looks at the file of the function alone: a change in what it calls would go unseen.
"""

import hashlib
import os
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def use_kernel_cache() -> None:
    """Point numba to the folder of these kernels, this Python and this numba, before any kernel is imported."""
    key = hashlib.sha256(f"{sys.version} {metadata.version('numba')} {metadata.version('numpy')}".encode())
    for source in sorted((ROOT / "kernels").rglob("*.py")):
        key.update(source.read_bytes())
    os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / "build" / "numba" / key.hexdigest()[:16]))
