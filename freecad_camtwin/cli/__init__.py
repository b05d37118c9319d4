# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command ``camtwin``: the same work without a window, and for programs without FreeCAD."""
