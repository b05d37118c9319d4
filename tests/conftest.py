# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every test can ask for, in plain Python and inside FreeCAD alike."""

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# The first example compiles a kernel, and machines are noisy: no example is late. What decides over a change tries the
# same examples each time; whoever works on the code meets new ones.
hypothesis.settings.register_profile("camtwin", deadline=None)
hypothesis.settings.register_profile("decisive", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("decisive" if os.environ.get("CI") else "camtwin")

ROOT = Path(__file__).resolve().parent.parent
INSIDE_FREECAD = "FreeCAD" in sys.modules
collect_ignore = [] if INSIDE_FREECAD else ["freecad", "gui", "inside_freecad.py"]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of further real inputs that may lie beside a checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the optional folder ../shared/data is absent: its real inputs were not tried")
    return folder


def swallowed_exceptions(printed: str) -> list[str]:
    """Return the tracebacks in FreeCAD's output that lead through our files; its own modules print some too."""
    tracebacks = re.findall(r"Traceback \(most recent call last\):\n(?:[ \t].*\n)+.*", printed)
    return [text for text in tracebacks if str(ROOT) in text or "camtwin" in text.lower()]


if INSIDE_FREECAD:

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
        """Fail a test during which FreeCAD caught an exception of ours, printed it and went on.

        A test that provokes one on purpose takes it from the output itself, with ``capfd.readouterr()``.
        """
        report = yield
        printed = "".join(text for title, text in report.sections if title.endswith(call.when))
        if report.passed and (swallowed := swallowed_exceptions(printed)):
            report.outcome = "failed"
            report.longrepr = f"FreeCAD swallowed an exception during {item.nodeid}:\n" + "\n".join(swallowed)
        return report
