# SPDX-License-Identifier: LGPL-2.1-or-later
"""What pytest does in a scratch copy, whose ``conftest.py`` this is, in plain Python and inside FreeCAD alike.

With ``CAMTWIN_MUTANTS_MAP`` it notes which lines every test runs and how long it takes. With ``CAMTWIN_MUTANTS_TESTS``
it runs the tests of one mutant in the given order. Either way it writes down how it ended.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

_MAP = os.environ.get("CAMTWIN_MUTANTS_MAP")
_TESTS = os.environ.get("CAMTWIN_MUTANTS_TESTS")
_RESULT = os.environ.get("CAMTWIN_MUTANTS_RESULT", os.devnull)
_seconds: dict[str, float] = {}
_failed: list[str] = []
_coverage: Any = None

if _MAP:
    # FreeCAD has no coverage of its own: there this folder holds that of the virtual environment, and nothing else.
    sys.path.append(os.environ["CAMTWIN_MUTANTS_COVERAGE"])
    import coverage

    _coverage = coverage.Coverage(config_file=_MAP)
    _coverage.start()


def pytest_runtest_logstart(nodeid: str) -> None:
    """Count what runs from now on as this test's."""
    if _coverage is not None:
        _coverage.switch_context(nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how long a test takes and whether it fails; one that is skipped runs nothing."""
    if not report.skipped:
        _seconds[report.nodeid] = _seconds.get(report.nodeid, 0.0) + report.duration
    if report.failed:
        _failed.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the tests of a mutant alone, in the order in which it is most quickly found."""
    if not _TESTS:
        return
    order = {name: at for at, name in enumerate(json.loads(Path(_TESTS).read_text(encoding="utf-8")))}
    chosen = [item for item in items if item.nodeid in order]
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in order])
    items[:] = sorted(chosen, key=lambda item: order[item.nodeid])


def pytest_sessionfinish() -> None:
    """Write down how it ended: FreeCAD leaves by ``os._exit``, and a window's output is not ours."""
    if _coverage is not None:
        _coverage.stop()
        _coverage.save()
    Path(_RESULT).write_text(json.dumps({"seconds": _seconds, "failed": _failed}), encoding="utf-8")
