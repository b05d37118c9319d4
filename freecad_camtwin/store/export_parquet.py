# SPDX-License-Identifier: LGPL-2.1-or-later
"""Export a recording to Parquet, for tools that analyze tables, and import it back; needs pyarrow.

Samples become one zstd-compressed table in order of arrival, with ``time`` in seconds and null for an unknown value.
If the recording has words, they become a second table beside it, ``NAME.events.parquet``. Header, gaps and counters
are JSON in the metadata of the first table.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from freecad_camtwin.errors import InputError, OutputError
from freecad_camtwin.store.reader import RecordedRows, RecordingReader
from freecad_camtwin.store.recording import Recording
from freecad_camtwin.store.schema import Counters, Gap, RecordingHeader
from freecad_camtwin.twin.base.files import replacing
from freecad_camtwin.twin.signals.observation import Event

_KEY = b"camtwin.recording"
_NEEDED = "Parquet needs pyarrow, which is not installed; pip install 'freecad-camtwin[store]' brings it"


@dataclass(frozen=True, slots=True)
class _Run:
    """The metadata of the table of samples."""

    header: RecordingHeader
    finished: float | None
    gaps: tuple[Gap, ...]
    counters: Counters
    events: int  #: words in the second table; 0: there is none


def events_path(path: Path) -> Path:
    """Return the name of the table of words beside a table of samples."""
    return path.with_name(f"{path.stem}.events.parquet")


def export_parquet(
    recording: Path | str, path: Path | str, placing: Callable[[Path], AbstractContextManager[Path]] = replacing
) -> tuple[Path, ...]:
    """Write a recording as Parquet; return the files written. After an OutputError no incomplete file is left.

    ``placing`` returns the temporary name under which a file is written.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise OutputError(_NEEDED) from error
    path = Path(path)
    with RecordingReader(recording) as reader:
        events = reader.events()
        run = _Run(reader.header, reader.finished, reader.gaps(), reader.counters, len(events))
        fields = [pa.field("time", pa.float64(), nullable=False)]
        fields += [pa.field(name, pa.float64()) for name in reader.columns]
        samples = pa.schema(fields, metadata={_KEY: msgspec.json.encode(run)})
        with placing(path) as part:
            with parquet.ParquetWriter(part, samples, compression="zstd") as writer:
                for rows in reader.arrivals():
                    values = [rows.time, *rows.columns.values()]
                    arrays = [pa.array(column, pa.float64(), from_pandas=True) for column in values]  # NaN becomes null
                    writer.write_batch(pa.record_batch(arrays, schema=samples), row_group_size=1 << 17)
            if events:
                with placing(events_path(path)) as words:
                    parquet.write_table(_table(pa, events), words, compression="zstd")
    return (path, events_path(path)) if events else (path,)


def import_parquet(path: Path | str, recording: Path | str) -> None:
    """Make a recording from the files of ``export_parquet``. InputError if they are other files or incomplete."""
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise InputError(_NEEDED) from error
    path = Path(path)
    try:
        with parquet.ParquetFile(path) as samples:
            run = _described(samples.schema_arrow.metadata, path.name)
            events = _events(parquet, path, run.events)
            with Recording.create(recording, run.header) as copy:
                try:
                    copy.append([], {}, events)
                    for batch in samples.iter_batches():
                        rows = _rows(batch, path.name)
                        copy.append(rows.time, rows.columns)
                    _finish(copy, run)
                except BaseException:
                    copy.discard()
                    raise
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path.name} cannot be read as Parquet: {error}") from error


def _table(pa: Any, events: tuple[Event, ...]) -> Any:
    """Return the table of words."""
    return pa.table(
        {
            "time": pa.array([event.time for event in events], pa.float64()),
            "item": pa.array([event.item for event in events], pa.string()),
            "value": pa.array([event.value for event in events], pa.string()),
        }
    )


def _described(metadata: dict[bytes, bytes] | None, name: str) -> _Run:
    try:
        return msgspec.json.decode((metadata or {})[_KEY], type=_Run)
    except (KeyError, msgspec.MsgspecError) as error:
        raise InputError(f"{name} is a Parquet file, but not a recording exported by CAM Twin") from error


def _events(parquet: Any, path: Path, number: int) -> list[Event]:
    """Return the words from the second table; InputError if their number is not the one in the metadata."""
    if not number:
        return []
    beside = events_path(path)
    if not beside.is_file():
        raise InputError(f"{beside.name} is missing; put it beside {path.name}, to which it belongs")
    rows = parquet.read_table(beside, columns=["time", "item", "value"]).to_pylist()
    try:
        events = msgspec.convert(rows, list[Event])
    except msgspec.ValidationError as error:
        raise InputError(f"{beside.name} does not contain words exported by CAM Twin: {error}") from error
    if len(events) != number:
        raise InputError(f"{beside.name} has {len(events)} words, but {path.name} was written with {number}")
    return events


def _rows(batch: Any, name: str) -> RecordedRows:
    """Return a batch as samples, null as NaN."""
    columns = {
        column: values.cast("float64").to_numpy(zero_copy_only=False)
        for column, values in zip(batch.schema.names, batch.columns, strict=True)
    }
    if "time" not in columns:
        raise InputError(f"{name} has no column time")
    return RecordedRows(columns.pop("time"), columns)


def _finish(copy: Recording, run: _Run) -> None:
    """Copy gaps, counters and end of the original."""
    for gap in run.gaps:
        copy.gap(gap.start, gap.stop, gap.reason)
    copy.count(received=run.counters.received, dropped=run.counters.dropped)
    if run.finished is not None:
        copy.finish(run.finished)
