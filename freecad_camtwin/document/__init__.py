# SPDX-License-Identifier: LGPL-2.1-or-later
"""What lives in a FreeCAD document: the CAM job we read, the twin and the feeds we add. No windows."""
