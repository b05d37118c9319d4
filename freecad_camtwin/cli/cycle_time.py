# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin cycle-time``: the time of a job with acceleration, beside length over feed."""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np

from freecad_camtwin.cli.inputs import InputRequest, read_input
from freecad_camtwin.cli.options import FILE, Settings, common
from freecad_camtwin.cli.outputs import Outputs, check_target
from freecad_camtwin.cli.text import say, table
from freecad_camtwin.twin.base.words import clock


@click.command("cycle-time", short_help="Compute the time of a job with its controller's acceleration.")
@click.argument("source", metavar="INPUT", type=FILE)
@click.option("--machine", required=True, metavar="FILE", help="A TOML file or a name of 'camtwin machine list'.")
@click.option("--job", metavar="LABEL", help="Which job of a document (default: the only or first one).")
@click.option("--json", "json_file", type=FILE, metavar="F", help="Write the figures as JSON ('-': standard output).")
@common
@click.pass_obj
def cycle_time_command(
    settings: Settings, /, source: Path, machine: str, job: str | None, json_file: Path | None
) -> None:
    """Compute the time of INPUT on a machine: per operation, in total, and by kind of motion.

    INPUT is a FreeCAD document or a posted program. "length/feed" ignores acceleration; "FreeCAD" is the
    estimate that the document stores.
    """
    from freecad_camtwin.twin.shop.machine import read_machine

    runner = read_machine(machine)
    if json_file is not None:
        check_target(json_file, source)
    loaded = read_input(InputRequest(source, job=job), settings)
    from freecad_camtwin.twin.cycle_time.motion import check_travel, schedule

    check_travel(loaded.job.toolpath, runner)
    result = cycle_time_figures(loaded.job, schedule(loaded.job.toolpath, runner), runner)
    result["input"] = {"path": str(source), "sha256": loaded.sha256, "freecad_version": loaded.job.freecad_version}
    if json_file is not None:
        with Outputs() as outputs:
            outputs.write(json_file, (json.dumps(result, indent=1, ensure_ascii=False) + "\n").encode())
    if not settings.quiet and str(json_file) != "-":
        _print(result)


def cycle_time_figures(job: Any, timed: Any, runner: Any) -> dict[str, Any]:
    """Return the controller's time and length over feed [s], per operation and in total."""
    path = job.toolpath
    with np.errstate(divide="ignore", invalid="ignore"):
        at_feed = np.where(path.length == 0, 0.0, path.length / np.where(path.feed > 0, path.feed, np.nan))
    from freecad_camtwin.twin.cycle_time.schedule import durations

    spent = durations(timed)
    operations = []
    for index, operation in enumerate(job.operations):
        moves = path.operation == index
        cutting = moves & path.is_cutting
        operations.append(
            {
                "label": operation.label,
                "moves": int(moves.sum()),
                "cutting_length": round(float(path.length[cutting].sum()), 6),
                "rapid_length": round(float(path.length[moves & ~path.is_cutting].sum()), 6),
                "time": round(float(spent[moves].sum()), 6),
                "time_at_feed": _finite(at_feed[cutting].sum()),
                "freecad_time": operation.freecad_time,
            }
        )
    return {
        "schema": "camtwin.cycle-time/1",
        "input": {},
        "job": job.label,
        "machine": runner.name,
        "total": round(float(timed.total), 6),
        "breakdown": {name: round(float(seconds), 6) for name, seconds in timed.breakdown.items()},
        "time_at_feed": _finite(at_feed[path.is_cutting].sum()),
        "operations": operations,
        "warnings": [*job.warnings, *timed.warnings],
    }


def _finite(seconds: float) -> float | None:
    return round(float(seconds), 6) if np.isfinite(seconds) else None


def _print(result: dict[str, Any]) -> None:
    at_feed = result["time_at_feed"]
    say(f"{result['job']} takes {clock(result['total'])} on {result['machine']}.")
    if at_feed is None:
        say("length/feed is unknown, because some moves have no feed.")
    else:
        share = 100 * (at_feed / result["total"] - 1) if result["total"] > 0 else 0.0
        say(f"length/feed of the feed moves is {clock(at_feed)} ({share:+.1f} %).")
    spent = [(name, seconds) for name, seconds in result["breakdown"].items() if seconds > 0]
    say(
        "Time by kind of motion: "
        + ", ".join(f"{name.replace('_', ' ')} {clock(seconds)}" for name, seconds in spent)
        + "."
    )
    say()
    rows = [
        [
            each["label"],
            f"{each['moves']}",
            f"{each['cutting_length'] / 1000:.2f}",
            f"{each['rapid_length'] / 1000:.2f}",
            clock(each["time"]),
            "?" if each["time_at_feed"] is None else clock(each["time_at_feed"]),
            "?" if each["freecad_time"] is None else clock(each["freecad_time"]),
        ]
        for each in result["operations"]
    ]
    table(["operation", "moves", "m cutting", "m rapid", "time", "length/feed", "FreeCAD"], rows)
    for sentence in result["warnings"]:
        say(f"note: {sentence}")
