# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin doctor``: what is installed, what is missing, and how to get it."""

import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
from pathlib import Path

import click

from freecad_camtwin import __version__
from freecad_camtwin.cli.freecad import FreeCAD
from freecad_camtwin.cli.options import Settings, common
from freecad_camtwin.cli.text import say, table
from freecad_camtwin.errors import FreeCADError

#: Distribution → what it is needed for.
NEEDS = {
    "numpy": "everything",
    "numba": "the simulation",
    "msgspec": "machine profiles and plans",
    "matplotlib": "pictures",
    "jinja2": "the HTML report",
    "click": "this command",
    "rich": "progress bars",
}
#: FreeCAD versions that the documents' side is tested on.
TESTED = ("0.20", "1.0", "1.1")


class _Incomplete(click.ClickException):
    exit_code = 3

    def show(self, file: object = None) -> None:
        """Say nothing more: the table has said it."""


@click.command(short_help="Say what is installed, what is missing and how to get it.")
@common
@click.pass_obj
def doctor(settings: Settings) -> None:
    """Check Python, the packages, FreeCAD and the compiled kernels. Exit code 3 where something is missing."""
    rows = [["ok", "CAM Twin", __version__, str(Path(__file__).resolve().parents[2])]]
    rows.append(["ok", "Python", platform.python_version(), sys.executable])
    rows += [_package(name, purpose) for name, purpose in NEEDS.items()]
    rows += [_freecad(settings.freecad), _kernels()]
    if not settings.quiet:
        table(["", "what", "version", ""], rows, left=4)
    missing = [row for row in rows if row[0] == "MISSING"]
    if missing:
        if not settings.quiet:
            say()
            say(f"{len(missing)} missing; the last column says how to get it.")
        raise _Incomplete("incomplete")
    if not settings.quiet:
        say()
        say("All is there.")


def _package(name: str, purpose: str) -> list[str]:
    if importlib.util.find_spec(name) is None:
        return ["MISSING", name, "", f"for {purpose}: {sys.executable} -m pip install {name}"]
    return ["ok", name, importlib.metadata.version(name), f"for {purpose}"]


def _freecad(said: str | None) -> list[str]:
    try:
        found = FreeCAD.find(said)
        version = found.version()
    except FreeCADError as error:
        return ["MISSING", "FreeCAD", "", f"for documents: {error}"]
    short = ".".join(re.findall(r"\d+", version)[:2])
    note = "" if short in TESTED else f" (tested are {', '.join(TESTED)})"
    return ["ok", "FreeCAD", version, f"{found.program}{note}"]


def _kernels() -> list[str]:
    spec = importlib.util.find_spec("camtwin_kernels")
    if spec is None or spec.origin is None:
        return ["MISSING", "kernels", "", "the folder kernels/ is not beside freecad_camtwin: install CAM Twin again"]
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or Path(spec.origin).parent / "__pycache__")
    count = len(list(folder.rglob("*.nbc"))) if folder.is_dir() else 0
    if not os.access(folder if folder.is_dir() else folder.parent, os.W_OK):
        return ["ok", "kernels", "", f"{folder} is read-only: numba keeps compiled kernels in the user's cache folder"]
    told = f"{count} compiled" if count else "compiled at the first use, some seconds"
    return ["ok", "kernels", told, str(folder)]
