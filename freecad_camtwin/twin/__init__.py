# SPDX-License-Identifier: LGPL-2.1-or-later
"""The twin: plain Python and arrays, no FreeCAD, no network.

Units, here and in the kernels: mm, s, N, rad and their products (mm/s, N·mm, MPa).
A name has a suffix only if its unit is another one: ``n_rpm``, ``load_percent``, ``vc_m_min``.
An unknown value is ``None`` in an object and NaN in an array, never 0.
"""
