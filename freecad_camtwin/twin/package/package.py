# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ``.camtwin`` package: all data of a job that the machine's computer needs, in one file.

It is a zip of a manifest, JSON and plain arrays, and holds the toolpath, the posted program's line map, the engagement
(as ROM integrals, see ``camtwin_kernels.reduced``) and predicted load of every step, limits, tools, material, machine
and signal map. A package may come from an unknown source, so all of it is checked: its entries are exactly those of
the manifest, each with its size and SHA-256; nothing is unpacked to disk or unpickled.
"""

import hashlib
import io
import json
import os
import zipfile
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from freecad_camtwin.errors import CamTwinError, InputError
from freecad_camtwin.twin.analysis.analysis import Analysis
from freecad_camtwin.twin.base.archive import DAMAGE, LARGEST, read_arrays, read_entries
from freecad_camtwin.twin.base.arrays import Floats, Ints
from freecad_camtwin.twin.base.files import replacing
from freecad_camtwin.twin.cut.limits import OperationLimits
from freecad_camtwin.twin.cut.reduced import reduce
from freecad_camtwin.twin.cycle_time.motion import schedule
from freecad_camtwin.twin.cycle_time.schedule import durations
from freecad_camtwin.twin.job.geometry import steps_within_moves
from freecad_camtwin.twin.job.job import Job
from freecad_camtwin.twin.job.job_file import describe, restore
from freecad_camtwin.twin.job.program import read_program
from freecad_camtwin.twin.job.toolpath import MoveKind, Toolpath
from freecad_camtwin.twin.package.line_map import LineMap, identity, map_lines
from freecad_camtwin.twin.shop.machine import Machine
from freecad_camtwin.twin.shop.material import Material
from freecad_camtwin.twin.signals.signal_map import SignalMap, check_signals

PACKAGE_SCHEMA = "camtwin.package/1"
#: Assumed speed of rapids if no machine is known [mm/s].
_RAPID = 100.0
#: The largest line number that is accepted: a table has an entry for every line.
MOST_LINES = 2**25
_MANIFEST = "manifest.json"
_OF_MOVES = ("lines.move", "lines.operation", "lines.begin", "lines.end", "start", "time", "reported")
_LOADS = ("power", "torque", "force", "h_ex", "deflection")


@dataclass(frozen=True)
class PredictedSteps:
    """Predicted values of every step of the document's path, (steps,) each; NaN is unknown."""

    move: Ints  #: index into the document's toolpath, rising
    begin: Floats  #: where in its move the step begins [mm]
    end: Floats  #: … and ends [mm]
    volume: Floats  #: removed [mm³]
    feed: Floats  #: programmed [mm/s]
    power: Floats  #: mean, net at the tool [W]
    torque: Floats  #: largest over a revolution [N·mm]
    force: Floats  #: largest resultant in the working plane [N]
    h_ex: Floats  #: largest chip thickness [mm]
    deflection: Floats  #: of the tip [mm]
    integrals: NDArray[np.float32]  #: (steps, 4, 6) ROM integrals, see ``twin.cut.reduced.reduce``


@dataclass(frozen=True)
class Package:
    """One job for the machine's computer."""

    job: Job
    lines: LineMap  #: what the machine executes; the job's own path where no posted program is known
    start: Floats  #: when every move of the program is predicted to start [s], shape (moves of the program,)
    time: Floats  #: how long it is predicted to take [s]
    steps: PredictedSteps
    reported: Floats | None = None  #: (moves of the program,) see ``Schedule.reported``; None: each at its start
    limits: tuple[OperationLimits, ...] = ()
    material: Material | None = None
    machine: Machine | None = None
    signals: SignalMap | None = None
    program: str = ""  #: the posted program's file name
    program_sha256: str | None = None  #: of its bytes
    warnings: tuple[str, ...] = field(default=())

    @property
    def toolpath_hash(self) -> str:
        """Hash of the path: only runs along the same path are compared."""
        return self.job.toolpath.hash


