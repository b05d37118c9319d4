# SPDX-License-Identifier: LGPL-2.1-or-later
"""The errors that CAM Twin raises; the message of each is one sentence that names the cause and the way out.

CamTwinError
├── InputError            a file is missing, damaged, or of another kind than expected
│   ├── DocumentError     the FreeCAD document or its CAM job cannot be used
│   ├── ProgramError      the posted program cannot be interpreted; names the line
│   ├── ProfileError      a machine profile or a material table is wrong; names the entry
│   └── PlanError         a feed plan does not fit what it is applied to
├── ToolpathError         moves that no machine could follow
├── ToolError             a dimension of the tool is missing or impossible
├── StockError            the stock is missing, empty, or too fine to hold in memory
├── ConnectorError        a machine, broker or server refuses the connection, or cannot be reached
├── OutputError           a result cannot be written; no file was left incomplete
└── FreeCADError          the FreeCAD child process is missing or failed
"""


class CamTwinError(Exception):
    """Base of all errors whose message is one sentence for the user."""


class InputError(CamTwinError):
    """A file is missing, damaged, or of another kind than expected."""


class DocumentError(InputError):
    """The FreeCAD document or its CAM job cannot be used."""


class ProgramError(InputError):
    """The posted program cannot be interpreted; the sentence names the line."""


class ProfileError(InputError):
    """A machine profile or a material table is wrong; the sentence names the entry."""


class PlanError(InputError):
    """A feed plan does not fit what it is applied to."""


class ToolpathError(CamTwinError):
    """Moves that no machine could follow."""


class ToolError(CamTwinError):
    """A dimension of the tool is missing or impossible."""


class StockError(CamTwinError):
    """The stock is missing, empty, or too fine to hold in memory."""


class OutputError(CamTwinError):
    """A result cannot be written; no file was left incomplete."""


class ConnectorError(CamTwinError):
    """A machine, broker or server refuses the connection or cannot be reached, and another try would not help."""


class FreeCADError(CamTwinError):
    """The FreeCAD child process is missing or failed."""
