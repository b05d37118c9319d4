# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin package``: write path, line map and predicted load of a job into one file for the machine side."""

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

#: At most this many warnings are printed; the package contains all of them.
_SHOWN = 10


@click.command("package", short_help="Bundle a job for its machine: path, line map, predicted load.")
@input_options
@click.option("-o", "--output", required=True, type=FILE, metavar="JOB.camtwin", help="The package.")
@click.option(
    "--program", type=FILE, metavar="POSTED", help="The program that the machine runs (default: DOC is posted)."
)
@click.option("--post", metavar="NAME", help="FreeCAD's post processor (default: the job's own).")
@click.option("--gcode", type=FILE, metavar="F", help="Also write the posted program: run this one.")
@click.option("--signals", type=FILE, metavar="MAP.toml", help="The machine's signal map.")
@click.pass_obj
def package_command(
    settings: Settings,
    /,
    output: Path,
    program: Path | None,
    post: str | None,
    gcode: Path | None,
    signals: Path | None,
    **params: Any,
) -> None:
    """Bundle INPUT with its posted program: path, map from lines to moves, predicted load of every step.

    'camtwin compare' compares a machine's run with the package, without FreeCAD. If INPUT is a document, its program
    is posted as by 'camtwin post', unless --program names it.
    """
    request = InputRequest(**params)
    _check(request, output, program, post, gcode, signals)
    from freecad_camtwin.twin.package.package import save_package
    from freecad_camtwin.twin.signals.signal_map import read_signals

    signal_map = read_signals(signals) if signals is not None else None
    with Outputs() as outputs:
        made, posted = pack_job(
            request, settings, outputs, program=program, post=post, must=gcode is not None, signals=signal_map
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
    """Raise UsageError if options contradict each other, OutputError if a file cannot be written, before any work."""
    if (post or gcode) and (program is not None or not request.is_document):
        raise click.UsageError("--post and --gcode need a document as INPUT, and cannot be used with --program.")
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
    """Analyze a job and match it with its program, which is posted here if the job is a document's.

    Returns the package, and the posted program or None; the file exists until ``outputs`` ends. ``must``: raise
    DocumentError if the job cannot be posted.
    """
    from freecad_camtwin.twin.package.package import make_package

    analysis, loaded = analyzed(request, settings)
    if not request.is_document:
        made = make_package(analysis, program, signals=signals)
        return (made if program is not None else replace(made, program_sha256=loaded.sha256)), None
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
    """Post the job to a file. If its own post processor fails: raise if ``must``, else return the reason."""
    bare = outputs.scratch("bare.ngc")
    words = {"action": "post", "document": str(request.source.absolute()), "job": job}
    try:
        with working("Posting in FreeCAD", quiet=settings.quiet):
            FreeCAD.find(settings.freecad).ask({**words, "post": post, "gcode": str(target), "gcode_bare": str(bare)})
    except DocumentError as error:
        if must or post is not None:
            raise
        return f"the program could not be posted, so the package has no line map: {error}"
    unproven(bare, target)  # if the program cannot be read, the package itself contains a warning
    return None


def _print(made: "Package", output: Path, gcode: Path | None) -> None:
    lines = made.lines
    say(f"{output}: the package of '{made.job.label}'.")
    if gcode is not None:
        say(f"{gcode}: the program of the package; run this one.")
    say(f"Path:     {made.toolpath_hash}")
    say(
        f"Program:  {made.program}, {lines.program.moves:,} moves; {100 * lines.matched:.1f} % of the cut is the job's."
    )
    say(
        f"Time:     {clock(float(made.time.sum()))} predicted"
        + ("." if made.machine else ", without a machine profile.")
    )
    for sentence in made.warnings[:_SHOWN]:
        say(f"note: {sentence}")
    if len(made.warnings) > _SHOWN:
        say(f"note: {len(made.warnings) - _SHOWN} more notes are in the package.")
