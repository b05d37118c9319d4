# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin optimize``: better feeds, written into a copy of the document or program and into nothing else."""

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
    """Where the results of one call go; None: not wanted."""

    output: Path
    plan: Path | None = None
    post: str | None = None
    gcode: Path | None = None
    html: Path | None = None

    def checked(self, request: InputRequest) -> "OptimizeTargets":
        """Refuse what cannot be written, before any work; UsageError where the words do not go together."""
        if not request.is_document and (self.post or self.gcode):
            raise click.UsageError("--post and --gcode are for documents; of a program, -o is the mended program.")
        if self.post is not None and self.gcode is None:
            raise click.UsageError("--post needs --gcode F, the file to post to.")
        check_targets((self.output, self.plan, self.gcode, self.html), request.source)
        return self


@click.command("optimize", short_help="Write better feeds into a document or a program.")
@input_options
@click.option("-o", "--output", required=True, type=FILE, metavar="OUT", help="The mended document or program.")
@click.option("--post", metavar="NAME", help="FreeCAD's post processor: linuxcnc, grbl … (default: the job's own).")
@click.option("--gcode", type=FILE, metavar="F", help="Also post the mended document to this file.")
@click.option("--plan", type=FILE, metavar="F.json", help="Write the feed plan as text.")
@click.option("--html", type=FILE, metavar="F", help="Write a report: before and after.")
@click.option(
    "--objective",
    type=click.Choice(OBJECTIVES),
    help="Hold to the limits, or to the load of the programmed feeds; auto: to limits that somebody stated. "
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
    **said: Any,
) -> None:
    """Plan the fastest feeds within all limits and write them into OUT; INPUT stays as it is.

    In a document the feeds lie over the operations as dressups, which 'camtwin clear' takes off again. A document that
    this FreeCAD cannot save without ruining it keeps its operations: then only its mended program is written.
    """
    request = InputRequest(**said)
    wanted = OptimizeTargets(output, plan, post, gcode, html).checked(request)
    checked(request.source)
    chosen = {"objective": objective, "air": air}
    with Outputs() as outputs:
        write = _document if request.is_document else _program
        result, notes = write(request, settings, wanted, chosen, outputs)
        if wanted.plan is not None:
            outputs.write(wanted.plan, result.plan.to_json().encode())
        if wanted.html is not None:
            from freecad_camtwin.report import page

            with working("Drawing", quiet=settings.quiet):
                outputs.write(wanted.html, page.report_html(result.before, result.after, result.plan).encode())
    if not settings.quiet:
        _print(result, notes)


def _program(
    request: InputRequest, settings: Settings, wanted: OptimizeTargets, chosen: dict[str, Any], outputs: Outputs
) -> "tuple[Mended, list[str]]":
    """Write the mended program; return what was planned, and sentences about what was written."""
    result = mended(request, settings, read_input(request, settings), **chosen)
    program, _ = result.program(request.source.read_bytes())
    outputs.write(wanted.output, program)
    return result, [f"{wanted.output}: the program with its new feeds."]


def _document(
    request: InputRequest, settings: Settings, wanted: OptimizeTargets, chosen: dict[str, Any], outputs: Outputs
) -> "tuple[Mended, list[str]]":
    """Write the mended document, its program, or both, by one FreeCAD, which posts the bare job while we plan."""
    with FreeCAD.find(settings.freecad).session() as freecad:
        found = read_input(request, settings, bare=True, freecad=freecad)
        words: dict[str, Any] = {"document": str(request.source.absolute()), "job": found.job.name}
        gcode = wanted.gcode
        if gcode is None and not found.job.can_be_saved:
            gcode = wanted.output.with_suffix(".ngc")
        posting = {"post": wanted.post or ("linuxcnc" if wanted.gcode is None else None)}
        bare = outputs.scratch("bare.ngc")
        posted = gcode and freecad.begin({**words, **posting, "action": "post", "bare": True, "gcode": str(bare)})
        result = mended(request, settings, found, **chosen)
        words["plan"] = str(outputs.scratch("plan.json", result.plan.to_json().encode()))
        if found.job.can_be_saved:
            words["output"] = str(outputs.place(wanted.output))
        if gcode is not None:
            words |= {**posting, "gcode": str(outputs.place(gcode))}
        with working("Writing the feeds in FreeCAD", quiet=settings.quiet):
            if posted:
                posted()
            answer = freecad.ask({**words, "action": "apply"})
    if found.job.can_be_saved and not answer.get("saved"):
        raise InputError(f"{request.source} could not be saved by FreeCAD: nothing was written.")
    notes = [_about_document(found.job, wanted.output)]
    if gcode is not None:
        notes += [f"{gcode}: the program with its new feeds.", *unproven(bare, Path(words["gcode"]))]
    return result, notes


def _about_document(job: Job, output: Path) -> str:
    if job.can_be_saved:
        return f"{output}: the document with its new feeds."
    return (
        f"{output} was not written: this FreeCAD would ruin the document by saving it. "
        f"{job.mends_with or 'the FreeCAD that wrote it'} can mend the document itself."
    )


def _saving(totals: Any) -> str:
    if totals.time_before is None or totals.time_after is None:
        return str(totals.sentence)
    saved = totals.time_before - totals.time_after
    how = "on the machine's clock" if totals.clock == "controller" else "by length over feed, without acceleration"
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
        say(f"  ! {bound} stretches stay above a limit, as the least feed holds there; the plan lists them.")
    for sentence in dict.fromkeys((*before.supplied, *feeds.warnings, *before.warnings)):
        say(f"note: {sentence}")
    for sentence in notes:
        say(sentence)
