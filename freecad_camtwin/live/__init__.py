# SPDX-License-Identifier: LGPL-2.1-or-later
"""What runs while a machine runs: recording it, watching it, and speaking for a machine that cannot.

Connectors hear, publishers tell, the store keeps; here they are joined. Nothing here runs inside FreeCAD.
"""
