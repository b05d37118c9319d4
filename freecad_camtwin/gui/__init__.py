# SPDX-License-Identifier: LGPL-2.1-or-later
"""All code that needs FreeCAD's window."""
