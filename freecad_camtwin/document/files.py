# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write result files: a file appears complete, or not at all."""

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from freecad_camtwin.document.graft import graft
from freecad_camtwin.errors import OutputError
from freecad_camtwin.twin.base import files
from freecad_camtwin.twin.base.archive import document_fault


@contextmanager
def replacing_result(path: str | os.PathLike[str], source: str | os.PathLike[str] | None = None) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; at the end the file is moved to ``path``. OutputError if it cannot be.

    ``source``: a file that must not be overwritten.
    """
    target = Path(path)
    files.check_replaceable(target, *((source,) if source is not None else ()))
    with files.replacing(target) as part:
        yield part


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file completely or not at all; line ends are not converted."""
    with replacing_result(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def save_document(document: Any, path: str | os.PathLike[str], source: str | os.PathLike[str]) -> None:
    """Save CAM Twin's objects of an open document into a copy of ``source``, the file that it was read from."""
    with replacing_result(path, source) as part:
        saved = part.with_name("saved.FCStd")
        try:
            document.saveCopy(str(saved))
        except (OSError, RuntimeError) as error:
            raise OutputError(f"FreeCAD cannot save {path}: {error}") from error
        _check(saved, Path(path))
        graft(Path(source), saved, part)


def _check(part: Path, target: Path) -> None:
    """Check that the file is complete: FreeCAD reports no error when the disk is full."""
    try:
        with zipfile.ZipFile(part) as archive:
            fault = document_fault(archive)
    except (zipfile.BadZipFile, FileNotFoundError) as error:
        fault = str(error)
    if fault is not None:
        raise OutputError(f"FreeCAD saved {target} incompletely; check whether the disk is full")
