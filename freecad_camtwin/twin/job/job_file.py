# SPDX-License-Identifier: LGPL-2.1-or-later
"""A job as one file, which passes it from FreeCAD's process to other processes.

A ``.npz`` without pickles: the toolpath's columns and the stock's triangles as arrays, everything else as
JSON in the array ``json``. NaN and None are kept. FreeCAD's process writes the commands that its document stores
(``save_stored``), and reading that file interprets them as moves; so ``load_job`` returns a Job in either case.
"""

import json
import math
import os
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from freecad_camtwin.errors import CamTwinError, InputError
from freecad_camtwin.twin.base.archive import DAMAGE, LARGEST, read_arrays, read_entries
from freecad_camtwin.twin.base.files import replacing
from freecad_camtwin.twin.job.command import PathCommand
from freecad_camtwin.twin.job.job import Job, Limits, Operation, Stock
from freecad_camtwin.twin.job.stored_job import (
    StoredJob,
    StoredOperation,
    interpret_stored,
    pack_commands,
    unpack_commands,
)
from freecad_camtwin.twin.job.tool import Shape, Tool
from freecad_camtwin.twin.job.toolpath import EventKind, PathEvent, Toolpath

JOB_SCHEMA = "camtwin.job/1"

_COLUMNS = tuple(item.name for item in fields(Toolpath) if item.name != "events")
_PLAIN = tuple(item.name for item in fields(Job) if item.name not in ("toolpath", "tools", "operations", "stock"))
#: Fields that files of earlier versions do not have; they get their default.
_LATER = ("objective",)


def save_job(job: Job, path: str | os.PathLike[str]) -> None:
    """Write ``job`` to ``path``: the file is whole or absent."""
    _write(Path(path), *describe(job))


def describe(job: Job) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a job as JSON types, and arrays by name, for any file; ``restore`` is the inverse."""
    events = [asdict(event) | {"kind": int(event.kind)} for event in job.toolpath.events]
    operations = [asdict(operation) for operation in job.operations]
    arrays = {f"toolpath.{name}": getattr(job.toolpath, name) for name in _COLUMNS} | _triangles(job)
    return _common(job) | {"toolpath": events, "operations": operations}, arrays


def restore(data: dict[str, Any], arrays: dict[str, Any]) -> Job:
    """Return the job that ``describe`` described.

    Raises InputError if it has another schema or lacks a value, and the errors of Toolpath and Tool if their values
    are impossible.
    """
    try:
        if data["schema"] != JOB_SCHEMA:
            raise InputError(f"it holds {data['schema']!r}, not {JOB_SCHEMA!r}")
        job = _job(data, arrays)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"its job is damaged: {error}") from error
    return interpret_stored(job) if isinstance(job, StoredJob) else job


def _triangles(job: Job | StoredJob) -> dict[str, Any]:
    if job.stock is None or job.stock.triangles is None:
        return {}
    return {"stock.triangles": job.stock.triangles}


def save_stored(job: StoredJob, path: str | os.PathLike[str]) -> None:
    """Write a job whose commands are not yet interpreted as moves; this needs only numpy."""
    operations = [
        asdict(item.operation)
        | {"controller": {"n_rpm": _nan_as_none(item.n_rpm), "is_reversed": item.is_reversed, "coolant": item.coolant}}
        for item in job.operations
    ]
    _write(Path(path), _common(job) | {"operations": operations}, pack_commands(job.operations) | _triangles(job))


def _nan_as_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _common(job: Job | StoredJob) -> dict[str, Any]:
    """Return the data that both kinds of job have, as JSON types."""
    plain = {name: getattr(job, name) for name in _PLAIN}
    tools = [asdict(tool) | {"shape": tool.shape.value if tool.shape else None} for tool in job.tools]
    stock = None
    if job.stock is not None:
        stock = {"lower": job.stock.lower, "upper": job.stock.upper, "kind": job.stock.kind}
    return plain | {"schema": JOB_SCHEMA, "tools": tools, "stock": stock}


def _write(target: Path, description: dict[str, Any], arrays: dict[str, Any]) -> None:
    arrays["json"] = np.frombuffer(json.dumps(description, ensure_ascii=False).encode(), np.uint8)
    with replacing(target) as whole, whole.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def load_job(path: str | os.PathLike[str]) -> Job:
    """Read what ``save_job`` or ``save_stored`` wrote. InputError if the file is missing, damaged or not a job."""
    try:
        arrays = read_arrays(read_entries(path, LARGEST), kinds="biufU")
        return restore(json.loads(arrays["json"].tobytes()), arrays)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except CamTwinError:
        raise
    except OSError as error:
        raise InputError(f"the job file {path} cannot be read: {error.strerror or error}") from error
    except DAMAGE as error:
        raise InputError(f"{path} is not a job file, or it is damaged: {error}") from error


def _job(data: dict[str, Any], arrays: dict[str, Any]) -> Job | StoredJob:
    plain = {name: data[name] for name in _PLAIN if name in data or name not in _LATER} | {
        "tools": tuple(_tool(tool) for tool in data["tools"]),
        "stock": _stock(data["stock"], arrays.get("stock.triangles")),
        "warnings": tuple(data["warnings"]),
    }
    if "toolpath" not in data:
        commands = unpack_commands(arrays)
        pairs = zip(data["operations"], commands, strict=True)
        return StoredJob(**plain, operations=tuple(_stored_operation(*pair) for pair in pairs))
    events = tuple(PathEvent(**event | {"kind": EventKind(event["kind"])}) for event in data["toolpath"])
    columns = {name: arrays[f"toolpath.{name}"] for name in _COLUMNS}
    operations = tuple(_operation(operation) for operation in data["operations"])
    return Job(**plain, toolpath=Toolpath(**columns, events=events), operations=operations)


def _stored_operation(data: dict[str, Any], commands: list[PathCommand]) -> StoredOperation:
    controller = data.pop("controller")
    n_rpm = controller.pop("n_rpm")
    return StoredOperation(_operation(data), commands, math.nan if n_rpm is None else n_rpm, **controller)


def _tool(data: dict[str, Any]) -> Tool:
    shape = None if data["shape"] is None else Shape(data["shape"])
    profile = tuple((float(radius), float(height)) for radius, height in data["profile"])
    return Tool(**data | {"shape": shape, "profile": profile})


def _operation(data: dict[str, Any]) -> Operation:
    return Operation(**data | {"limits": Limits(**data["limits"])})


def _stock(data: dict[str, Any] | None, triangles: Any) -> Stock | None:
    if data is None:
        return None
    lower, upper = tuple(data["lower"]), tuple(data["upper"])
    if not all(math.isfinite(value) for value in (*lower, *upper)):
        raise InputError("the job file's stock has a corner that is no number")
    return Stock(lower=lower, upper=upper, kind=data["kind"], triangles=triangles)
