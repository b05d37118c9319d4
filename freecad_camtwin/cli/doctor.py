# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin doctor``: what is installed, what is missing, and how to get it."""

import importlib.metadata
import importlib.util
import platform
import re
import sys

import click

from freecad_camtwin import ROOT, __version__
from freecad_camtwin.cli.freecad import FreeCAD
from freecad_camtwin.cli.options import Settings, common
from freecad_camtwin.cli.text import say, table
from freecad_camtwin.errors import CamTwinError, FreeCADError

#: Distribution → its purpose.
_NEEDS = {
    "numpy": "everything",
    "numba": "the simulation",
    "msgspec": "machine profiles and plans",
    "matplotlib": "pictures",
    "jinja2": "the HTML report",
    "click": "this command",
    "rich": "progress bars",
}
#: Optional distribution → (module, its purpose).
EXTRAS = {
    "paho-mqtt": ("paho", "mqtt: and mqtts: addresses"),
    "asyncua": ("asyncua", "opc.tcp: addresses"),
    "httpx": ("httpx", "mtconnect+http: addresses"),
    "lxml": ("lxml", "mtconnect+http: addresses"),
    "pyarrow": ("pyarrow", "runs as Parquet: export, compare, import"),
    "scipy": ("scipy", "machine identify"),
    "psycopg": ("psycopg", "export --postgres"),
}
#: FreeCAD versions that CAM Twin is tested with.
TESTED = ("0.20", "1.0", "1.1")


class _Incomplete(click.ClickException):
    exit_code = 3

    def show(self, file: object = None) -> None:
        """Print nothing: the table already names what is missing."""


@click.command("doctor", short_help="Check what is installed, what is missing and how to get it.")
@common
@click.pass_obj
def doctor_command(settings: Settings) -> None:
    """Check Python, the packages, FreeCAD and the compiled kernels. Exit code 3 if something is missing."""
    rows = [["ok", "CAM Twin", __version__, str(ROOT)]]
    rows.append(["ok", "Python", platform.python_version(), sys.executable])
    rows += [_package(name, purpose) for name, purpose in _NEEDS.items()]
    rows += [_extra(name, *words) for name, words in EXTRAS.items()]
    rows += [_freecad(settings.freecad), *_freecads_python(settings.freecad), _kernels()]
    if not settings.quiet:
        table(["", "what", "version", ""], rows, left=4)
    missing = [row for row in rows if row[0] == "MISSING"]
    if missing:
        if not settings.quiet:
            say()
            say(f"{len(missing)} missing; the last column shows how to install it.")
        raise _Incomplete("incomplete")
    if not settings.quiet:
        say()
        say("Everything is installed.")


def _package(name: str, purpose: str) -> list[str]:
    if importlib.util.find_spec(name) is None:
        return ["MISSING", name, "", f"for {purpose}: {sys.executable} -m pip install {name}"]
    return ["ok", name, importlib.metadata.version(name), f"for {purpose}"]


def _extra(name: str, module: str, purpose: str) -> list[str]:
    if importlib.util.find_spec(module) is None:
        return ["-", name, "", f"for {purpose}: {sys.executable} -m pip install {name}"]
    return ["ok", name, importlib.metadata.version(name), f"for {purpose}"]


def _freecad(path: str | None) -> list[str]:
    try:
        freecad = FreeCAD.find(path)
        version = freecad.version()
    except FreeCADError as error:
        return ["MISSING", "FreeCAD", "", f"for documents: {error}"]
    short = ".".join(re.findall(r"\d+", version)[:2])
    note = "" if short in TESTED else f" (tested versions: {', '.join(TESTED)})"
    return ["ok", "FreeCAD", version, f"{freecad.program}{note}"]


def _freecads_python(path: str | None) -> list[list[str]]:
    """Return the row of FreeCAD's own Python; the window and macros need its packages, the command line does not."""
    try:
        answer = FreeCAD.find(path).ask({"action": "doctor"})
    except CamTwinError:
        return []
    missing = [name for name, is_installed in answer["packages"].items() if not is_installed]
    note = "for the window and macros"
    if missing:
        note = f"the window and macros also need {', '.join(missing)}: see docs/install.md"
    return [["-" if missing else "ok", "FreeCAD's Python", answer["python"], note]]


def _kernels() -> list[str]:
    if importlib.util.find_spec("camtwin_kernels") is None:
        return [
            "MISSING",
            "kernels",
            "",
            "the folder kernels/ beside freecad_camtwin is missing: install CAM Twin again",
        ]
    if importlib.util.find_spec("numba") is None:
        return ["MISSING", "kernels", "", "they need numba, see above"]
    from freecad_camtwin.twin.kernel_cache import compiled_kernels, kernel_folder

    folder = kernel_folder()
    if folder is None:
        hint = "set CAMTWIN_CACHE to a writable folder; without it every call compiles the kernels again"
        return ["MISSING", "kernels", "no cache", hint]
    count = compiled_kernels()
    return ["ok", "kernels", f"{count} compiled" if count else "compiled at first use", str(folder)]
