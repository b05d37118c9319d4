# SPDX-License-Identifier: LGPL-2.1-or-later
"""Run CAM Twin on a real panel: analyze a document as it is, build its jobs in this FreeCAD, plan feeds, post, compare.

Every step is a call of ``camtwin`` that is printed before it runs. The results are in build/demo, or in the folder that
is named on the command line.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from freecad_camtwin.cli.freecad import FreeCAD  # noqa: E402 - the path comes first
from freecad_camtwin.cli.main import camtwin as command  # noqa: E402
from freecad_camtwin.twin.base.words import clock  # noqa: E402
from freecad_camtwin.twin.feeds.proof import Proof, compare  # noqa: E402
from freecad_camtwin.twin.job.program import read_program  # noqa: E402

SOURCE = ROOT / "examples" / "lathe_els_panel.FCStd"
BUILD = Path(sys.argv[1]).absolute() if len(sys.argv) > 1 else ROOT / "build" / "demo"

#: Values that the author's document does not state: material, machine, reach of the tools, and limits.
CUT = "--material 6061 --machine hobby_mill --tool reach=20"
LIMITS = "--limit h-ex-max=0.04,deflection=0.03"


def main() -> int:
    """Run the demo and return its exit code."""
    began = time.monotonic()
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    os.chdir(ROOT)
    at = shlex.quote(os.path.relpath(BUILD))
    heading("A real document, as it is")
    camtwin(f"analyze examples/lathe_els_panel.FCStd {CUT} {LIMITS}")

    heading("The same two jobs, built in this FreeCAD")
    build_panel()
    camtwin(f"post {at}/panel.FCStd --job Panel --post linuxcnc -o {at}/before.ngc")
    camtwin(f"analyze {at}/panel.FCStd --job Panel {CUT} {LIMITS} --json {at}/before.json")

    heading("Plan feeds, write them as dressups, post, report")
    camtwin(
        f"optimize {at}/panel.FCStd --job Panel {CUT} {LIMITS} -o {at}/panel-mended.FCStd "
        f"--post linuxcnc --gcode {at}/after.ngc --plan {at}/plan.json --html {at}/report.html"
    )

    heading("Read the document with the new feeds again")
    camtwin(
        f"analyze {at}/panel-mended.FCStd --job Panel {CUT} {LIMITS} --json {at}/after.json --png {at}/toolpath.png"
    )
    return conclude(time.monotonic() - began)


def heading(words: str) -> None:
    """Print the heading of the next step."""
    click.secho(f"\n== {words}", bold=True)


def camtwin(words: str) -> None:
    """Print and run one call of camtwin."""
    click.secho(f"$ camtwin {words}", fg="cyan")
    command.main(shlex.split(words), prog_name="camtwin", standalone_mode=False)


def build_panel() -> None:
    """Build the document in FreeCAD."""
    program = FreeCAD.find().program
    click.secho(f"$ freecadcmd examples/build_panel.py   ({program})", fg="cyan")
    with tempfile.TemporaryDirectory(prefix="camtwin-") as home:
        ended = subprocess.run(
            [program, str(ROOT / "examples" / "build_panel.py")],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=300,
            check=False,
            env=os.environ
            | {
                "CAMTWIN_SOURCE": str(SOURCE),
                "CAMTWIN_TARGET": str(BUILD / "panel.FCStd"),
                "LC_ALL": "C.UTF-8",
                "HOME": home,
            },
        )
    if ended.returncode != 0:
        click.echo(ended.stdout + ended.stderr, err=True)
        raise click.ClickException("FreeCAD could not build the panel; its output is printed above.")
    click.echo(ended.stdout.rstrip().splitlines()[-1])


def geometry_of(proof: Proof) -> str:
    """Return in words how the two posted programs differ."""
    if not proof.same_geometry:
        difference = proof.parts_at or f"moves lie up to {proof.deviation:g} mm apart"
        return f"NOT the same: {difference}"
    return (
        f"the same: largest deviation {proof.deviation:g} mm; {proof.splits} split points, up to "
        f"{proof.split_deviation:.6f} mm beside their move; {proof.feed_changes} moves have another feed"
    )


def conclude(seconds: float) -> int:
    """Compare both programs and both analyses; return 0 if the geometry is the same and no new limit is exceeded."""
    heading("Results")
    proof = compare(
        read_program(BUILD / "before.ngc").toolpath,
        read_program(BUILD / "after.ngc").toolpath,
    )
    before, after = (json.loads((BUILD / name).read_text(encoding="utf-8")) for name in ("before.json", "after.json"))
    loads = [max(each["worst_ratio"] or 0.0 for each in analysis["operations"]) for analysis in (before, after)]
    click.echo(f"time in the controller   {clock(before['time'])} before, {clock(after['time'])} after")
    click.echo(f"worst load               {100 * loads[0]:.0f} % of its limit before, {100 * loads[1]:.0f} % after")
    click.echo(f"geometry                 {geometry_of(proof)}")
    click.echo(f"results                  {os.path.relpath(BUILD)}/report.html and other files in its folder")
    click.echo(f"this demo took           {clock(seconds)}")
    if not proof.same_geometry or proof.differences or loads[1] > max(loads[0], 1.02):
        click.echo("The new program differs in more than feeds, or its load is above a limit.", err=True)
        return 3
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
