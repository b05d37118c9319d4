# SPDX-License-Identifier: LGPL-2.1-or-later
"""The twin itself: plain Python and arrays, no FreeCAD, no network.

Units, here and in the kernels: mm, s, N, rad, and what follows from them (mm/s, N·mm, MPa).
A name carries a suffix only where it departs from these: ``n_rpm``, ``load_percent``, ``vc_m_min``.
Unknown is ``None`` in an object and NaN in an array, never a silent 0.
"""
