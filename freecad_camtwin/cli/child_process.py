# SPDX-License-Identifier: LGPL-2.1-or-later
"""Start child processes on POSIX and on Windows, end them with their own children, and name the cause of a crash."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

#: Windows gives the exception that ended a process as its exit code; all of them are at least this.
_FIRST_EXCEPTION = 0xC0000000


def group_options() -> dict[str, Any]:
    """Return the arguments of ``subprocess.Popen`` that give the child a process group of its own."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def end_with_children(child: "subprocess.Popen[Any]") -> None:
    """End a child that was started with ``group_options``, and every process that it started."""
    if child.poll() is not None:
        return
    if sys.platform == "win32":
        # Windows ends no group: taskkill follows the tree of processes, and terminate ends at least the child.
        with suppress(OSError):
            subprocess.run(
                ["taskkill", "/F", "/T", "/PID", str(child.pid)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                check=False,
            )
        child.terminate()
    else:
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def crash_name(code: int) -> str | None:
    """Return what ended a process: a signal on POSIX, an exception code on Windows; None if it ended by itself.

    >>> crash_name(-11), crash_name(0xC0000005), crash_name(3)
    ('SIGSEGV', 'exception 0xC0000005', None)
    """
    if code < 0:
        return signal.Signals(-code).name
    return f"exception 0x{code:08X}" if code >= _FIRST_EXCEPTION else None
