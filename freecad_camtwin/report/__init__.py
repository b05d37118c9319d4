# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a person looks at without FreeCAD: the HTML report and its pictures."""
