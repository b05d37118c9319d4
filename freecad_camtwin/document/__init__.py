# SPDX-License-Identifier: LGPL-2.1-or-later
"""Objects of a FreeCAD document: the CAM job that is read, the twin and the feeds that are added. No windows."""
