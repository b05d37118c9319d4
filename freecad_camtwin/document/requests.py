# SPDX-License-Identifier: LGPL-2.1-or-later
"""The requests that a FreeCAD child process carries out, each a function from request to answer.

| action | takes | answers |
|---|---|---|
| read | document, output (.npz), job?, bare? | jobs: [{label, name, operations, file or error}], can_be_saved, … |
| attach | document, output, job?, material?, machine?, objective? | saved, output |
| apply | document, plan, job?, output?, post?, gcode?, post_args? | saved, output, gcode, operations, … |
| clear | document, output, job?, keep_twin?, post?, gcode? | saved, output, gcode, removed |
| post | document, post, gcode, gcode_bare?, job?, bare?, post_args? | gcode, gcode_bare |
| import | document, output, executions (summaries), job? | saved, output, sidecars |
| doctor | | freecad_version, python, packages, posts |

``bare`` posts without feed dressups; ``gcode_bare`` names a file for that program, which is written if the job has feed
dressups. The command line compares the two programs.
The document is copied before FreeCAD opens it: its bytes and its folder are not changed.
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

from freecad_camtwin.document import api, dressup, execution, feeds, observer, stored, structure, versions
from freecad_camtwin.document.files import save_document, write_text
from freecad_camtwin.document.job import lost_proxies, open_document, read_stored
from freecad_camtwin.document.post import post_job
from freecad_camtwin.errors import CamTwinError, DocumentError, PlanError
from freecad_camtwin.twin.feeds.plan import FeedPlan
from freecad_camtwin.twin.job.job_file import save_stored

ChildRequest = dict[str, Any]
ChildAnswer = dict[str, Any]


def carry_out(request: ChildRequest) -> ChildAnswer:
    """Answer one request; CamTwinError if it cannot be carried out."""
    action = _ACTIONS.get(request.get("action", ""))
    if action is None:
        raise DocumentError(f"the FreeCAD child has no action {request.get('action')!r}; it has {', '.join(_ACTIONS)}")
    return action(request)


@contextmanager
def opened_document(path: str) -> Iterator[tuple[Any, stored.StoredDocument]]:
    """Open a copy of the document at ``path``; yield the open document and the data of its file."""
    file = stored.inspect(path)
    with tempfile.TemporaryDirectory(prefix="camtwin-") as folder:
        copy = Path(folder) / Path(path).name
        try:
            shutil.copyfile(path, copy)
        except OSError as error:
            raise DocumentError(f"{path} cannot be copied: {error.strerror or error}") from error
        document = open_document(str(copy))
        observer.heal(document)
        try:
            yield document, file
        finally:
            FreeCAD.closeDocument(document.Name)


def _chosen(document: Any, word: str | None) -> list[Any]:
    """Return the job with the label or name ``word``; without ``word`` all jobs."""
    if word is not None:
        return [structure.find_job(document, word)]
    return structure.jobs(document) or [structure.find_job(document)]


def _read(request: ChildRequest) -> ChildAnswer:
    output = Path(request["output"])
    source = request["document"]
    with opened_document(source) as (document, file):
        chosen = _chosen(document, request.get("job"))
        jobs = []
        for number, job in enumerate(chosen):
            target = output if number == 0 else output.with_name(f"{output.stem}-{number + 1}{output.suffix}")
            entry = {"label": job.Label, "name": job.Name, "operations": len(structure.operations(job))}
            try:
                job_data = read_stored(job, bare=bool(request.get("bare")), file=file, source=source)
                save_stored(job_data, target)
                entry["file"] = str(target)
            except CamTwinError as error:
                if len(chosen) == 1:
                    raise
                entry["error"] = str(error)
            jobs.append(entry)
        lost = lost_proxies(document, file)
        return _about(file) | {"jobs": jobs} | _could_be_saved(lost, file)


def _one(document: Any, request: ChildRequest) -> Any:
    return structure.find_job(document, request.get("job"))


def _attach(request: ChildRequest) -> ChildAnswer:
    with opened_document(request["document"]) as (document, file):
        _must_be_saveable(document, file, request)
        settings = {name: request[name] for name in ("material", "machine", "objective") if request.get(name)}
        api.attach(_one(document, request), **settings)
        return _about(file) | _saved(document, request)


def _apply(request: ChildRequest) -> ChildAnswer:
    plan = FeedPlan.from_json(_text(request["plan"]))
    with opened_document(request["document"]) as (document, file):
        job = _one(document, request)
        dressup.refresh(job)
        lost = lost_proxies(document, file)
        if lost and not request.get("gcode"):
            _must_be_saveable(document, file, request)
        if lost:
            feeds.apply_in_memory(job, plan)
        else:
            api.apply(job, plan)
        answer = _about(file) | _posted(job, request) | _could_be_saved(lost, file)
        answer["operations"] = [{"label": item.label, "changes": len(item.changes)} for item in plan.operations]
        return answer | ({"saved": False} if lost else _saved(document, request))


def _clear(request: ChildRequest) -> ChildAnswer:
    with opened_document(request["document"]) as (document, file):
        _must_be_saveable(document, file, request)
        job = _one(document, request)
        removed = api.clear(job, keep_twin=bool(request.get("keep_twin")))
        return _about(file) | {"removed": removed} | _posted(job, request) | _saved(document, request)


def _post(request: ChildRequest) -> ChildAnswer:
    with opened_document(request["document"]) as (document, file):
        job = _one(document, request)
        dressup.refresh(job)
        is_planned = any(structure.feed_dressup(top) for top in structure.operations(job))
        bare = _posted_bare(job, request) if is_planned else {"gcode_bare": None}
        return _about(file) | bare | _posted(job, request) | _could_be_saved(lost_proxies(document, file), file)


def _import(request: ChildRequest) -> ChildAnswer:
    with opened_document(request["document"]) as (document, file):
        _must_be_saveable(document, file, request)
        job = _one(document, request)
        twin = structure.twin(job)
        sidecars = [each.Sidecar for each in structure.executions(twin)] if twin is not None else []
        for summary in request["executions"]:
            execution.add(job, summary)
        return _about(file) | {"sidecars": sidecars} | _saved(document, request)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(f"the feed plan {path} cannot be read: {error}") from error


def _must_be_saveable(document: Any, file: stored.StoredDocument, request: ChildRequest) -> None:
    lost = lost_proxies(document, file)
    if lost:
        raise DocumentError(
            f"{Path(request['document']).name} was saved by FreeCAD {file.wrote}; saving it with "
            f"{versions.version_text()} would damage it: use {stored.needs(lost, file.wrote)}, "
            "or write only its program"
        )


def _could_be_saved(lost: list[str], file: stored.StoredDocument) -> ChildAnswer:
    return {"can_be_saved": not lost, "mends_with": stored.needs(lost, file.wrote) if lost else None}


def _posted(job: Any, request: ChildRequest) -> ChildAnswer:
    """Post to the file ``gcode`` of the request, if there is one."""
    if not request.get("gcode"):
        return {"gcode": None}
    write_text(request["gcode"], _program(job, request, bare=bool(request.get("bare"))))
    return {"gcode": request["gcode"]}


def _posted_bare(job: Any, request: ChildRequest) -> ChildAnswer:
    """Post without feed dressups to the file ``gcode_bare`` of the request, if there is one."""
    if not request.get("gcode_bare"):
        return {"gcode_bare": None}
    write_text(request["gcode_bare"], _program(job, request, bare=True))
    return {"gcode_bare": request["gcode_bare"]}


def _program(job: Any, request: ChildRequest, *, bare: bool = False) -> str:
    return post_job(job, request.get("post") or job.PostProcessor, request.get("post_args"), bare=bare)


def _saved(document: Any, request: ChildRequest) -> ChildAnswer:
    """Save to the file ``output`` of the request, if there is one."""
    if not request.get("output"):
        return {"saved": False, "output": None}
    save_document(document, request["output"], request["document"])
    return {"saved": True, "output": request["output"]}


def _about(file: stored.StoredDocument) -> ChildAnswer:
    return {"freecad_version": versions.version_text(), "wrote": file.wrote or None}


def _doctor(_request: ChildRequest) -> ChildAnswer:
    packages = {}
    for name in ("numpy", "numba", "msgspec", "matplotlib", "jinja2"):
        packages[name] = importlib.util.find_spec(name) is not None
    return {
        "freecad_version": versions.version_text(),
        "python": platform.python_version(),
        "packages": packages,
        "posts": sorted(versions.cam("Preferences").allAvailablePostProcessors()),
    }


_ACTIONS: dict[str, Callable[[ChildRequest], ChildAnswer]] = {
    "read": _read,
    "attach": _attach,
    "apply": _apply,
    "clear": _clear,
    "post": _post,
    "import": _import,
    "doctor": _doctor,
}
