# SPDX-License-Identifier: LGPL-2.1-or-later
"""The FreeCAD child process of the command line: it answers requests until its standard input is closed.

Run by ``freecadcmd child.py`` with CAMTWIN_CHILD set; each line of standard input is the path of a JSON request.
A request names the file for the answer, which is always written: results, or ``{"error": sentence}``; all its
paths are absolute.
FreeCAD imports this file instead of running it, and would run it again after an exception, so none may leave it.
Besides FreeCAD's own Python it needs numpy only.
"""

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

_ROOT = str(Path(__file__).resolve().parent.parent.parent)
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Carry out a request; every exception becomes an ``error`` in the answer."""
    try:
        from freecad_camtwin.errors import CamTwinError

        try:
            from freecad_camtwin.document import requests

            return requests.carry_out(request)
        except CamTwinError as error:
            return {"error": str(error), "kind": type(error).__name__}
    except BaseException as error:  # noqa: BLE001 - the top of the process
        return {"error": f"{type(error).__name__}: {error}", "detail": traceback.format_exc()}


def serve() -> None:
    """Answer the requests whose paths are lines of standard input, until it is closed."""
    with open(0, encoding="utf-8", closefd=False) as paths:
        for path in paths:
            main(path.rstrip("\r\n"))


def main(path: str) -> None:
    """Read the request at ``path``, and write its answer."""
    request = json.loads(Path(path).read_text(encoding="utf-8"))
    target = Path(request["answer"])
    os.chdir(target.parent)  # some of FreeCAD's post processors leave a file called "-" in the current folder
    result = answer(request)
    part = target.with_name(target.name + ".part")
    part.write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(part, target)


if "CAMTWIN_CHILD" in os.environ:
    _code = 0
    try:
        serve()
    except BaseException:  # noqa: BLE001 - the top of the process
        traceback.print_exc()
        _code = 4
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_code)
