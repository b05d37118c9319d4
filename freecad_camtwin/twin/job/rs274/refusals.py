# SPDX-License-Identifier: LGPL-2.1-or-later
"""Codes that are not supported, and the messages about them."""

from camtwin_kernels import rs274 as kernels
from freecad_camtwin.errors import ProgramError
from freecad_camtwin.twin.job.rs274.blocks import Words

#: G numbers in tenths of the nine work coordinate systems.
SYSTEMS = {540: 0, 550: 1, 560: 2, 570: 3, 580: 4, 590: 5, 591: 6, 592: 7, 593: 8}

_G = (
    {0, 10, 20, 30, 40, 80, 100, 170, 180, 190, 200, 210, 280, 281, 300, 301, 400, 430, 431, 490, 520, 530}
    | {610, 611, 640, 730, 800, 810, 820, 830, 850, 890, 900, 910, 901, 911, 920, 921, 922, 923}
    | {930, 940, 950, 970, 980, 990}
    | SYSTEMS.keys()
)
_M = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 19, 30, 48, 49, 50, 51, 52, 53, 60, 61, 62, 63, 64, 65, 67, 68}
_WHY_NOT_G = {
    50: "is a spline; post it as lines and arcs",
    51: "is a spline; post it as lines and arcs",
    52: "is a spline; post it as lines and arcs",
    70: "is a lathe's diameter mode; post with G8",
    330: "moves with the spindle's angle; leave threading out of the program",
    331: "moves with the spindle's angle; leave tapping out of the program",
    380: "is a probe move, which ends where it touches; leave probing out of the program",
    410: "is cutter compensation; let the CAM program compute the path of the tool's center",
    411: "is cutter compensation; let the CAM program compute the path of the tool's center",
    420: "is cutter compensation; let the CAM program compute the path of the tool's center",
    421: "is cutter compensation; let the CAM program compute the path of the tool's center",
    740: "taps with the spindle's angle; leave tapping out of the program",
    760: "moves with the spindle's angle; leave threading out of the program",
    840: "taps with the spindle's angle; leave tapping out of the program",
    860: "stops the spindle in the hole; use G81, G82, G85 or G89",
    870: "bores from behind; use G81, G82, G85 or G89",
    880: "waits for the operator in the hole; use G81, G82, G85 or G89",
    960: "varies the spindle speed with X; post with G97",
} | {
    380 + tenth: "is a probe move, which ends where it touches; leave probing out of the program"
    for tenth in range(2, 10)
}

#: The fault of a block that the kernel could not execute.
MOTION_CODES = {
    kernels.NO_CENTRE: "the arc has neither a center (I, J, K) nor a radius (R); give it one",
    kernels.NO_RADIUS: "the arc's radius is 0; correct its center",
    kernels.RADII_DIFFER: "the arc's radius at its start is not the one at its end; correct its center or its end",
    kernels.OUT_OF_REACH: "the arc's radius R is too small to reach its end; enlarge it",
    kernels.SAME_POINT: "an arc by radius R ends where it starts, which leaves its center undefined; give I and J",
    kernels.OFF_PLANE: "the arc's center has a word off its plane; choose the plane with G17, G18 or G19",
    kernels.NO_TIME: "a feed move under G93 needs its own F; give it one",
    kernels.UNUSED: "I, J, K or R with a straight move; use G2 or G3, or leave them out",
}

FROM_REFERENCE = (
    "an incremental move or an arc starts from the machine's reference point, which the program does not state; "
    "go to an absolute point (G90) first"
)


def check_words(words: Words, where: str) -> None:
    """Raise ProgramError if the block has a G or M word that is not followed here."""
    for g in words.g:
        if g not in _G:
            why = _WHY_NOT_G.get(g, "is not a code that is followed here; leave it out or post for LinuxCNC")
            raise ProgramError(f"{where}: G{g // 10}{f'.{g % 10}' if g % 10 else ''} {why}")
    for m in words.m:
        if m not in _M:
            raise ProgramError(f"{where}: M{m} {_why_not_m(m)}")


def _why_not_m(m: int) -> str:
    if 100 <= m <= 199:
        return "runs a program of the machine's own; leave it out"
    if m in (97, 98, 99):
        return "calls or ends a subprogram; post the program without subprograms"
    if m == 66:
        return "waits for an input of the machine; leave it out"
    return "is not a code that is followed here; leave it out or post for LinuxCNC"
