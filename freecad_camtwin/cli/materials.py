# SPDX-License-Identifier: LGPL-2.1-or-later
"""``camtwin materials``: list the materials with their coefficients and sources."""

import click

from freecad_camtwin.cli.options import common
from freecad_camtwin.cli.text import say, table


@click.command("materials", short_help="List the materials for --material.")
@common
def materials_command() -> None:
    """List the materials: the force law with its coefficients, its relative uncertainty, and its source."""
    from freecad_camtwin.twin.shop.material import materials

    rows = []
    for key, each in materials().items():
        law = (f"{each.kc11:.0f}", f"{each.mc or 0:.2f}") if each.is_kienzle else (f"{each.ktc:.0f}", f"{each.kte:.1f}")
        kind = "kc1.1, mc" if each.is_kienzle else "ktc, kte"
        rows.append(
            [key, each.name, each.iso_group or "?", kind, *law, f"±{100 * each.sigma:.0f} %", f"  {each.source}"]
        )
    table(["key", "material", "ISO", "law", "N/mm²", "mc or N/mm", "prior", "  source"], rows, left=4)
    say()
    say("Choose one with --material KEY. kc1.1, mc: Kienzle's law; ktc, kte: linear edge law; see docs/physics.md.")
