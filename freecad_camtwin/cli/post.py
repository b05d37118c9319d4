# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin attach``, ``post`` and ``clear``: commands for documents that need no simulation."""

from pathlib import Path
from typing import Any

import click

from freecad_camtwin.cli.freecad import FreeCAD
from freecad_camtwin.cli.inputs import checked, is_document
from freecad_camtwin.cli.options import FILE, Settings, common
from freecad_camtwin.cli.outputs import STANDARD_OUTPUT, Outputs, check_target
from freecad_camtwin.cli.posting import unproven
from freecad_camtwin.cli.progress import working
from freecad_camtwin.cli.text import say
from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.feeds.plan import OBJECTIVES

_DOCUMENT = click.argument("source", metavar="DOC", type=FILE)
_JOB = click.option("--job", metavar="LABEL", help="Which job (default: the only or first one).")
_OUTPUT = click.option("-o", "--output", required=True, type=FILE, metavar="OUT.FCStd", help="The changed copy.")


@click.command("post", short_help="Post a job as it is stored.")
@_DOCUMENT
@click.option("-o", "--output", required=True, type=FILE, metavar="F", help="The program ('-': standard output).")
@click.option("--post", "name", metavar="NAME", help="FreeCAD's post processor (default: the job's own).")
@_JOB
@common
@click.pass_obj
def post_command(settings: Settings, /, source: Path, output: Path, name: str | None, job: str | None) -> None:
    """Post a job of DOC with FreeCAD's own post processor, from its stored paths and with its planned feeds."""
    _check(source, output)
    with Outputs() as outputs:
        target = outputs.scratch("program.ngc") if str(output) == STANDARD_OUTPUT else outputs.place(output)
        bare = outputs.scratch("bare.ngc")
        words = {"action": "post", "post": name, "gcode": str(target), "gcode_bare": str(bare)}
        _ask(settings, source, job, "Posting", **words)
        notes = unproven(bare, target)
        if str(output) == STANDARD_OUTPUT:
            outputs.write(output, target.read_bytes())
    if not settings.quiet and str(output) != STANDARD_OUTPUT:
        say(f"{output}: the program.")
        for sentence in notes:
            say(f"note: {sentence}")


@click.command("clear", short_help="Remove the planned feeds from a document.")
@_DOCUMENT
@_OUTPUT
@click.option("--keep-twin", is_flag=True, help="Keep the twin's settings (material, machine) on the job.")
@_JOB
@common
@click.pass_obj
def clear_command(settings: Settings, /, source: Path, output: Path, keep_twin: bool, job: str | None) -> None:
    """Write a copy of DOC without planned feeds and, unless --keep-twin, without the twin."""
    _check(source, output)
    with Outputs() as outputs:
        words = {"action": "clear", "output": str(outputs.place(output)), "keep_twin": keep_twin}
        answer = _ask(settings, source, job, "Clearing", **words)
    if not settings.quiet:
        count = answer["removed"]
        say(f"{output}: the document; feeds removed from {count} {'operation' if count == 1 else 'operations'}.")


@click.command("attach", short_help="Store material and machine with a job.")
@_DOCUMENT
@_OUTPUT
@click.option("--material", metavar="M", help="Workpiece material; see 'camtwin materials'.")
@click.option("--machine", metavar="FILE", help="Machine profile: a TOML file or a name of 'camtwin machine list'.")
@click.option("--objective", type=click.Choice(OBJECTIVES), help="Objective of the job's feed plans; see 'optimize'.")
@_JOB
@common
@click.pass_obj
def attach_command(
    settings: Settings,
    /,
    source: Path,
    output: Path,
    material: str | None,
    machine: str | None,
    objective: str | None,
    job: str | None,
) -> None:
    """Write a copy of DOC whose job has a twin: later commands use its material, machine and objective."""
    from freecad_camtwin.twin.shop.machine import read_machine
    from freecad_camtwin.twin.shop.material import find_material

    _check(source, output)
    key = find_material(material).key if material else None
    if machine:
        read_machine(machine)
    with Outputs() as outputs:
        words = {"action": "attach", "output": str(outputs.place(output)), "material": key, "machine": machine}
        words["objective"] = objective
        _ask(settings, source, job, "Attaching the twin", **words)
    if not settings.quiet:
        say(f"{output}: the document with its twin.")


def _check(source: Path, output: Path) -> None:
    checked(source)
    if not is_document(source):
        raise InputError(f"{source} is not a FreeCAD document.")
    check_target(output, source)


def _ask(settings: Settings, source: Path, job: str | None, what: str, **words: Any) -> dict[str, Any]:
    with working(f"{what} in FreeCAD", quiet=settings.quiet):
        return FreeCAD.find(settings.freecad).ask({"document": str(source.absolute()), "job": job, **words})
