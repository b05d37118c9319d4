# SPDX-License-Identifier: LGPL-2.1-or-later
"""A document posted by FreeCAD, and the proof that our feeds changed nothing but feeds in its program."""

from pathlib import Path

from freecad_camtwin.errors import ProgramError


def unproven(bare: Path, program: Path) -> list[str]:
    """Compare a posted program with the same one without our feeds; return a sentence if that is not possible.

    PlanError where more than feeds differ. No ``bare`` file: the job has no feeds of ours, there is nothing to prove.
    """
    if not bare.is_file():
        return []
    from freecad_camtwin.twin.feeds.proof import prove_programs

    try:
        prove_programs(bare.read_bytes(), program.read_bytes())
    except ProgramError as error:
        return [f"The program could not be compared with the one before: {error}"]
    return []
