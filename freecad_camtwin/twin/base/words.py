# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names of quantities, and how numbers and durations are written for people."""

#: Quantity of Load → (the limit it is held against, its name in a sentence, its unit).
LOAD_QUANTITIES = {
    "power": ("power", "spindle power", "W"),
    "torque": ("torque", "spindle torque", "N·mm"),
    "force": ("force", "cutting force", "N"),
    "deflection": ("deflection", "tool deflection", "mm"),
    "h_ex": ("h_ex_max", "chip thickness", "mm"),
}


def clock(seconds: float) -> str:
    """Write a duration: 7.3 s, 12 min 05 s, 2 h 03 min.

    >>> clock(59.96), clock(725), clock(7380)
    ('60.0 s', '12 min 05 s', '2 h 03 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, remainder = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {remainder:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def digits(value: float) -> str:
    """Write a number with three significant digits, and never as a power of ten.

    >>> digits(0.03456), digits(15.92), digits(1059.6), digits(0.0)
    ('0.0346', '15.9', '1,060', '0')
    """
    return f"{value:.3g}" if abs(value) < 999.5 else f"{float(f'{value:.3g}'):,.0f}"
