# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files written whole or not at all: the old file stays until the new one is complete."""

import os
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from freecad_camtwin.errors import OutputError

#: Windows refuses to replace a file that a program has open: access denied, sharing violation, lock violation.
_OPEN_ELSEWHERE = (5, 32, 33)

#: A virus scanner or an indexer opens a new file for a moment: the number of tries, and the pause between them [s].
_TRIES, _PAUSE = 10, 0.1


def move_into_place(part: Path, place: Path) -> None:
    """Replace ``place`` by ``part`` in one step. OutputError if on Windows another program has ``place`` open."""
    if sys.platform != "win32":
        os.replace(part, place)
        return
    for _ in range(_TRIES):
        try:
            os.replace(part, place)
        except PermissionError as error:
            if error.winerror not in _OPEN_ELSEWHERE:
                raise
            time.sleep(_PAUSE)
        else:
            return
    raise OutputError(
        f"{place} cannot be replaced: permission is denied, or another program has it open. Close it there and try "
        "again; the file is as it was."
    )


def check_replaceable(target: Path, *sources: str | os.PathLike[str]) -> None:
    """Raise OutputError if the file at ``target`` must not be replaced: it is one of ``sources``, or read-only.

    A file without write permission is refused even if the system would allow it (renaming, or the administrator).
    """
    try:
        if not target.exists():
            return
        if any(os.path.exists(source) and target.samefile(source) for source in sources):
            raise OutputError(f"{target} is the input itself; name another file for the result.")
        if not target.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
            raise OutputError(f"{target} is read-only; name another file or make it writable.")
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and wait until it is on the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def replacing(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a path beside ``target`` to write to; at the end that file replaces it. OutputError if it cannot."""
    place = Path(target)
    try:
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".camtwin-") as folder:
            part = Path(folder) / place.name
            yield part
            move_into_place(part, place)
    except OSError as error:
        raise OutputError(f"{place} cannot be written: {error.strerror or error}") from error


def write_whole(target: str | os.PathLike[str], content: bytes) -> None:
    """Write a file whole or not at all, and wait until it is on the disk."""
    with replacing(target) as part:
        write_synced(part, content)
