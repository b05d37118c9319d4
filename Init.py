# SPDX-License-Identifier: LGPL-2.1-or-later
"""FreeCAD runs this file at every start, with windows or without.

Documents name the classes of CAM Twin's objects, and FreeCAD restores only classes of modules that it may import. So
the modules are imported here, before a document is opened.
"""

from freecad_camtwin.document import observer

observer.install()
