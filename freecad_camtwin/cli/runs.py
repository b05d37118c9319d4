# SPDX-License-Identifier: LGPL-2.1-or-later
"""The run that a call names: a recording, one exported as Parquet, or a table of text that a logger wrote."""

import asyncio
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from freecad_camtwin.cli.outputs import reason
from freecad_camtwin.connectors import Connector, Options
from freecad_camtwin.connectors.table import Table
from freecad_camtwin.errors import InputError
from freecad_camtwin.store.export_parquet import import_parquet
from freecad_camtwin.store.run import read_run
from freecad_camtwin.twin.signals.columns import to_columns
from freecad_camtwin.twin.signals.discovery import propose_signals
from freecad_camtwin.twin.signals.observation import Observation
from freecad_camtwin.twin.signals.run import Run
from freecad_camtwin.twin.signals.signal_map import SignalMap

_SQLITE = b"SQLite format 3\x00"


def run_of(path: Path, signals: SignalMap | None = None) -> Run:
    """Read a run. InputError, one sentence, where it is missing, damaged, or nothing is known of its columns.

    ``signals``: what a table's columns mean; without it they are told by their names.
    """
    try:
        with path.open("rb") as file:
            is_recording = file.read(len(_SQLITE)) == _SQLITE
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason(error)}.") from error
    if is_recording:
        return read_run(path, signals)
    if path.suffix.lower() == ".parquet":
        return _parquet(path, signals)
    if path.suffix.lower() not in (".csv", ".tsv"):
        raise InputError(f"{path} is neither a recording of CAM Twin nor a table (.csv, .tsv, .parquet).")
    return _table(path, signals)


def _parquet(path: Path, signals: SignalMap | None) -> Run:
    """Read a recording that was exported as Parquet, by way of a recording that is thrown away."""
    with TemporaryDirectory(prefix="camtwin-") as folder:
        recording = Path(folder) / "run"
        import_parquet(path, recording)
        return replace(read_run(recording, signals), source=path.name)


def _table(path: Path, signals: SignalMap | None) -> Run:
    table = Table(path, Options())
    notes: tuple[str, ...] = ()
    if signals is None:
        proposal = propose_signals(asyncio.run(table.offered()), name=path.stem)
        signals, notes = proposal.signals, proposal.notes
        if not signals.signals:
            raise InputError(
                f"none of the columns of {path.name} is known by its name; say what they mean with --signals MAP.toml"
            )
    else:
        words = tuple(signal.item for signal in signals.signals if signal.quantity.unit is None)
        table = Table(path, Options(words=frozenset(words)))
    columns = to_columns(signals, asyncio.run(_all(table)))
    told = table.told
    return Run(
        columns=columns,
        source=path.name,
        simulated=told.simulated,
        received=told.received,
        dropped=dict(told.dropped),
        notes=notes,
    )


async def _all(source: Connector) -> list[Observation]:
    return [observation async for observation in source.observations()]
