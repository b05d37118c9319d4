# SPDX-License-Identifier: LGPL-2.1-or-later
r"""Where a cut begins to chatter: lobes by the zeroth-order solution, and one point at a time by semi-discretisation.

A tooth cuts the wave that the tooth before it left. Whether that wave grows depends on the phase between the two, hence
on the spindle speed, and on the axial depth::

    depth │    \      \        \            /     chatter
          │     \    / \      / \         /
          │      \__/   \____/   \_______/
          │ stable                                   below this depth stable at any speed
          └─────────────────────────────────── spindle speed
                k = 2     k = 1      k = 0           whole waves between teeth

Zeroth order (Y. Altintas, E. Budak, "Analytical prediction of stability lobes in milling", CIRP Annals 44, 1995): the
cutting force's directional factors are replaced by their mean over a revolution, which turns stability into a quadratic
equation for an eigenvalue Λ at each chatter frequency. Semi-discretisation (T. Insperger, G. Stépán, "Updated
semi-discretization method for periodic delay-differential equations", 2004) keeps the factors' course in time: the map
of the vibration over one tooth period is a product of matrices, stable if its eigenvalues lie within the unit circle.

The product does not use these: they need measured compliances, which no CAM document has. They are verified here
against closed forms and published cases, for whoever brings such measurements.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


def _factors(phi: float, kr: float) -> tuple[float, float, float, float]:
    """Antiderivatives of the directional factors xx, xy, yx, yy."""
    s, c = math.sin(2.0 * phi), math.cos(2.0 * phi)
    return (
        0.5 * (c - 2.0 * kr * phi + kr * s),
        0.5 * (-s - 2.0 * phi + kr * c),
        0.5 * (-s + 2.0 * phi + kr * c),
        0.5 * (-c - 2.0 * kr * phi - kr * s),
    )


def directional_factors(phi_st: Floats, phi_ex: Floats, kr: float, alpha: Floats) -> None:
    """Fill the mean directional factors of a cut. A slot's are (-π·kr, -π, +π, -π·kr).

    phi_st, phi_ex: (cuts,) rad; kr: krc/ktc; alpha: (cuts, 4) xx, xy, yx, yy
    """
    for i in range(phi_st.size):
        a, b = _factors(phi_st[i], kr), _factors(phi_ex[i], kr)
        alpha[i, 0], alpha[i, 1], alpha[i, 2], alpha[i, 3] = b[0] - a[0], b[1] - a[1], b[2] - a[2], b[3] - a[3]


def zeroth_order_lobes(
    omega: Floats, gx: Complexes, gy: Complexes, alpha: Floats, teeth: float, ktc: float, depth: Floats, n_rpm: Floats
) -> None:
    """Fill the depths at which chatter of each frequency starts, and the spindle speeds at which it does.

    With T the tooth period, ω·T = ε + 2πk for k whole waves between teeth, ε = π - 2·atan(Im Λ/Re Λ), and
    depth = -2π·Re Λ/(teeth·ktc)·(1 + (Im Λ/Re Λ)²), where a0·Λ² + a1·Λ + 1 = 0.

    omega: (frequencies,) rad/s; gx, gy: (frequencies,) compliance of tool against work at the tip [mm/N]
    alpha: (4,) from ``directional_factors``; ktc: MPa
    depth: (frequencies, 2) mm, one per root, NaN where none is positive; n_rpm: (frequencies, 2, lobes)
    """
    for i in range(omega.size):
        a0 = gx[i] * gy[i] * (alpha[0] * alpha[3] - alpha[1] * alpha[2])
        a1 = alpha[0] * gx[i] + alpha[3] * gy[i]
        root = np.sqrt(a1 * a1 - 4.0 * a0)
        for which in range(2):
            # 1/Λ rather than Λ: with one compliant direction a0 vanishes, and one Λ would be infinite.
            inverse = -(a1 + root) / 2.0 if which == 0 else -(a1 - root) / 2.0
            depth[i, which] = math.nan
            for k in range(n_rpm.shape[2]):
                n_rpm[i, which, k] = math.nan
            size = inverse.real * inverse.real + inverse.imag * inverse.imag
            real, imag = inverse.real, -inverse.imag  # of Λ·|1/Λ|²
            if size <= 1e-28 * abs(a1) * abs(a1) or real >= 0.0:
                continue
            ratio = imag / real
            depth[i, which] = -2.0 * math.pi * real / size / (teeth * ktc) * (1.0 + ratio * ratio)
            epsilon = math.pi - 2.0 * math.atan(ratio)
            for k in range(n_rpm.shape[2]):
                n_rpm[i, which, k] = 60.0 * omega[i] / (teeth * (epsilon + 2.0 * math.pi * k))


def _specific_force(step: int, steps: int, phi_st: float, phi_ex: float, teeth: int, ktc: float, krc: float) -> float:
    """Cutting force in feed direction per depth and displacement in it, mean over one step of the tooth period."""
    total, points = 0.0, 20
    for p in range(points):
        for tooth in range(teeth):
            phi = ((step + (p + 0.5) / points) / steps + tooth) * 2.0 * math.pi / teeth
            if phi_st <= phi <= phi_ex:
                total += (ktc * math.cos(phi) + krc * math.sin(phi)) * math.sin(phi) / points
    return total


def transition(
    mode: Floats, teeth: int, n_rpm: float, depth: float, arc: Floats, kt: Floats, shift: Floats, phi: Floats
) -> None:
    """Fill the map of one tooth period of a tool that yields in feed direction; its eigenvalues tell stability.

    The state is displacement, velocity, and the displacements of the last tooth period. ``phi`` is the product of one
    map per step, each exact for coefficients held constant over the step.

    mode: natural frequency [rad/s], damping ratio, mass [kg]; depth: m; arc: φ_st, φ_ex; kt: tangential, radial [N/m²]
    phi: (steps + 2, steps + 2); shift: as ``phi``, scratch
    """
    size = phi.shape[0]
    steps = size - 2
    dt = 60.0 / n_rpm / teeth / steps
    damping = mode[1] * mode[0]
    phi[:] = 0.0
    for row in range(size):
        phi[row, row] = 1.0
    for step in range(steps):
        force = _specific_force(step, steps, arc[0], arc[1], teeth, kt[0], kt[1]) * depth / mode[2]
        stiffness = mode[0] * mode[0] + force
        inside = stiffness - damping * damping
        rate = math.sqrt(abs(inside))
        c, s = (
            (math.cos(rate * dt), math.sin(rate * dt)) if inside > 0.0 else (math.cosh(rate * dt), math.sinh(rate * dt))
        )
        s = s / rate if rate > 0.0 else dt
        fade = math.exp(-damping * dt)
        p00, p01 = fade * (c + damping * s), fade * s
        p10, p11 = -stiffness * fade * s, fade * (c - damping * s)
        pushed = force / stiffness  # where the delayed wave would hold the tool at rest
        late0, late1 = 0.5 * (1.0 - p00) * pushed, -0.5 * p10 * pushed
        for row in range(size):
            for col in range(size):
                shift[row, col] = phi[row, col]
        for col in range(size):
            late = shift[size - 1, col] + shift[size - 2, col]
            phi[0, col] = p00 * shift[0, col] + p01 * shift[1, col] + late0 * late
            phi[1, col] = p10 * shift[0, col] + p11 * shift[1, col] + late1 * late
            phi[2, col] = shift[0, col]
            for row in range(3, size):
                phi[row, col] = shift[row - 1, col]
