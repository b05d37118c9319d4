# SPDX-License-Identifier: LGPL-2.1-or-later
"""Numeric kernels: arrays in, arrays out. They import numpy and numba, and nothing else.

A kernel neither allocates its result, nor checks its arguments, nor raises: its one caller in
``freecad_camtwin.twin`` has done so. Units are mm, s, N, rad.
"""
