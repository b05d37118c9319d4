# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files of an execution beside its document: a JSON of its figures, and the arrays of its moves.

PART.FCStd keeps its executions in the folder PART.camtwin. The two files of an execution are named by their
hashes, so no file overwrites another one, and the document refers to the JSON by its hash. Reading checks the size,
the types and the hashes of both files.
"""

import hashlib
import io
import os
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from freecad_camtwin.errors import InputError, OutputError
from freecad_camtwin.twin.base.archive import DAMAGE, read_arrays, read_entries
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.base.files import write_whole
from freecad_camtwin.twin.runs.execution import About, Execution
from freecad_camtwin.twin.runs.figures import OperationFigures, Quality, RunFigures

EXECUTION_SCHEMA = "camtwin.execution/1"
#: The greatest number of moves that is accepted.
_MOST_MOVES = 20_000_000
_LARGEST_JSON = 64 * 2**20
_NAME = re.compile(r"execution-[0-9a-f]{16}\.(json|npz)")


class _Arrays(Struct, frozen=True, forbid_unknown_fields=True):
    file: str
    sha256: str
    moves: int
    names: tuple[str, ...]


class _Document(Struct, frozen=True, forbid_unknown_fields=True):
    schema: str
    about: About
    figures: RunFigures
    operations: tuple[OperationFigures, ...]
    quality: Quality
    notes: tuple[str, ...]
    arrays: _Arrays


def folder_of(document: str | os.PathLike[str]) -> Path:
    """Return the folder for what belongs to a document: PART.camtwin beside PART.FCStd.

    If a package has that name, it is PART.camtwin-runs; the document stores which one it refers to.
    """
    folder = Path(document).with_suffix(".camtwin")
    return folder.with_suffix(".camtwin-runs") if folder.is_file() else folder


def written(execution: Execution) -> tuple[dict[str, bytes], str]:
    """Return the files of an execution by name, the JSON last, and the SHA-256 of that."""
    stream = io.BytesIO()
    names = tuple(sorted(execution.moves))
    arrays_by_name: dict[str, Any] = {name: execution.moves[name] for name in names}
    np.savez_compressed(stream, **arrays_by_name)
    packed = stream.getvalue()
    digest = hashlib.sha256(packed).hexdigest()
    moves = len(execution.moves["time"])
    arrays = _Arrays(f"execution-{digest[:16]}.npz", digest, moves, names)
    text = msgspec.json.format(
        msgspec.json.encode(
            _Document(
                EXECUTION_SCHEMA, execution.about, execution.figures, execution.operations, execution.quality,
                execution.notes, arrays,
            )
        ),
        indent=1,
    )  # fmt: skip
    whole = hashlib.sha256(text).hexdigest()
    return {arrays.file: packed, f"execution-{whole[:16]}.json": text}, whole


def save_execution(execution: Execution, folder: str | os.PathLike[str]) -> tuple[Path, str]:
    """Write an execution into a folder, which is made; return its JSON's path and SHA-256. OutputError if it cannot."""
    files, sha256 = written(execution)
    place = Path(folder)
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {place} cannot be made: {error.strerror or error}") from error
    for name, content in files.items():
        write_whole(place / name, content)
    return place / next(reversed(files)), sha256


def members(path: str | os.PathLike[str]) -> dict[str, bytes]:
    """Return the two files of an execution as they are, by name, to copy them."""
    text = _bytes(Path(path), _LARGEST_JSON)
    document = _decoded(text, Path(path))
    return {
        Path(path).name: text,
        document.arrays.file: _bytes(Path(path).with_name(document.arrays.file), _most(document.arrays)),
    }


def load_execution(path: str | os.PathLike[str], sha256: str | None = None) -> Execution:
    """Read an execution; ``sha256`` is the hash its JSON must have.

    InputError, one sentence, if it is missing, changed or damaged.
    """
    place = Path(path)
    text = _bytes(place, _LARGEST_JSON)
    if sha256 is not None and hashlib.sha256(text).hexdigest() != sha256:
        raise InputError(
            f"{place} is not the execution that the document refers to: it was changed; import the run again"
        )
    document = _decoded(text, place)
    moves = _moves(place.with_name(document.arrays.file), document.arrays)
    return Execution(document.about, document.figures, document.operations, document.quality, document.notes, moves)


def _decoded(text: bytes, place: Path) -> _Document:
    try:
        schema = msgspec.json.decode(text, type=dict[str, Any]).get("schema")
        if schema != EXECUTION_SCHEMA:
            raise InputError(
                f"{place} has version {schema!r}, but {EXECUTION_SCHEMA!r} is needed; import the run again"
            )
        document = msgspec.json.decode(text, type=_Document)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{place} is no execution, or it is damaged: {error}") from error
    arrays = document.arrays
    if not _NAME.fullmatch(arrays.file) or not 0 < arrays.moves <= _MOST_MOVES or len(arrays.names) > 1000:
        raise InputError(f"{place} is damaged: its list of arrays is not valid")
    return document


def _most(arrays: _Arrays) -> int:
    """Return how many bytes packed arrays may have at most."""
    return len(arrays.names) * (8 * arrays.moves + 4096)


def _bytes(path: Path, most: int) -> bytes:
    try:
        if path.stat().st_size > most:
            raise InputError(f"{path} is far too large for an execution")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing: an execution lies beside its document; import the run again") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def _moves(path: Path, arrays: _Arrays) -> dict[str, Floats]:
    """Read the arrays: exactly those that the JSON names, each with one value per move."""
    packed = _bytes(path, _most(arrays))
    if hashlib.sha256(packed).hexdigest() != arrays.sha256:
        raise InputError(f"{path} is damaged: its arrays are not those that were written; import the run again")
    try:
        moves = read_arrays(read_entries(io.BytesIO(packed), _most(arrays)))
    except (InputError, *DAMAGE) as error:
        raise InputError(f"{path} is damaged: {error}") from error
    if moves.keys() != set(arrays.names):
        raise InputError(f"{path} is damaged: its arrays are not those that its JSON names")
    if any(values.dtype != np.float64 or values.shape != (arrays.moves,) for values in moves.values()):
        raise InputError(f"{path} is damaged: its arrays do not fit the path")
    return moves
