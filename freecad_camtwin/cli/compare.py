# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin compare``: a machine's run beside its prediction, as a table, a page and a picture."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from freecad_camtwin.cli.options import FILE, Settings, common
from freecad_camtwin.cli.outputs import Outputs, check_targets
from freecad_camtwin.cli.progress import working
from freecad_camtwin.cli.text import say, table
from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.base.words import clock, digits

if TYPE_CHECKING:
    from freecad_camtwin.twin.package.package import Package
    from freecad_camtwin.twin.runs.execution import Execution

COMPARISON_SCHEMA = "camtwin.comparison/1"


@click.command("compare", short_help="Compare a machine's run with its prediction.")
@click.argument("run", metavar="RUN", type=FILE)
@click.option("--job", required=True, type=FILE, metavar="JOB.camtwin", help="The package of the job that ran.")
@click.option(
    "--signals", type=FILE, metavar="MAP.toml", help="Meaning of the run's columns, if the run does not state it."
)
@click.option(
    "--part",
    type=click.IntRange(min=1),
    metavar="N",
    help="Which execution, if the run has several (default: the one that covers most of the path).",
)
@click.option("--html", type=FILE, metavar="F", help="Write the comparison, a self-contained HTML file.")
@click.option("--png", type=FILE, metavar="F", help="Write the toolpath colored by measured / predicted load.")
@click.option("--json", "json_file", type=FILE, metavar="F", help="Write the figures as JSON ('-': standard output).")
@common
@click.pass_obj
def compare_command(
    settings: Settings,
    /,
    run: Path,
    job: Path,
    signals: Path | None,
    part: int | None,
    html: Path | None,
    png: Path | None,
    json_file: Path | None,
) -> None:
    """Place a RUN on the path of its job, and compare measured with predicted load and time, move by move.

    RUN is a recording, or a table with a time column (.csv, .tsv). The run of another path is refused.
    """
    check_targets((html, png, json_file), run, job, *([signals] if signals is not None else []))
    package, executions = executions_of(run, job, signals, settings)
    chosen = choose_execution(executions, part)
    with Outputs() as outputs:
        if json_file is not None:
            outputs.write(json_file, _json(executions).encode())
        if html is not None or png is not None:
            with working("Drawing", quiet=settings.quiet):
                _draw(package, chosen, executions, html, png, outputs)
    if not settings.quiet and str(json_file) != "-":
        print_execution(chosen)


def executions_of(
    run: Path, job: Path, signals: Path | None, settings: Settings
) -> "tuple[Package, tuple[Execution, ...]]":
    """Read a run and its package, and place the run on the package's path."""
    with working("Reading the run", quiet=settings.quiet):
        from freecad_camtwin.cli.runs import run_of
        from freecad_camtwin.twin.package.package import load_package
        from freecad_camtwin.twin.runs.execution import make_executions
        from freecad_camtwin.twin.signals.signal_map import read_signals

        package = load_package(job)
        recorded = run_of(run, read_signals(signals) if signals is not None else package.signals)
    with working("Placing the run on the path", quiet=settings.quiet):
        return package, make_executions(package, recorded)


def choose_execution(executions: "tuple[Execution, ...]", part: int | None) -> "Execution":
    """Return the execution with number ``part``, else the one that covers most of the path."""
    from freecad_camtwin.twin.runs.execution import best

    if part is None:
        return best(executions)
    if part > len(executions):
        raise InputError(f"{executions[0].about.source} holds {len(executions)} execution(s); there is no part {part}")
    return executions[part - 1]


def _draw(
    package: "Package",
    chosen: "Execution",
    executions: "tuple[Execution, ...]",
    html: Path | None,
    png: Path | None,
    outputs: Outputs,
) -> None:
    from freecad_camtwin.report import comparison
    from freecad_camtwin.twin.runs.along_path import compare_load

    shown = compare_load(package, chosen)
    if html is not None:
        others = tuple(each for each in executions if each is not chosen)
        outputs.write(html, comparison.comparison_html(shown, others).encode())
    if png is not None:
        outputs.write(png, comparison.comparison_png(shown))


def _json(executions: "tuple[Execution, ...]") -> str:
    from msgspec import to_builtins

    rows = [
        {name: to_builtins(getattr(each, name)) for name in ("about", "figures", "operations", "quality", "notes")}
        for each in executions
    ]
    return (
        json.dumps({"schema": COMPARISON_SCHEMA, "executions": rows}, indent=1, ensure_ascii=False, allow_nan=False)
        + "\n"
    )


def print_execution(execution: "Execution") -> None:
    """Print the time and load of a run, and a row per operation."""
    about, figures, quality = execution.about, execution.figures, execution.quality
    of = f" (part {about.part} of {about.parts})" if about.parts > 1 else ""
    simulated = "; these data are simulated" if about.simulated else ""
    say(f"Run:    {about.source}{of} of '{about.job}'{simulated}.")
    unseen = figures.cycle_time - figures.seen_time
    seen = f", of which {clock(unseen)} have no data" if unseen >= 0.05 else ""
    predicted = f"; {clock(figures.predicted_time)} predicted for the part with data" if figures.predicted_time else ""
    say(f"Time:   {clock(figures.cycle_time)} measured{seen}{predicted}.")
    say(f"Load:   {_load(execution)}")
    say(f"Data:   {100 * quality.seen:.1f} % of the feed moves' path has data, placed by {quality.method}.")
    say(
        f"        Lag {1000 * quality.lag:.1f} ms, delay {1000 * quality.delay:.1f} ms; {quality.gaps} "
        f"{'gap' if quality.gaps == 1 else 'gaps'}{f' of {clock(quality.gap_time)}' if quality.gaps else ''}."
    )
    say()
    name = execution.load
    unit = figures.loads[name].unit if name is not None else ""
    heads = ["operation", "seen", "time", "predicted", "feed", f"mean {unit}", "predicted", "ratio", "of seconds"]
    rows = []
    for each in (figures for figures in execution.operations if figures.length > 0):
        load = each.loads[name] if name is not None else None
        spread = load is not None and load.ratio_low is not None and load.ratio_high is not None
        rows.append(
            [
                each.label,
                f"{100 * each.seen:.1f} %",
                clock(each.seen_time),
                "?" if each.predicted_time is None else clock(each.predicted_time),
                _percent(each.feed_reached),
                "?" if load is None or load.mean is None else digits(load.mean),
                "?" if load is None or load.predicted is None else digits(load.predicted),
                _percent(load.ratio if load is not None else None),
                f"{_percent(load.ratio_low)} … {_percent(load.ratio_high)}" if load is not None and spread else "?",
            ]
        )
    table(heads, rows)
    for sentence in execution.notes:
        say(f"note: {sentence}")


def _load(execution: "Execution") -> str:
    name = execution.load
    if name is None:
        return "the run contains none."
    load = execution.figures.loads[name]
    if load.mean is None:
        return f"{name} was not measured during the cut."
    if load.ratio is None:
        return f"{name} {digits(load.mean)} {load.unit} in the mean of the cut; there is no prediction for it."
    return f"{name} {digits(load.mean)} {load.unit} in the mean of the cut, {100 * load.ratio:.0f} % of the predicted."


def _percent(share: float | None) -> str:
    return "?" if share is None else f"{100 * share:.0f} %"
