# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin import``: store a machine's run in a copy of the document whose job it ran."""

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


@click.command("import", short_help="Store a machine's run in a document.")
@click.argument("run", metavar="RUN", type=FILE)
@click.argument("source", metavar="DOC", type=FILE)
@click.option("-o", "--output", required=True, type=FILE, metavar="OUT.FCStd", help="The copy of DOC with the run.")
@click.option("--job", type=FILE, metavar="JOB.camtwin", help="The package that the run is compared with.")
@click.option("--label", metavar="LABEL", help="Which job of DOC (default: the package's job, else the first one).")
@click.option(
    "--program", type=FILE, metavar="POSTED", help="Without --job: the program that ran (default: DOC is posted)."
)
@click.option("--material", metavar="M", help="Without --job: the material (default: the twin's material).")
@click.option("--machine", metavar="FILE", help="Without --job: the machine's profile (default: the twin's machine).")
@click.option(
    "--signals", type=FILE, metavar="MAP.toml", help="Meaning of the run's columns, if the run does not state it."
)
@click.option(
    "--part", type=click.IntRange(min=1), metavar="N", help="Which execution, if the run has several (default: all)."
)
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
    """Write a copy of DOC with a RUN: its summary is in the tree, the values of every move in OUT.camtwin beside it.

    The run of another path than the document's is refused. Nothing else in the document changes.
    """
    if job is not None and (program or material or machine):
        raise click.UsageError(
            "--program, --material and --machine cannot be used with --job; the package contains them."
        )
    checked(source)
    request = InputRequest(source, job=label, material=material, machine=machine)
    if not request.is_document:
        raise InputError(f"{source} is not a FreeCAD document.")
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

        say(f"{output}: the document with its run. The values of every move are in {folder_of(output)}.")


def _package(
    request: InputRequest, settings: Settings, outputs: Outputs, job: Path | None, program: Path | None
) -> "Package":
    from freecad_camtwin.twin.package.package import load_package

    return load_package(job) if job is not None else pack_job(request, settings, outputs, program=program)[0]


def _executions(package: "Package", run: Path, signals: Path | None, settings: Settings) -> "tuple[Execution, ...]":
    from freecad_camtwin.cli.runs import run_of
    from freecad_camtwin.twin.runs.execution import make_executions
    from freecad_camtwin.twin.signals.signal_map import read_signals

    recorded = run_of(run, read_signals(signals) if signals is not None else package.signals)
    with working("Placing the run on the path", quiet=settings.quiet):
        return make_executions(package, recorded)


def _write(
    executions: "tuple[Execution, ...]",
    settings: Settings,
    source: Path,
    output: Path,
    job: str | None,
    outputs: Outputs,
) -> None:
    """Add the executions to a copy of the document in FreeCAD, and write their values beside the copy."""
    from freecad_camtwin.twin.runs.file import folder_of, written
    from freecad_camtwin.twin.runs.summary import execution_properties

    folder = folder_of(output)
    files: dict[Path, bytes] = {}
    properties: list[dict[str, Any]] = []
    for each in executions:
        content, sha256 = written(each)
        files |= {folder / name: data for name, data in content.items()}
        name = f"{folder.name}/{next(reversed(content))}"
        properties.append({**execution_properties(each), "Sidecar": name, "SidecarHash": sha256})
    whole = outputs.scratch(output.name)
    request = {"action": "import", "document": str(source.absolute()), "job": job, "executions": properties}
    with working("Writing the run in FreeCAD", quiet=settings.quiet):
        answer = FreeCAD.find(settings.freecad).ask({**request, "output": str(whole)})
    for name in answer["sidecars"]:
        files |= _earlier(source, output, name)
    for parent in sorted({path.parent for path in files}):
        outputs.folder(parent)
    for path, data in files.items():
        outputs.write(path, data)
    outputs.write(output, whole.read_bytes())


def _earlier(source: Path, output: Path, name: str) -> dict[Path, bytes]:
    """Return the files of an execution that DOC already had, if its copy goes to another folder."""
    from freecad_camtwin.twin.runs.file import members

    named = PurePosixPath(name)
    if source.parent.resolve() == output.parent.resolve() or len(named.parts) != 2 or ".." in named.parts:
        return {}
    try:
        contents = members(source.parent / named)
    except InputError:  # a missing file is missing beside the copy too, and is reported when it is read
        return {}
    return {(output.parent / named).with_name(each): content for each, content in contents.items()}
