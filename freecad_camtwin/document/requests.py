# SPDX-License-Identifier: LGPL-2.1-or-later
"""The requests that a FreeCAD child process understands, each a function from request to answer.

| action | takes | answers |
|---|---|---|
| read | document, output (.npz), job?, bare? | jobs: [{label, name, operations, file or error}], can_be_saved, … |
| doctor | | freecad_version, python, packages, posts |

The document is copied before FreeCAD opens it: its bytes and its folder stay as they are.
"""

import importlib.util
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import FreeCAD

from freecad_camtwin.document import stored, structure, versions
from freecad_camtwin.document.job import lost_proxies, open_document, read_stored
from freecad_camtwin.errors import CamTwinError, DocumentError
from freecad_camtwin.twin.job_file import save_stored

Request = dict[str, Any]
Answer = dict[str, Any]


def carry_out(request: Request) -> Answer:
    """Answer one request; CamTwinError where it cannot be carried out."""
    action = _ACTIONS.get(request.get("action", ""))
    if action is None:
        raise DocumentError(
            f"the FreeCAD child knows no action {request.get('action')!r}; it knows {', '.join(_ACTIONS)}"
        )
    return action(request)


@contextmanager
def opened(path: str) -> Iterator[tuple[Any, stored.StoredDocument]]:
    """A copy of the document at ``path``, open, and what its file says."""
    file = stored.inspect(path)
    with tempfile.TemporaryDirectory(prefix="camtwin-") as folder:
        copy = Path(folder) / Path(path).name
        try:
            shutil.copyfile(path, copy)
        except OSError as error:
            raise DocumentError(f"{path} cannot be copied: {error.strerror or error}") from error
        document = open_document(str(copy))
        try:
            yield document, file
        finally:
            FreeCAD.closeDocument(document.Name)


def _chosen(document: Any, word: str | None) -> list[Any]:
    """The job called ``word``, or all of them."""
    if word is not None:
        return [structure.find_job(document, word)]
    return structure.jobs(document) or [structure.find_job(document)]


def _read(request: Request) -> Answer:
    output = Path(request["output"])
    source = request["document"]
    with opened(source) as (document, file):
        chosen = _chosen(document, request.get("job"))
        jobs = []
        for number, job in enumerate(chosen):
            target = output if number == 0 else output.with_name(f"{output.stem}-{number + 1}{output.suffix}")
            entry = {"label": job.Label, "name": job.Name, "operations": len(structure.operations(job))}
            try:
                found = read_stored(job, bare=bool(request.get("bare")), file=file, source=source)
                save_stored(found, target)
                entry["file"] = str(target)
            except CamTwinError as error:
                if len(chosen) == 1:
                    raise
                entry["error"] = str(error)
            jobs.append(entry)
        lost = lost_proxies(document, file)
        return _about(file) | {
            "jobs": jobs,
            "can_be_saved": not lost,
            "mends_with": stored.needs(lost, file.wrote) if lost else None,
        }


def _about(file: stored.StoredDocument) -> Answer:
    return {"freecad_version": versions.version_text(), "wrote": file.wrote or None}


def _doctor(_request: Request) -> Answer:
    packages = {}
    for name in ("numpy", "numba", "msgspec", "matplotlib", "jinja2"):
        packages[name] = importlib.util.find_spec(name) is not None
    return {
        "freecad_version": versions.version_text(),
        "python": platform.python_version(),
        "packages": packages,
        "posts": sorted(versions.cam("Preferences").allAvailablePostProcessors()),
    }


_ACTIONS: dict[str, Callable[[Request], Answer]] = {"read": _read, "doctor": _doctor}
