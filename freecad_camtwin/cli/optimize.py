# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin optimize``: plan faster feeds and write them into a copy of the document or program."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freecad_camtwin.cli.freecad import FreeCAD
from freecad_camtwin.cli.inputs import InputRequest, checked, mended, read_input
from freecad_camtwin.cli.options import FILE, Settings, input_options
from freecad_camtwin.cli.outputs import Outputs, check_targets
from freecad_camtwin.cli.posting import unproven
from freecad_camtwin.cli.progress import working
from freecad_camtwin.cli.text import say
from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.base.words import clock
from freecad_camtwin.twin.feeds.plan import OBJECTIVES
from freecad_camtwin.twin.job.job import Job

if TYPE_CHECKING:
    from freecad_camtwin.twin.feeds.mend import Mended


@dataclass(frozen=True)
class OptimizeTargets:
    """The files of the results of one call; None: not requested."""

    output: Path
    plan: Path | None = None
    post: str | None = None
    gcode: Path | None = None
    html: Path | None = None

    def checked(self, request: InputRequest) -> "OptimizeTargets":
        """Raise OutputError if a file cannot be written, UsageError if options contradict each other; return self."""
        if not request.is_document and (self.post or self.gcode):
            raise click.UsageError(
                "--post and --gcode are for documents only; for a program, -o is the program with the new feeds."
            )
        if self.post is not None and self.gcode is None:
            raise click.UsageError("--post needs --gcode F, the file to post to.")
        check_targets((self.output, self.plan, self.gcode, self.html), request.source)
        return self


@click.command("optimize", short_help="Write faster feeds into a copy of a document or a program.")
@input_options
@click.option(
    "-o", "--output", required=True, type=FILE, metavar="OUT", help="The document or program with the new feeds."
)
@click.option("--post", metavar="NAME", help="FreeCAD's post processor: linuxcnc, grbl … (default: the job's own).")
@click.option("--gcode", type=FILE, metavar="F", help="Also post the document with the new feeds to this file.")
@click.option("--plan", type=FILE, metavar="F.json", help="Write the feed plan as JSON.")
@click.option("--html", type=FILE, metavar="F", help="Write a report: before and after.")
@click.option(
    "--objective",
    type=click.Choice(OBJECTIVES),
    help="limits: stay within all known limits. programmed: stay within the load of the programmed feeds. "
    "auto: limits if a limit of the load is stated, else programmed. "
    "Default: the objective of the job's twin, else auto.",
)
@click.option("--air", is_flag=True, help="Also speed up feed moves through air.")
@click.pass_obj
def optimize_command(
    settings: Settings,
    /,
    output: Path,
    post: str | None,
    gcode: Path | None,
    plan: Path | None,
    html: Path | None,
    objective: str | None,
    air: bool,
    **params: Any,
) -> None:
    """Plan the fastest feeds within all limits and write them into OUT; INPUT is not changed.

    In a document each operation gets a dressup with the new feeds; 'camtwin clear' removes the dressups. If this
    FreeCAD would damage the document by saving it, only the program with the new feeds is written.
    """
    request = InputRequest(**params)
    targets = OptimizeTargets(output, plan, post, gcode, html).checked(request)
    checked(request.source)
    chosen = {"objective": objective, "air": air}
    with Outputs() as outputs:
        write = _document if request.is_document else _program
        result, notes = write(request, settings, targets, chosen, outputs)
        if targets.plan is not None:
            outputs.write(targets.plan, result.plan.to_json().encode())
        if targets.html is not None:
            from freecad_camtwin.report import page

            with working("Drawing", quiet=settings.quiet):
                outputs.write(targets.html, page.report_html(result.before, result.after, result.plan).encode())
    if not settings.quiet:
        _print(result, notes)


