# SPDX-License-Identifier: LGPL-2.1-or-later
"""Zips of arrays from unknown sources: sizes and types stated in the archive are not trusted.

Python also unpacks LZMA, and from 3.14 on zstd; these raise other errors and use much memory. numpy parses an array's
header as Python and allocates the size that it states. So an entry is read only if it is stored or deflated, the sum of
all entries is bounded, and a header is read only in numpy's own form and if its size equals the bytes after it.
"""

import math
import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from freecad_camtwin.errors import InputError

#: An archive that unpacks to more bytes than this is refused.
LARGEST = 2 * 2**30
#: The errors that decoding raises on damaged bytes. RuntimeError: nested too deep (RecursionError), or packed by a
#: later version of zip.
DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError,
    OverflowError,
)  # fmt: skip
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([<>|](.)\d+)', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), \} *\n",
    re.DOTALL,
)


def read_entries(file: str | os.PathLike[str] | IO[bytes], most: int) -> dict[str, bytes]:
    """Return the entries of a zip by name; all together unpack to at most ``most`` bytes.

    Raises InputError if it is not packed as CAM Twin packs, OSError if it cannot be read, else one of ``DAMAGE``.
    """
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        if sum(info.file_size for info in infos) > most:
            raise InputError(f"it would unpack to more than {most:,} bytes; CAM Twin wrote no such file")
        if len({info.filename for info in infos}) < len(infos):
            raise InputError("it has two entries of one name; CAM Twin wrote no such file")
        if fault := packing_fault(archive):
            raise InputError(fault)
        return {info.filename: archive.read(info) for info in infos}


def packing_fault(archive: zipfile.ZipFile) -> str | None:
    """Return which entry is packed as neither CAM Twin nor FreeCAD packs, and the remedy; None if there is none."""
    for info in archive.infolist():
        if info.flag_bits & 1:
            return f"its entry {info.filename!r} is encrypted; zip it anew without a password"
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return f"its entry {info.filename!r} is neither stored nor deflated; zip it anew"
    return None


def document_fault(archive: zipfile.ZipFile) -> str | None:
    """Return why a zip is not a complete FreeCAD document, as a clause; None if it is one. May raise ``DAMAGE``."""
    if fault := packing_fault(archive):
        return f"cannot be read: {fault}"
    if "Document.xml" not in archive.namelist():
        return "holds no Document.xml: it is no FreeCAD document"
    if broken := archive.testzip():
        return f"is damaged: its part {broken!r} does not match its checksum"
    return None


def read_arrays(entries: Mapping[str, bytes], kinds: str = "biuf") -> dict[str, NDArray[Any]]:
    """Return the arrays of the entries NAME.npy, by NAME; ``kinds`` are numpy's letters of the types allowed."""
    return {name.removesuffix(".npy"): _array(name, data, kinds) for name, data in entries.items()}


def _array(name: str, data: bytes, kinds: str) -> NDArray[Any]:
    header = _HEADER.match(data)
    if header is None or header[2].decode("latin1") not in kinds:
        raise InputError(f"its array {name!r} holds something other than numbers")
    dtype = np.dtype(header[1].decode())
    shape = [int(size) for size in re.findall(rb"\d+", header[4])]
    if math.prod(shape) * dtype.itemsize != len(data) - header.end():
        raise InputError(f"its array {name!r} has another length than its header states")
    values = np.frombuffer(data, dtype, offset=header.end())
    return values.reshape(shape, order="F" if header[3] == b"True" else "C").copy()
