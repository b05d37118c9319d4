# SPDX-License-Identifier: LGPL-2.1-or-later
"""Services that run while a machine runs: recording, watching, and bridging a machine without an interface.

They join connectors (data in), publishers (data out) and the store (files). Nothing here runs inside FreeCAD.
"""
