# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where the kernels' machine code lies, for those who may not ask the kernels themselves."""

from pathlib import Path

from camtwin_kernels.jit import CACHE_FOLDER


def kernel_folder() -> Path | None:
    """Return the folder of compiled kernels, None where none can be kept."""
    return Path(CACHE_FOLDER) if CACHE_FOLDER else None


def compiled_kernels() -> int:
    """Count the compiled kernels that are kept there."""
    folder = kernel_folder()
    return len(list(folder.rglob("*.nbc"))) if folder is not None and folder.is_dir() else 0
