# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin analyze``: the load of every step of a job, as sentences, JSON, arrays, a report and a picture."""

import io
from pathlib import Path
from typing import Any

import click
import numpy as np

from freecad_camtwin.cli.inputs import InputRequest, analyzed
from freecad_camtwin.cli.options import FILE, Settings, input_options
from freecad_camtwin.cli.outputs import Outputs, check_targets
from freecad_camtwin.cli.progress import working


@click.command("analyze", short_help="Compute the load of every step.")
@input_options
@click.option("--json", "json_file", type=FILE, metavar="F", help="Write the analysis as JSON ('-': standard output).")
@click.option("--steps", type=FILE, metavar="F.npz", help="Write the load of every step as arrays.")
@click.option("--html", type=FILE, metavar="F", help="Write the report, a self-contained HTML file.")
@click.option("--png", type=FILE, metavar="F", help="Write a picture of the toolpath colored by load.")
@click.pass_obj
def analyze_command(
    settings: Settings,
    /,
    json_file: Path | None,
    steps: Path | None,
    html: Path | None,
    png: Path | None,
    **params: Any,
) -> None:
    """Simulate the cut of INPUT and compute the load on tool and spindle at every step.

    INPUT is a FreeCAD document or a posted program; a program also needs --tool and --stock. Feeds on the command
    line are in mm/min, spindle speeds in 1/min, all other values in mm, N, N·mm and W.
    """
    request = InputRequest(**params)
    check_targets((json_file, steps, html, png), request.source)
    analysis, loaded = analyzed(request, settings)
    from freecad_camtwin.twin.analysis import schema

    with Outputs() as outputs:
        if json_file is not None:
            content = schema.to_json(analysis, path=str(request.source), sha256=loaded.sha256)
            outputs.write(json_file, content.encode())
        if steps is not None:
            outputs.write(steps, npz(schema.steps(analysis)))
        if html is not None or png is not None:
            with working("Drawing", quiet=settings.quiet):
                _draw(analysis, html, png, outputs)
    if not settings.quiet and str(json_file) != "-":
        from freecad_camtwin.cli.summary import print_analysis

        print_analysis(analysis)


def npz(arrays: dict[str, Any]) -> bytes:
    """Pack arrays as compressed NPZ; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _draw(analysis: Any, html: Path | None, png: Path | None, outputs: Outputs) -> None:
    from freecad_camtwin.report import page

    if html is not None:
        outputs.write(html, page.report_html(analysis).encode())
    if png is not None:
        outputs.write(png, page.report_png(analysis))
