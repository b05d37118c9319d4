# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every fault, done to a recorder in a process of its own, and a table of what was lost: ``make faults``.

The exit code is 1 if anything is lost beyond what docs/recording.md states.
"""

import sys
import tempfile
import textwrap
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from faults import computer, connections, data
from faults.recording import Outcome

#: Slow ones first; those that measure time or memory come one after the other, at the end.
TOGETHER = (
    connections.opcua_restart, connections.silence, connections.broker_restart, connections.agent_lost,
    connections.agent_restart, connections.wrong_certificate, connections.our_wrong_certificate,
    connections.wrong_password, connections.no_permission, connections.no_right_to_read, data.disorder, data.garbage,
    data.no_numbers, data.clock_jumps, computer.disk_full,
)  # fmt: skip
ALONE = (computer.killed, computer.flood, computer.sleeping_window)
_WIDTHS = (34, 46, 40)


def tried(fault: Callable[[Path], Outcome]) -> Outcome:
    """Do a fault in a folder of its own; one that does not come to an end is not well."""
    with tempfile.TemporaryDirectory(prefix="camtwin-faults-", ignore_cleanup_errors=True) as folder:
        try:
            return fault(Path(folder))
        except Exception as error:
            traceback.print_exc()
            return Outcome(str(fault), f"{type(error).__name__}: {error}", "not known", False)


def row(cells: tuple[str, str, str], verdict: str) -> str:
    """Return a row of the table, as many lines as its cells need."""
    wrapped = [textwrap.wrap(cell, width) or [""] for cell, width in zip(cells, _WIDTHS, strict=True)]
    height = max(len(lines) for lines in wrapped)
    lines = []
    for at in range(height):
        parts = [
            (lines_[at] if at < len(lines_) else "").ljust(width)
            for lines_, width in zip(wrapped, _WIDTHS, strict=True)
        ]
        lines.append("  ".join([*parts, verdict if at == 0 else ""]).rstrip())
    return "\n".join(lines)


def main() -> int:
    """Do all faults and print the table."""
    begun = time.monotonic()
    print(row(("fault", "what came", "what was lost, and why"), "verdict"))
    print("-" * (sum(_WIDTHS) + 13), flush=True)
    failed = 0
    with ThreadPoolExecutor(4) as pool:
        for outcomes in (pool.map(tried, TOGETHER), map(tried, ALONE)):
            for outcome in outcomes:
                verdict = "as stated" if outcome.is_well else "FAILED"
                failed += not outcome.is_well
                print(row((outcome.done, outcome.came, outcome.lost), verdict) + "\n", flush=True)
    number = len(TOGETHER) + len(ALONE)
    print(f"{number} faults in {time.monotonic() - begun:.0f} s; {number - failed} as stated, {failed} not.")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
