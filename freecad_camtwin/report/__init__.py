# SPDX-License-Identifier: LGPL-2.1-or-later
"""The HTML reports and their pictures, which need no FreeCAD."""
