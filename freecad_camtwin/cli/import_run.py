# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin import``: what a machine did, kept with the document that it made."""

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import click

from freecad_camtwin.cli.compare import choose_execution, print_execution
from freecad_camtwin.cli.freecad import FreeCAD
from freecad_camtwin.cli.inputs import InputRequest, checked
from freecad_camtwin.cli.options import FILE, Settings, common
from freecad_camtwin.cli.outputs import Outputs, check_target
from freecad_camtwin.cli.package import pack_job
from freecad_camtwin.cli.progress import working
from freecad_camtwin.cli.text import say
from freecad_camtwin.errors import InputError

if TYPE_CHECKING:
    from freecad_camtwin.twin.package.package import Package
    from freecad_camtwin.twin.runs.execution import Execution


@click.command("import", short_help="Keep a machine's run in the document.")
@click.argument("run", metavar="RUN", type=FILE)
@click.argument("source", metavar="DOC", type=FILE)
@click.option("-o", "--output", required=True, type=FILE, metavar="OUT.FCStd", help="The document with the run.")
@click.option("--job", type=FILE, metavar="JOB.camtwin", help="The package that the run is held against.")
@click.option("--label", metavar="LABEL", help="Which job of DOC (default: the package's, else the only or first one).")
@click.option(
    "--program", type=FILE, metavar="POSTED", help="Without --job: the program that ran (else DOC is posted)."
)
@click.option("--material", metavar="M", help="Without --job: what was cut (default: what the twin says).")
@click.option("--machine", metavar="FILE", help="Without --job: the machine's profile (default: what the twin says).")
@click.option("--signals", type=FILE, metavar="MAP.toml", help="What the run's columns mean, where it does not say.")
@click.option("--part", type=click.IntRange(min=1), metavar="N", help="Which execution of several (default: all).")
@common
@click.pass_obj
def import_command(
    settings: Settings,
    /,
    run: Path,
    source: Path,
    output: Path,
    job: Path | None,
    label: str | None,
    program: Path | None,
    material: str | None,
    machine: str | None,
    signals: Path | None,
    part: int | None,
) -> None:
    """Write a copy of DOC whose twin keeps a RUN: figures in the tree, those of every move in OUT.camtwin beside it.

    A run along another path than the document's is refused. Nothing else in the document changes.
    """
    if job is not None and (program or material or machine):
        raise click.UsageError(
            "--program, --material and --machine are for a run without --job; the package says them."
        )
    checked(source)
    request = InputRequest(source, job=label, material=material, machine=machine)
    if not request.is_document:
        raise InputError(f"{source} is no FreeCAD document.")
    check_target(output, source, run, *(each for each in (job, program, signals) if each is not None))
    with Outputs() as outputs:
        package = _package(request, settings, outputs, job, program)
        executions = _executions(package, run, signals, settings)
        if part is not None:
            executions = (choose_execution(executions, part),)
        name = label or package.job.name
        _write(executions, settings, source, output, name, outputs)
    if not settings.quiet:
        for each in executions:
            print_execution(each)
            say()
        from freecad_camtwin.twin.runs.file import folder_of

        say(f"{output}: the document with its run. Its figures lie in {folder_of(output)}.")


def _package(
    request: InputRequest, settings: Settings, outputs: Outputs, job: Path | None, program: Path | None
) -> "Package":
    from freecad_camtwin.twin.package.package import load_package

    return load_package(job) if job is not None else pack_job(request, settings, outputs, program=program)[0]


def _executions(package: "Package", run: Path, signals: Path | None, settings: Settings) -> "tuple[Execution, ...]":
    from freecad_camtwin.cli.runs import run_of
    from freecad_camtwin.twin.runs.execution import make_executions
    from freecad_camtwin.twin.signals.signal_map import read_signals

    told = run_of(run, read_signals(signals) if signals is not None else package.signals)
    with working("Placing the run on the path", quiet=settings.quiet):
        return make_executions(package, told)


def _write(
    executions: "tuple[Execution, ...]",
    settings: Settings,
    source: Path,
    output: Path,
    job: str | None,
    outputs: Outputs,
) -> None:
    """Let FreeCAD put the executions into a copy of the document, and write their figures beside it."""
    from freecad_camtwin.twin.runs.file import folder_of, written
    from freecad_camtwin.twin.runs.summary import execution_properties

    folder = folder_of(output)
    files: dict[Path, bytes] = {}
    told: list[dict[str, Any]] = []
    for each in executions:
        content, sha256 = written(each)
        files |= {folder / name: data for name, data in content.items()}
        name = f"{folder.name}/{next(reversed(content))}"
        told.append({**execution_properties(each), "Sidecar": name, "SidecarHash": sha256})
    whole = outputs.scratch(output.name)
    words = {"action": "import", "document": str(source.absolute()), "job": job, "executions": told}
    with working("Writing the run in FreeCAD", quiet=settings.quiet):
        said = FreeCAD.find(settings.freecad).ask({**words, "output": str(whole)})
    for name in said["sidecars"]:
        files |= _earlier(source, output, name)
    for place in sorted({path.parent for path in files}):
        outputs.folder(place)
    for path, data in files.items():
        outputs.write(path, data)
    outputs.write(output, whole.read_bytes())


def _earlier(source: Path, output: Path, name: str) -> dict[Path, bytes]:
    """Return the files of an execution that the document kept before, where its copy goes to another folder."""
    from freecad_camtwin.twin.runs.file import members

    named = PurePosixPath(name)
    if source.parent.resolve() == output.parent.resolve() or len(named.parts) != 2 or ".." in named.parts:
        return {}
    try:
        kept = members(source.parent / named)
    except InputError:  # what is missing is missing in the copy too, and told where it is looked for
        return {}
    return {(output.parent / named).with_name(each): content for each, content in kept.items()}
