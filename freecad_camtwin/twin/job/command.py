# SPDX-License-Identifier: LGPL-2.1-or-later
"""A command of a path as FreeCAD stores it."""

from collections.abc import Mapping

#: A stored command as in FreeCAD's ``Path.Command``: its name and its parameters, lengths in mm and F in mm/s.
PathCommand = tuple[str, Mapping[str, float]]