def make_package(analysis: Analysis, program: str | Path | None = None, *, signals: SignalMap | None = None) -> Package:
    """Bundle an analyzed job, the program that was posted from it, and the machine's signal map."""
    job = analysis.job
    lines, sha256 = identity(job), None
    if program is not None:
        posted = read_program(program, tools=job.tools, stock=job.stock)
        lines = map_lines(job, posted)
        sha256 = hashlib.sha256(Path(program).read_bytes()).hexdigest()
        if lines.matched == 0.0:
            raise InputError(f"{Path(program).name} has no feed move of '{job.label}'; give the program posted from it")
    start, time, reported = _predicted_time(lines, analysis.machine)
    return Package(
        job=job,
        lines=lines,
        start=start,
        time=time,
        steps=_steps(analysis),
        reported=reported,
        limits=analysis.limits,
        material=analysis.material,
        machine=analysis.machine,
        signals=signals,
        program=Path(program).name if program is not None else Path(job.source).name,
        program_sha256=sha256,
        warnings=(*analysis.warnings, *lines.unmatched),
    )


def _predicted_time(lines: LineMap, machine: Machine | None) -> tuple[Floats, Floats, Floats]:
    """Start and duration of every move, and where it is reported first; without a machine length over feed."""
    path = lines.program
    if machine is not None:
        timing = schedule(path, machine)
        return timing.start, durations(timing), timing.reported
    feeds = path.feed[path.is_cutting & (path.feed > 0)]
    speed = np.where(path.kind == MoveKind.RAPID, _RAPID, path.feed)
    speed = np.where(speed > 0, speed, np.median(feeds) if feeds.size else _RAPID)
    time = path.length / speed
    return np.concatenate([[0.0], np.cumsum(time)[:-1]]), time, lines.way[:-1]


def _steps(analysis: Analysis) -> PredictedSteps:
    e, load = analysis.engagement, analysis.load
    end, before = steps_within_moves(e.move, e.length)
    begin = end - e.length - before
    loads = {name: getattr(load, name) for name in _LOADS}
    integrals = reduce(e, analysis.job)
    return PredictedSteps(e.move, begin, begin + e.length, e.volume, load.feed, integrals=integrals, **loads)


class _Entry(Struct, frozen=True, forbid_unknown_fields=True):
    size: int
    sha256: str


class _Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    schema: str
    toolpath_hash: str
    program: str
    program_sha256: str | None
    entries: dict[str, _Entry]


def save_package(package: Package, path: str | os.PathLike[str]) -> None:
    """Write a package atomically: the file is complete or absent."""
    job, arrays = describe(package.job)
    document = {
        "job": job,
        "unmatched": package.lines.unmatched,
        "limits": [asdict(limits) for limits in package.limits],
        "material": asdict(package.material) if package.material else None,
        "machine": msgspec.to_builtins(package.machine),
        "signals": msgspec.to_builtins(package.signals),
        "warnings": package.warnings,
    }
    program, program_arrays = describe(Job("", package.lines.program, (), ()))
    document["program"] = program
    arrays |= {f"program.{name}": values for name, values in program_arrays.items()}
    arrays |= {f"lines.{name}": getattr(package.lines, name) for name in ("move", "operation", "begin", "end")}
    reported = package.lines.way[:-1] if package.reported is None else package.reported
    arrays |= {"start": package.start, "time": package.time, "reported": reported}
    arrays |= {f"steps.{item.name}": getattr(package.steps, item.name) for item in fields(PredictedSteps)}
    entries = {"package.json": json.dumps(document, ensure_ascii=False).encode()}
    entries |= {f"{name}.npy": _array_bytes(values) for name, values in arrays.items()}
    manifest = _Manifest(
        PACKAGE_SCHEMA,
        package.toolpath_hash,
        package.program,
        package.program_sha256,
        {name: _Entry(len(data), hashlib.sha256(data).hexdigest()) for name, data in entries.items()},
    )
    _write(Path(path), {_MANIFEST: msgspec.json.encode(manifest)} | entries)