def _program(
    request: InputRequest, settings: Settings, targets: OptimizeTargets, chosen: dict[str, Any], outputs: Outputs
) -> "tuple[Mended, list[str]]":
    """Write the program with the new feeds; return the planned feeds, and sentences about the written files."""
    result = mended(request, settings, read_input(request, settings), **chosen)
    program, _ = result.program(request.source.read_bytes())
    outputs.write(targets.output, program)
    return result, [f"{targets.output}: the program with its new feeds."]


def _document(
    request: InputRequest, settings: Settings, targets: OptimizeTargets, chosen: dict[str, Any], outputs: Outputs
) -> "tuple[Mended, list[str]]":
    """Write the document with the new feeds, its program, or both; one FreeCAD posts the bare job during planning."""
    with FreeCAD.find(settings.freecad).session() as freecad:
        loaded = read_input(request, settings, bare=True, freecad=freecad)
        words: dict[str, Any] = {"document": str(request.source.absolute()), "job": loaded.job.name}
        gcode = targets.gcode
        if gcode is None and not loaded.job.can_be_saved:
            gcode = targets.output.with_suffix(".ngc")
        posting = {"post": targets.post or ("linuxcnc" if targets.gcode is None else None)}
        bare = outputs.scratch("bare.ngc")
        posted = gcode and freecad.begin({**words, **posting, "action": "post", "bare": True, "gcode": str(bare)})
        result = mended(request, settings, loaded, **chosen)
        words["plan"] = str(outputs.scratch("plan.json", result.plan.to_json().encode()))
        if loaded.job.can_be_saved:
            words["output"] = str(outputs.place(targets.output))
        if gcode is not None:
            words |= {**posting, "gcode": str(outputs.place(gcode))}
        with working("Writing the feeds in FreeCAD", quiet=settings.quiet):
            if posted:
                posted()
            answer = freecad.ask({**words, "action": "apply"})
    if loaded.job.can_be_saved and not answer.get("saved"):
        raise InputError(f"FreeCAD could not save {request.source}; no file was written.")
    notes = [_about_document(loaded.job, targets.output)]
    if gcode is not None:
        notes += [f"{gcode}: the program with its new feeds.", *unproven(bare, Path(words["gcode"]))]
    return result, notes


def _about_document(job: Job, output: Path) -> str:
    if job.can_be_saved:
        return f"{output}: the document with its new feeds."
    return (
        f"{output} was not written, because this FreeCAD would damage the document by saving it. "
        f"To write the feeds into the document, use {job.mends_with or 'the FreeCAD that wrote it'}."
    )


def _saving(totals: Any) -> str:
    if totals.time_before is None or totals.time_after is None:
        return str(totals.sentence)
    saved = totals.time_before - totals.time_after
    how = (
        "with the machine's acceleration"
        if totals.clock == "controller"
        else "by length over feed, without acceleration"
    )
    change = f"{clock(abs(saved))} {'saved' if saved >= 0 else 'added'}"
    return f"{clock(totals.time_before)} before, {clock(totals.time_after)} after: {change}, {how}."


def _print(result: "Mended", notes: list[str]) -> None:
    from freecad_camtwin.cli.summary import worst_load

    before, after, feeds = result.before, result.after, result.plan
    say(f"Plan:   {feeds.sentence}")
    touched = sum(bool(operation.changes) for operation in feeds.operations)
    say(f"Feeds:  {feeds.changes} stretches changed in {touched} of {len(feeds.operations)} operation(s).")
    say(f"Time:   {_saving(feeds.totals)}")
    say(f"Load:   before {worst_load(before)}; after {worst_load(after)}.")
    bound = sum(len(operation.bindings) for operation in feeds.operations)
    if bound:
        say(f"  ! {bound} stretches stay above a limit, because the least feed is reached there; the plan lists them.")
    for sentence in dict.fromkeys((*before.supplied, *feeds.warnings, *before.warnings)):
        say(f"note: {sentence}")
    for sentence in notes:
        say(sentence)
