# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin export``: copy a recording to Parquet, PostgreSQL or InfluxDB."""

import os
import shutil
import sys
from contextlib import closing
from pathlib import Path

import click

from freecad_camtwin.cli.options import FILE, Settings, common
from freecad_camtwin.cli.outputs import STANDARD_OUTPUT, Outputs, check_targets
from freecad_camtwin.cli.text import say
from freecad_camtwin.store.export_parquet import events_path, export_parquet
from freecad_camtwin.store.influx import FileSink, HttpSink, export_influx
from freecad_camtwin.store.reader import RecordingReader

#: The environment variable that holds the token of an InfluxDB server.
TOKEN = "CAMTWIN_TOKEN"


@click.command("export", short_help="Copy a recording to Parquet, PostgreSQL or InfluxDB.")
@click.argument("run", metavar="RUN", type=FILE)
@click.option(
    "--parquet", type=FILE, metavar="F.parquet", help="Write a Parquet file; events go into a second file beside it."
)
@click.option(
    "--postgres", metavar="ADDRESS", help="Copy into a database, such as postgresql://user@host/database (PGPASSWORD)."
)
@click.option(
    "--influx",
    metavar="F.lp|ADDRESS",
    help="Write line protocol into a file ('-': standard output), "
    f"or send it to http(s)://host:8086/api/v2/write?… ({TOKEN}).",
)
@common
@click.pass_obj
def export_command(
    settings: Settings, /, run: Path, parquet: Path | None, postgres: str | None, influx: str | None
) -> None:
    """Copy the recording RUN to other tools; docs/store.md lists the columns."""
    if parquet is None and postgres is None and influx is None:
        raise click.UsageError("name at least one of --parquet, --postgres and --influx")
    RecordingReader(run).close()  # refuses a file that is not a recording before any result is begun
    _check(run, parquet, influx)
    done = []
    with Outputs() as outputs:
        if parquet is not None:
            done += [f"{path} written." for path in export_parquet(run, parquet, outputs.placing)]
        if postgres is not None:
            from freecad_camtwin.store.postgres import export_postgres

            done.append(f"{export_postgres(run, postgres):,} rows copied into the database.")
        if influx is not None:
            done.append(f"{_influx(run, influx, outputs):,} lines written.")
    for sentence in done if not settings.quiet and influx != STANDARD_OUTPUT else ():
        say(sentence)


def _check(run: Path, parquet: Path | None, influx: str | None) -> None:
    """Raise OutputError or UsageError if a result cannot be written, before any work."""
    targets = [Path(influx)] if influx is not None and not _is_address(influx) else []
    if parquet is not None:
        if str(parquet) == STANDARD_OUTPUT:
            raise click.UsageError("Parquet cannot go to standard output; name a file.")
        targets += [parquet, events_path(parquet)]
    check_targets(targets, *(run.with_name(run.name + ending) for ending in ("", "-wal", "-shm")))


def _is_address(target: str) -> bool:
    return target.startswith(("http://", "https://"))


def _influx(run: Path, target: str, outputs: Outputs) -> int:
    if _is_address(target):
        return export_influx(run, HttpSink(target, os.environ.get(TOKEN)))
    if target != STANDARD_OUTPUT:
        with outputs.placing(Path(target)) as part, closing(FileSink(part, target)) as sink:
            return export_influx(run, sink)
    lines = outputs.scratch("run.lp")
    with closing(FileSink(lines)) as sink:
        sent = export_influx(run, sink)
    with lines.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()
    return sent
