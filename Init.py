# SPDX-License-Identifier: LGPL-2.1-or-later
# FreeCAD runs this file in every mode, at every start. Proxies that documents name must be importable from here on.
import freecad_camtwin  # noqa: F401
