# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run benchmarks: ``run.py`` all of them, each in a process of its own; ``run.py NAME`` the one module NAME.

A benchmark is a module of this folder with ``main() -> list[Row]``; it imports ``bench.report``. The exit code is 1
when a required row falls short.
"""

import importlib
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:1] = [str(HERE.parent), str(ROOT), str(ROOT / "kernels")]  # as pytest has it, in place of this folder


def benchmarks() -> list[str]:
    """Return the names of all benchmarks: the modules here that have a ``main``."""
    return sorted(
        module.stem
        for module in HERE.glob("*.py")
        if module.name != Path(__file__).name and "\ndef main(" in module.read_text(encoding="utf-8")
    )


def run(name: str) -> bool:
    """Run one benchmark here and publish its rows; tell whether all that is required is reached."""
    from bench import report

    return report.publish(name, importlib.import_module(f"bench.{name}").main())


def run_all() -> bool:
    """Run each benchmark in a fresh process, so that none warms or clutters the next."""
    names = benchmarks()
    failed = [name for name in names if subprocess.run([sys.executable, __file__, name], check=False).returncode]
    print(f"{len(names) - len(failed)} of {len(names)} benchmarks reach what is required", end="")
    print(f"; not so: {', '.join(failed)}" if failed else "")
    return bool(names) and not failed


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1] not in benchmarks():
        sys.exit(f"no benchmark {sys.argv[1]!r}; there are: {', '.join(benchmarks())}")
    sys.exit(0 if (run(sys.argv[1]) if sys.argv[1:] else run_all()) else 1)
