# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files in one stroke: whole, or not at all; what was there before stays until the new one is complete."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from freecad_camtwin.errors import OutputError


@contextmanager
def replacing(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a path beside ``target`` to write to; at the end it takes its place. OutputError where that cannot be."""
    place = Path(target)
    try:
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".camtwin-") as folder:
            part = Path(folder) / place.name
            yield part
            os.replace(part, place)
    except OSError as error:
        raise OutputError(f"{place} cannot be written: {error.strerror or error}") from error


def write_whole(target: str | os.PathLike[str], content: bytes) -> None:
    """Write a file in one stroke, and have it on the disk."""
    with replacing(target) as part, part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
