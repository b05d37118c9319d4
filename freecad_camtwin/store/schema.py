# SPDX-License-Identifier: LGPL-2.1-or-later
"""The file of a recording: an SQLite database of column chunks with a header."""

import math
import sqlite3
from dataclasses import asdict, dataclass, field
from pathlib import Path
from uuid import uuid4

import msgspec

from freecad_camtwin.errors import InputError

RECORDING_VERSION = 1
#: Marks the file as CAM Twin's in SQLite's own header: "CamT".
APPLICATION_ID = 0x43616D54
#: Rows of a full chunk. Chunks twice as long saved 2 % of size, but a query for one second at 1 kHz read twice as much.
CHUNK_ROWS = 8192
#: A chunk that states more rows than this is refused as damaged.
MOST_ROWS = 1 << 20

OPERATION = "operation"  #: the column whose values are indexed

TABLES = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {RECORDING_VERSION};
CREATE TABLE header (json TEXT NOT NULL, finished REAL);
CREATE TABLE chunk (id INTEGER PRIMARY KEY, rows INTEGER NOT NULL, start REAL NOT NULL, stop REAL NOT NULL);
CREATE TABLE piece (
    chunk INTEGER NOT NULL, name TEXT NOT NULL, low REAL, high REAL, data BLOB NOT NULL, UNIQUE (chunk, name));
CREATE TABLE presence (operation INTEGER, chunk INTEGER, PRIMARY KEY (operation, chunk)) WITHOUT ROWID;
CREATE INDEX presence_chunk ON presence (chunk);
CREATE TABLE event (time REAL NOT NULL, item TEXT NOT NULL, value TEXT);
CREATE INDEX event_time ON event (time);
CREATE TABLE gap (start REAL NOT NULL, stop REAL, reason TEXT NOT NULL);
CREATE TABLE tally (name TEXT NOT NULL, reason TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (name, reason));
"""


@dataclass(frozen=True, slots=True)
class RecordingHeader:
    """The header of a recording; None is unknown."""

    started: float  #: seconds since the epoch
    toolpath_hash: str | None = None  #: of the toolpath that the samples were aligned to
    program_hash: str | None = None  #: of the posted program's bytes
    program: str | None = None  #: name of the program
    machine: str | None = None
    operator: str | None = None
    signal_map: str | None = None  #: the text of the signal map in force
    simulated: bool = False  #: the data come from a virtual machine
    run: str = field(default_factory=lambda: str(uuid4()))  #: UUID of this run, the same in every copy

    def __post_init__(self) -> None:
        if not math.isfinite(self.started):
            raise InputError("a recording needs the time at which its run started")


@dataclass(frozen=True, slots=True)
class Gap:
    """A time of which data are missing."""

    start: float  #: seconds since the epoch
    stop: float | None  #: None: it had not ended
    reason: str


@dataclass(frozen=True, slots=True)
class Counters:
    """The numbers of rows received, kept and dropped, by reason."""

    recorded: int  #: rows in the recording
    late: int  #: of these, rows that arrived after a row with a later time
    repeated: int  #: of these, rows with the same time as the newest row before them
    received: int | None  #: rows that the source delivered; None: not counted
    dropped: dict[str, int]  #: reason → rows that are not in the recording


def header_json(header: RecordingHeader) -> str:
    """Write a header as text."""
    return msgspec.json.encode(asdict(header) | {"started": float(header.started)}).decode()


def header_from(text: str | bytes, name: str) -> RecordingHeader:
    """Read a header; error messages name the recording ``name``."""
    try:
        return msgspec.json.decode(text, type=RecordingHeader)
    except msgspec.MsgspecError as error:
        raise InputError(f"{name} has a header that cannot be read ({error})") from error


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a recording read only, during or after writing. InputError if the file is not a recording."""
    if not path.is_file():
        raise InputError(f"there is no recording {path}")
    try:
        database = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise InputError(f"{path.name} cannot be opened: {error}") from error
    try:
        _check(database, path)
    except BaseException:
        database.close()
        raise
    return database


def _check(database: sqlite3.Connection, path: Path) -> None:
    """Raise InputError unless the file is a recording of a supported version."""
    try:
        (application,) = database.execute("PRAGMA application_id").fetchone()
        (version,) = database.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError as error:  # most often a folder that cannot be written beside an unfinished run
        raise InputError(
            f"{path.name} cannot be opened ({error}); if its run was interrupted, copy it and {path.name}-wal "
            "together into a folder with write access"
        ) from error
    except sqlite3.Error as error:
        raise InputError(f"{path.name} is not a recording, or it is damaged: {error}") from error
    if application != APPLICATION_ID:
        raise InputError(f"{path.name} is not a recording of CAM Twin")
    if version > RECORDING_VERSION:
        raise InputError(
            f"{path.name} was recorded by a newer CAM Twin (form {version}; this version reads {RECORDING_VERSION})"
        )
