# SPDX-License-Identifier: LGPL-2.1-or-later
"""FreeCAD runs this at every start, with windows or without.

Its documents name the classes of our objects, and FreeCAD restores only classes of modules that it may
import: so they are imported here, before a document is opened.
"""

from freecad_camtwin.document import observer

observer.install()
