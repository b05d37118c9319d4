# SPDX-License-Identifier: LGPL-2.1-or-later
"""Power and torque of a spindle at its speed: P = M·2πn/60."""

import math
from typing import overload

from freecad_camtwin.twin.base.arrays import Floats


@overload
def power_of(torque: float, n_rpm: float) -> float: ...
@overload
def power_of(torque: Floats, n_rpm: Floats | float) -> Floats: ...
def power_of(torque: Floats | float, n_rpm: Floats | float) -> Floats | float:
    """Return the power [W] of a torque [N·mm] at a speed."""
    return torque * n_rpm * (2 * math.pi / 60 / 1000)


@overload
def torque_of(power: float, n_rpm: float) -> float: ...
@overload
def torque_of(power: Floats, n_rpm: Floats | float) -> Floats: ...
def torque_of(power: Floats | float, n_rpm: Floats | float) -> Floats | float:
    """Return the torque [N·mm] that gives a power [W] at a speed."""
    return power * 1000 / (n_rpm * math.tau / 60)
