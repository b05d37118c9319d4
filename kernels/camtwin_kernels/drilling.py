# SPDX-License-Identifier: LGPL-2.1-or-later
"""Torque and thrust of a twist drill, from a maker's formulas or from the specific cutting force.

A lip leans by κr, half the point angle, from the axis. It cuts a chip h = fn/lips·sin κr thick along its whole length::

      │←── d ──→│
      │         │      thrust: the lips' normal forces, along the axis
      ╲    ╷ κr ╱
       ╲   ╷   ╱       torque: the lips' tangential forces, at d/4 on average
        ╲  ╷  ╱
         ╲ ╷ ╱

Maker's (Tungaloy, drilling technical page, L068; d in mm, fn in mm per revolution, K a factor of the material)::

    torque = K·d²·(0.630 + 16.84·fn)/100   N·m         thrust = 570·K·d·fn^0.85   N

Generic: removing π·d²/4·fn per revolution at kc costs torque = kc·fn·d²/8; half the lips' normal force acts along the
axis: thrust = ½·kc·(d/2)·fn·sin κr (Sandvik's textbook form, not re-read). kc(h) is kc11·h^-mc + kte/h: a Kienzle
material has no kte, a linear-edge one has mc = 0 and kc11 = ktc.
"""

import numpy as np
from numpy.typing import NDArray

from camtwin_kernels.jit import lean_kernel

Floats = NDArray[np.float64]


@lean_kernel
def maker_drilling(fn: Floats, share: Floats, d: float, factor: float, torque: Floats, thrust: Floats) -> None:
    """Fill torque and thrust by the maker's formulas, times the share of the hole's section that is still material.

    fn: (steps,) mm per revolution; share: (steps,) 0 … 1; d: mm; factor: K; torque, thrust: (steps,) N·mm, N
    """
    for i in range(fn.size):
        torque[i] = share[i] * factor * d * d * (0.630 + 16.84 * fn[i]) * 10.0
        thrust[i] = share[i] * 570.0 * factor * d * fn[i] ** 0.85


@lean_kernel
def generic_drilling(
    fn: Floats, share: Floats, d: float, lips: float, sin_kappa: float, kc: Floats, torque: Floats, thrust: Floats
) -> None:
    """Fill torque and thrust from the specific cutting force.

    fn, share: as above; sin_kappa: sine of half the point angle; kc: kc11 [MPa], mc, kte [N/mm]
    """
    for i in range(fn.size):
        h = fn[i] / lips * sin_kappa
        per_width = kc[0] * h ** (1.0 - kc[1]) + kc[2]  # kc·h [N/mm]
        torque[i] = share[i] * per_width * lips / sin_kappa * d * d / 8.0
        thrust[i] = share[i] * 0.5 * per_width * lips * d / 2.0
