# SPDX-License-Identifier: LGPL-2.1-or-later
"""A FreeCAD process: started in a home of its own, and always ended with all that it started."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from freecad_camtwin.cli.child_process import end_with_children, group_options

#: Python's own, which would be another Python's than FreeCAD's, and where FreeCAD keeps what is the user's.
_NOT_INHERITED = ("PYTHONPATH", "PYTHONHOME", "FREECAD_USER_DATA", "FREECAD_USER_TEMP")


@contextmanager
def fresh_home() -> Iterator[Path]:
    """Yield an empty folder that FreeCAD takes for the user's home: no setting of the user is read or changed."""
    with tempfile.TemporaryDirectory(prefix="camtwin-freecad-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def start(words: list[str], home: Path, more: Mapping[str, str], output: IO[bytes] | int) -> "subprocess.Popen[bytes]":
    """Start a program whose standard input is a pipe and whose messages go to ``output``; ``more``: environment."""
    environment = {
        **{name: value for name, value in os.environ.items() if name not in _NOT_INHERITED},
        "LC_ALL": "C.UTF-8",
        "HOME": str(home),
        "FREECAD_USER_HOME": str(home),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        **more,
    }
    return subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        cwd=home,
        **group_options(),
    )


def run_process(words: list[str], home: Path, timeout: float) -> str:
    """Run a program to its end and return what it printed; ``subprocess.TimeoutExpired`` where it takes longer."""
    with start(words, home, {}, subprocess.PIPE) as child:
        try:
            printed, _ = child.communicate(timeout=timeout)
        except BaseException:
            end_with_children(child)
            raise
    return str(printed.decode("utf-8", "replace"))


def last_line(printed: str) -> str:
    """Return the last line that is not empty, for a sentence."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", printed) if line.strip()]
    return lines[-1] if lines else "it printed nothing."