def _array_bytes(values: NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(values), version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _write(target: Path, entries: dict[str, bytes]) -> None:
    with replacing(target) as whole, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def load_package(path: str | os.PathLike[str]) -> Package:
    """Read a package; InputError, one sentence, if it is missing, damaged, of another version or manipulated."""
    try:
        return _package(*_checked(read_entries(path, LARGEST)))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except CamTwinError as error:
        raise InputError(f"{path} holds invalid data: {error}") from error
    except OSError as error:
        raise InputError(f"the package {path} cannot be read: {error.strerror or error}") from error
    except DAMAGE as error:
        raise InputError(f"{path} is not a CAM Twin package, or it is damaged: {error}") from error


def _checked(entries: dict[str, bytes]) -> tuple[_Manifest, dict[str, bytes]]:
    """Return the manifest and what it lists, each entry of the size and hash that it states."""
    if _MANIFEST not in entries:
        raise InputError("it has no manifest; give a file that 'camtwin package' wrote")
    manifest = _decode_manifest(entries.pop(_MANIFEST))
    if entries.keys() != manifest.entries.keys():
        raise InputError("its entries are not those of its manifest; package the job again")
    for name, stated in manifest.entries.items():
        if len(entries[name]) != stated.size:
            raise InputError(f"its entry {name!r} has another size than its manifest states; package the job again")
        if hashlib.sha256(entries[name]).hexdigest() != stated.sha256:
            raise InputError(f"its entry {name!r} was changed since it was written; package the job again")
    return manifest, entries


def _decode_manifest(data: bytes) -> _Manifest:
    schema = msgspec.json.decode(data, type=dict[str, Any]).get("schema")
    if schema != PACKAGE_SCHEMA:
        raise InputError(f"its version is {schema!r}, but {PACKAGE_SCHEMA!r} is needed; package the job again")
    return msgspec.json.decode(data, type=_Manifest)


def _package(manifest: _Manifest, entries: dict[str, bytes]) -> Package:
    document = json.loads(entries.pop("package.json"))
    arrays = read_arrays(entries)
    job = restore(document["job"], arrays)
    if job.toolpath.hash != manifest.toolpath_hash:
        raise InputError("its toolpath is not the one that its manifest names; package the job again")
    program = restore(document["program"], _below("program.", arrays)).toolpath
    lines = LineMap(program, **_below("lines.", arrays), unmatched=tuple(document["unmatched"]))
    steps = PredictedSteps(**_below("steps.", arrays))
    _check_fit(job, lines, steps, arrays)
    _check_values(lines.program, arrays)
    signals = msgspec.convert(document["signals"], SignalMap | None)
    return Package(
        job=job,
        lines=lines,
        start=arrays["start"],
        time=arrays["time"],
        steps=steps,
        reported=arrays["reported"],
        limits=msgspec.convert(document["limits"], tuple[OperationLimits, ...]),
        material=msgspec.convert(document["material"], Material | None),
        machine=msgspec.convert(document["machine"], Machine | None),
        signals=check_signals(signals, "of the package") if signals else None,
        program=manifest.program,
        program_sha256=manifest.program_sha256,
        warnings=msgspec.convert(document["warnings"], tuple[str, ...]),
    )


def _below(prefix: str, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}


def _check_fit(job: Job, lines: LineMap, steps: PredictedSteps, arrays: dict[str, NDArray[Any]]) -> None:
    """Refuse arrays that do not fit each other: the kernels would read beyond them."""
    count = len(steps.move)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(_OF_MOVES, (lines.program.moves,))
    shapes |= {f"steps.{item.name}": (count,) for item in fields(PredictedSteps)} | {"steps.integrals": (count, 4, 6)}
    types = dict.fromkeys(("lines.move", "lines.operation", "steps.move"), np.int32) | {"steps.integrals": np.float32}
    for name, shape in shapes.items():
        if arrays[name].shape != shape or arrays[name].dtype != types.get(name, np.float64):
            owner = "steps" if name.startswith("steps.") else "program"
            raise InputError(f"its array {name!r} does not fit its {owner}; package the job again")
    bounds = (
        (lines.move, -1, job.toolpath.moves),
        (lines.operation, -1, len(job.operations)),
        (steps.move, 0, job.toolpath.moves),
    )
    for values, least, most in bounds:
        if values.size and not (values.min() >= least and values.max() < most):
            raise InputError("its line map or its steps name moves that its toolpath does not have")
    if (np.diff(steps.move) < 0).any():
        raise InputError("its steps are not in the order of its path")


def _check_values(program: Toolpath, arrays: dict[str, NDArray[Any]]) -> None:
    """Refuse invalid times and line numbers."""
    reported = arrays["reported"]
    for values in (arrays["start"], arrays["time"], reported[~np.isnan(reported)]):
        if not ((values >= 0) & (values < np.inf)).all():
            raise InputError("one of its predicted times is negative or not finite; package the job again")
    if (program.line > MOST_LINES).any():
        raise InputError(
            f"its program names line {program.line.max()}, beyond the largest, {MOST_LINES}; package the job again"
        )
