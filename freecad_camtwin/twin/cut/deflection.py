# SPDX-License-Identifier: LGPL-2.1-or-later
"""Deflection of a tool and its holder under a side force."""

from dataclasses import dataclass

import numpy as np

from camtwin_kernels import deflection
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.job.tool import Shape, Tool

#: Young's modulus of tool materials [MPa] by a word in their name (textbook values, not re-read).
MODULUS = {"carbide": 600e3, "hss": 210e3, "hsco": 210e3, "high speed steel": 210e3, "high-speed steel": 210e3}


@dataclass(frozen=True, slots=True)
class Stiffness:
    """Values that documents seldom have; a user or a machine profile gives them. None: the tool's value, or unknown."""

    stickout: float | None = None  #: protruding length of every tool without its own lpr [mm]
    modulus: float | None = None  #: Young's modulus of every tool whose material is unknown [MPa]
    holder: float | None = None  #: radial stiffness of the holder at the tip [N/mm]; None: rigid
    spindle: float | None = None  #: radial stiffness of spindle and machine [N/mm]; None: rigid


def modulus_of(tool: Tool, stiffness: Stiffness) -> float | None:
    """Return Young's modulus of a tool [MPa]; None if it is unknown."""
    word = (tool.material or "").lower()
    return next((value for name, value in MODULUS.items() if name in word), stiffness.modulus)


def missing_for_deflection(tool: Tool, stiffness: Stiffness) -> tuple[str, ...]:
    """Return the names of the values that are missing to compute the deflection."""
    gaps = {
        "tool diameter": tool.dc,
        "protruding length": tool.lpr or stiffness.stickout,
        "tool material": modulus_of(tool, stiffness),
    }
    return tuple(words for words, value in gaps.items() if value is None)


def compliance(tool: Tool, stiffness: Stiffness, height: Floats) -> Floats:
    """Deflection of the tip per side force at ``height`` above it [mm/N], (steps,); NaN if ``missing_for_deflection``.

    If the shank diameter is unknown, the cutter diameter is used. If the fluted length is unknown, the whole
    protruding length counts as fluted, which gives the more compliant tool.
    """
    length, modulus = tool.lpr or stiffness.stickout, modulus_of(tool, stiffness)
    if tool.dc is None or length is None or modulus is None:
        return np.full_like(height, np.nan)
    out = np.empty_like(height)
    flutes = min(tool.apmx or length, length)
    share = deflection.FLUTE_SHARE if tool.shape is not Shape.CHAMFER else 1.0
    deflection.cantilever_compliance(
        length - height, length, flutes, share * tool.dc, tool.dmm or tool.dc, modulus, out
    )
    springs = sum(1 / spring for spring in (stiffness.holder, stiffness.spindle) if spring)
    return out + springs
