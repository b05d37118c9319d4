# SPDX-License-Identifier: LGPL-2.1-or-later
"""Prove that the planned feeds changed only the feeds in a program that FreeCAD posted."""

from pathlib import Path

from freecad_camtwin.errors import ProgramError


def unproven(bare: Path, program: Path) -> list[str]:
    """Compare a posted program with the one without planned feeds; return a sentence if it cannot be compared.

    Raise PlanError if more than feeds differ. Without a file ``bare`` the job has no planned feeds and needs no proof.
    """
    if not bare.is_file():
        return []
    from freecad_camtwin.twin.feeds.proof import prove_programs

    try:
        prove_programs(bare.read_bytes(), program.read_bytes())
    except ProgramError as error:
        return [f"The program could not be compared with the one without the new feeds: {error}"]
    return []
