# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin export``: a recording for other tools: Parquet, PostgreSQL, InfluxDB."""

import os
from contextlib import closing
from pathlib import Path

import click

from freecad_camtwin.cli.options import FILE, Settings, common
from freecad_camtwin.cli.text import say
from freecad_camtwin.store.influx import FileSink, HttpSink, Sink, export_influx
from freecad_camtwin.store.reader import RecordingReader

#: Where the token of an InfluxDB server is looked for.
TOKEN = "CAMTWIN_TOKEN"


@click.command(short_help="Copy a recording to Parquet, PostgreSQL or InfluxDB.")
@click.argument("run", metavar="RUN", type=FILE)
@click.option(
    "--parquet", type=FILE, metavar="F.parquet", help="Write a Parquet file; words go into another beside it."
)
@click.option(
    "--postgres", metavar="ADDRESS", help="Copy into a database, such as postgresql://user@host/database (PGPASSWORD)."
)
@click.option(
    "--influx",
    metavar="F.lp|ADDRESS",
    help=f"Write line protocol into a file, or send it to http(s)://host:8086/api/v2/write?… ({TOKEN}).",
)
@common
@click.pass_obj
def export(settings: Settings, /, run: Path, parquet: Path | None, postgres: str | None, influx: str | None) -> None:
    """Copy the recording RUN to other tools; docs/store.md says what they get."""
    if parquet is None and postgres is None and influx is None:
        raise click.UsageError("name at least one of --parquet, --postgres and --influx")
    RecordingReader(run).close()  # what is no recording is told before anything is made
    done = []
    if parquet is not None:
        from freecad_camtwin.store.export_parquet import export_parquet

        done += [f"{path} written." for path in export_parquet(run, parquet)]
    if postgres is not None:
        from freecad_camtwin.store.postgres import export_postgres

        done.append(f"{export_postgres(run, postgres):,} rows copied into the database.")
    if influx is not None:
        with closing(_sink(influx)) as sink:
            done.append(f"{export_influx(run, sink):,} lines written.")
    for sentence in done if not settings.quiet else ():
        say(sentence)


def _sink(target: str) -> Sink:
    if target.startswith(("http://", "https://")):
        return HttpSink(target, os.environ.get(TOKEN))
    return FileSink(target)
