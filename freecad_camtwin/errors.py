# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every error the addon raises on purpose, each one sentence that names the thing and the way out.

CamTwinError
├── InputError            a file is missing, damaged, or not what it claims to be
│   ├── DocumentError     the FreeCAD document or its CAM job cannot be used
│   ├── ProgramError      the posted program cannot be followed; names the line
│   ├── ProfileError      a machine profile or a material table is wrong; names the entry
│   └── PlanError         a feed plan does not fit what it is applied to
├── ToolpathError         moves that no machine could follow
├── ToolError             the tool lacks a dimension, or has one that cannot be
├── StockError            the stock is missing, empty, or too fine to hold in memory
├── ConnectorError        a machine, broker or server refuses us, or cannot be reached
├── OutputError           a result cannot be written; nothing was left half-written
└── FreeCADError          the FreeCAD child process is missing or failed
"""


class CamTwinError(Exception):
    """Base of all errors that a user can be told about in one sentence."""


class InputError(CamTwinError):
    """A file is missing, damaged, or not what it claims to be."""


class DocumentError(InputError):
    """The FreeCAD document or its CAM job cannot be used."""


class ProgramError(InputError):
    """The posted program cannot be followed; the sentence names the line."""


class ProfileError(InputError):
    """A machine profile or a material table is wrong; the sentence names the entry."""


class PlanError(InputError):
    """A feed plan does not fit what it is applied to."""


class ToolpathError(CamTwinError):
    """Moves that no machine could follow."""


class ToolError(CamTwinError):
    """The tool lacks a dimension, or has one that cannot be."""


class StockError(CamTwinError):
    """The stock is missing, empty, or too fine to hold in memory."""


class OutputError(CamTwinError):
    """A result cannot be written; nothing was left half-written."""


class ConnectorError(CamTwinError):
    """A machine, broker or server refuses us or cannot be reached, and trying again would not mend it."""


class FreeCADError(CamTwinError):
    """The FreeCAD child process is missing or failed."""
