# SPDX-License-Identifier: LGPL-2.1-or-later
"""Read the run that a call names: a recording, a recording exported as Parquet, or a table (.csv, .tsv)."""

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
    """Read a run. Raise InputError if it is missing, damaged, or no column of it is recognized.

    ``signals``: the meaning of a table's columns; without it they are recognized by their names.
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
    """Read a recording that was exported as Parquet: convert it to a temporary recording and read that."""
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
                f"no column of {path.name} is recognized by its name; state their meaning with --signals MAP.toml"
            )
    else:
        words = tuple(signal.item for signal in signals.signals if signal.quantity.unit is None)
        table = Table(path, Options(words=frozenset(words)))
    columns = to_columns(signals, asyncio.run(_all(table)))
    report = table.told
    return Run(
        columns=columns,
        source=path.name,
        simulated=report.simulated,
        received=report.received,
        dropped=dict(report.dropped),
        notes=notes,
    )


async def _all(source: Connector) -> list[Observation]:
    return [observation async for observation in source.observations()]
