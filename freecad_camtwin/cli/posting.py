# SPDX-License-Identifier: LGPL-2.1-or-later
"""A document posted by FreeCAD, and the proof that our feeds changed nothing but feeds in its program."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freecad_camtwin.cli.outputs import Outputs
from freecad_camtwin.errors import ProgramError


def posting_words(outputs: Outputs, target: Path) -> dict[str, str]:
    """Return the words of a request that posts to ``target``, and beside it without our feeds for the proof."""
    return {"gcode": str(target), "gcode_bare": str(outputs.scratch("bare.ngc"))}


def proof_of(answer: Mapping[str, Any]) -> list[str]:
    """Compare the two programs of an answer; return a sentence if that is not possible.

    PlanError where more than feeds differ: then none of the results is put in place.
    """
    if not answer.get("gcode_bare"):
        return []  # the job has no feeds of ours
    from freecad_camtwin.twin.feeds.proof import prove_programs

    try:
        prove_programs(Path(answer["gcode_bare"]).read_bytes(), Path(answer["gcode"]).read_bytes())
    except ProgramError as error:
        return [f"The program could not be compared with the one before: {error}"]
    return []
