# SPDX-License-Identifier: LGPL-2.1-or-later
"""The folder of the kernels' machine code, for modules that may not import the kernels."""

from pathlib import Path

from camtwin_kernels.jit import CACHE_FOLDER


def kernel_folder() -> Path | None:
    """Return the folder of compiled kernels, None if no folder can be written."""
    return Path(CACHE_FOLDER) if CACHE_FOLDER else None


def compiled_kernels() -> int:
    """Count the compiled kernels in this folder."""
    folder = kernel_folder()
    return len(list(folder.rglob("*.nbc"))) if folder is not None and folder.is_dir() else 0
