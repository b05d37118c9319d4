# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin package``: all that a machine's side needs to know of a job, in one file."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from freecad_camtwin.cli.freecad import FreeCAD
from freecad_camtwin.cli.inputs import InputRequest, analyzed
from freecad_camtwin.cli.options import FILE, Settings, input_options
from freecad_camtwin.cli.outputs import Outputs, check_targets
from freecad_camtwin.cli.posting import unproven
from freecad_camtwin.cli.progress import working
from freecad_camtwin.cli.text import say
from freecad_camtwin.errors import DocumentError
from freecad_camtwin.twin.base.words import clock

if TYPE_CHECKING:
    from freecad_camtwin.twin.package.package import Package
    from freecad_camtwin.twin.signals.signal_map import SignalMap

#: So many sentences about what could not be matched are printed; the package holds all.
_SHOWN = 10


@click.command("package", short_help="Bundle a job for its machine: path, line map, predicted load.")
@input_options
@click.option("-o", "--output", required=True, type=FILE, metavar="JOB.camtwin", help="The package.")
@click.option("--program", type=FILE, metavar="POSTED", help="The program that the machine runs (else DOC is posted).")
@click.option("--post", metavar="NAME", help="FreeCAD's post processor for that (default: the job's own).")
@click.option("--gcode", type=FILE, metavar="F", help="Also write the program that was posted.")
@click.option("--signals", type=FILE, metavar="MAP.toml", help="What the machine's signals mean.")
@click.pass_obj
def package_command(
    settings: Settings,
    /,
    output: Path,
    program: Path | None,
    post: str | None,
    gcode: Path | None,
    signals: Path | None,
    **said: Any,
) -> None:
    """Bundle INPUT with the program posted from it: its path, which line makes which move, the load of every step.

    A machine's run is compared with the package, and needs no FreeCAD for that. Of a document the program is posted as
    'camtwin post' does, unless --program names it.
    """
    request = InputRequest(**said)
    _check(request, output, program, post, gcode, signals)
    from freecad_camtwin.twin.package.package import save_package
    from freecad_camtwin.twin.signals.signal_map import read_signals

    meanings = read_signals(signals) if signals is not None else None
    with Outputs() as outputs:
        made, posted = pack_job(
            request, settings, outputs, program=program, post=post, must=gcode is not None, signals=meanings
        )
        if gcode is not None and posted is not None:
            made = replace(made, program=gcode.name)
            outputs.write(gcode, posted.read_bytes())
        whole = outputs.scratch(f"{output.name}.whole")
        save_package(made, whole)
        outputs.write(output, whole.read_bytes())
    if not settings.quiet:
        _print(made, output, gcode)


def _check(
    request: InputRequest,
    output: Path,
    program: Path | None,
    post: str | None,
    gcode: Path | None,
    signals: Path | None,
) -> None:
    """Refuse what does not go together, and what cannot be written, before any work."""
    if (post or gcode) and (program is not None or not request.is_document):
        raise click.UsageError("--post and --gcode are for documents that are posted here, without --program.")
    check_targets((output, gcode), *(each for each in (request.source, program, signals) if each is not None))


def pack_job(
    request: InputRequest,
    settings: Settings,
    outputs: Outputs,
    *,
    program: Path | None,
    post: str | None = None,
    must: bool = False,
    signals: "SignalMap | None" = None,
) -> "tuple[Package, Path | None]":
    """Analyze a job and join it with the program that runs it, which is posted here if it is a document's.

    Returns the package, and the program where it was posted: a file for the time of ``outputs``. ``must``: fail where
    it cannot be posted.
    """
    from freecad_camtwin.twin.package.package import make_package

    analysis, found = analyzed(request, settings)
    if not request.is_document:
        made = make_package(analysis, program, signals=signals)
        return (made if program is not None else replace(made, program_sha256=found.sha256)), None
    if program is not None:
        return make_package(analysis, program, signals=signals), None
    posted = outputs.scratch(f"{request.source.stem}.ngc")
    note = _post(request, settings, outputs, analysis.job.name, post, posted, must=must)
    if note is None:
        return make_package(analysis, posted, signals=signals), posted
    made = make_package(analysis, signals=signals)
    return replace(made, warnings=(*made.warnings, note)), None


def _post(
    request: InputRequest,
    settings: Settings,
    outputs: Outputs,
    job: str | None,
    post: str | None,
    target: Path,
    *,
    must: bool,
) -> str | None:
    """Post the job to a file; where its own post processor cannot and nobody insists, return why in a sentence."""
    bare = outputs.scratch("bare.ngc")
    words = {"action": "post", "document": str(request.source.absolute()), "job": job}
    try:
        with working("Posting in FreeCAD", quiet=settings.quiet):
            FreeCAD.find(settings.freecad).ask({**words, "post": post, "gcode": str(target), "gcode_bare": str(bare)})
    except DocumentError as error:
        if must or post is not None:
            raise
        return f"its program could not be posted, so no line of it is known: {error}"
    unproven(bare, target)  # where the program cannot be read, the package says so itself
    return None


def _print(made: "Package", output: Path, gcode: Path | None) -> None:
    lines = made.lines
    say(f"{output}: the package of '{made.job.label}'.")
    if gcode is not None:
        say(f"{gcode}: the program that it speaks of; run this one.")
    say(f"Path:     {made.toolpath_hash}")
    say(
        f"Program:  {made.program}, {lines.program.moves:,} moves; {100 * lines.matched:.1f} % of its cut is the job's."
    )
    say(
        f"Time:     {clock(float(made.time.sum()))} predicted"
        + ("." if made.machine else ", without a machine profile.")
    )
    for sentence in made.warnings[:_SHOWN]:
        say(f"note: {sentence}")
    if len(made.warnings) > _SHOWN:
        say(f"note: {len(made.warnings) - _SHOWN} more notes are in the package.")
