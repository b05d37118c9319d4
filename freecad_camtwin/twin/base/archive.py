# SPDX-License-Identifier: LGPL-2.1-or-later
"""Zips of arrays that come from elsewhere: nothing that they claim of themselves is believed.

Python unpacks LZMA, and from 3.14 on zstd, with errors and an appetite of their own, and numpy parses an array's header
as Python and allocates what that says. So entries are read only if stored or deflated, and all together bounded; and
a header only as numpy writes it, for as many bytes as follow.
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

#: What unpacks to more bytes than this is none of ours.
LARGEST = 2 * 2**30
#: What decoding raises on bytes that are not what they claim to be. RuntimeError: too deep (RecursionError), or
#: packed by a later version of zip.
DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError,
    OverflowError,
)  # fmt: skip
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '([<>|](.)\d+)', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\), \} *\n",
    re.DOTALL,
)


def read_entries(file: str | os.PathLike[str] | IO[bytes], most: int) -> dict[str, bytes]:
    """Return the entries of a zip by name, ``most`` bytes at most.

    Raises InputError where it is not packed as ours are, OSError where it cannot be read, else one of ``DAMAGE``.
    """
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
        if sum(info.file_size for info in infos) > most:
            raise InputError(f"it would unpack to more than {most:,} bytes; it is none of ours")
        if len({info.filename for info in infos}) < len(infos):
            raise InputError("it has two entries of one name; it is none of ours")
        if fault := packing_fault(archive):
            raise InputError(fault)
        return {info.filename: archive.read(info) for info in infos}


def packing_fault(archive: zipfile.ZipFile) -> str | None:
    """Say which entry is packed as neither we nor FreeCAD pack, and what to do; None where none is."""
    for info in archive.infolist():
        if info.flag_bits & 1:
            return f"its entry {info.filename!r} is encrypted; zip it anew without a password"
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return f"its entry {info.filename!r} is neither stored nor deflated; zip it anew"
    return None


def document_fault(archive: zipfile.ZipFile) -> str | None:
    """Say why a zip is no whole FreeCAD document, as a clause about it; None where it is one. May raise ``DAMAGE``."""
    if fault := packing_fault(archive):
        return f"cannot be read: {fault}"
    if "Document.xml" not in archive.namelist():
        return "holds no Document.xml: it is no FreeCAD document"
    if broken := archive.testzip():
        return f"is damaged: its part {broken!r} does not match its checksum"
    return None


def read_arrays(entries: Mapping[str, bytes], kinds: str = "biuf") -> dict[str, NDArray[Any]]:
    """Return the arrays that entries NAME.npy hold, by NAME; ``kinds`` are numpy's letters for what they may hold."""
    return {name.removesuffix(".npy"): _array(name, data, kinds) for name, data in entries.items()}


def _array(name: str, data: bytes, kinds: str) -> NDArray[Any]:
    header = _HEADER.match(data)
    if header is None or header[2].decode("latin1") not in kinds:
        raise InputError(f"its array {name!r} holds something other than numbers")
    dtype = np.dtype(header[1].decode())
    shape = [int(size) for size in re.findall(rb"\d+", header[4])]
    if math.prod(shape) * dtype.itemsize != len(data) - header.end():
        raise InputError(f"its array {name!r} is not as long as it says")
    values = np.frombuffer(data, dtype, offset=header.end())
    return values.reshape(shape, order="F" if header[3] == b"True" else "C").copy()
