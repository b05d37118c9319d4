# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command ``camtwin``: the functions of the workbench on the command line; programs need no FreeCAD."""
