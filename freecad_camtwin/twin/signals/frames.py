# SPDX-License-Identifier: LGPL-2.1-or-later
"""Live data on a pipe between two processes of CAM Twin: frames, each its length in four bytes and then MessagePack.

A frame has the present state of the machine, and the rows since the last frame. The reader refuses a length beyond
``LONGEST_FRAME``, and any other version.
"""

import struct
from collections.abc import Mapping

import msgspec
import numpy as np
from msgspec import Struct

from freecad_camtwin.errors import InputError
from freecad_camtwin.twin.base.arrays import Floats
from freecad_camtwin.twin.signals.columns import Columns
from freecad_camtwin.twin.signals.state import State

_VERSION = 1
#: Greatest size of a frame in bytes; more rows are sent in several frames.
LONGEST_FRAME = 8 * 2**20
_LENGTH = struct.Struct("<I")


class Frame(Struct):
    """The content of one frame."""

    state: State
    time: bytes = b""  #: (rows,) f8, little-endian: seconds since the epoch
    columns: dict[str, bytes] = {}  #: (rows,) f8 each
    lost: int = 0  #: rows since the start that were not sent because the reader was slow
    version: int = _VERSION

    @property
    def rows(self) -> Columns:
        """The rows, without words. InputError if the columns do not have the length of the times."""
        time = _floats(self.time)
        values = {name: _floats(data) for name, data in self.columns.items()}
        if any(len(column) != len(time) for column in values.values()):
            raise InputError("the live data are damaged: columns of different lengths")
        return Columns(time, values)


_decoder = msgspec.msgpack.Decoder(Frame)


def encode(state: State, time: Floats, columns: Mapping[str, Floats], lost: int) -> bytes:
    """Return a frame with its length before it."""
    values = {name: column.astype("<f8").tobytes() for name, column in columns.items()}
    data = msgspec.msgpack.encode(Frame(state, time.astype("<f8").tobytes(), values, lost))
    return _LENGTH.pack(len(data)) + data


class Frames:
    """Cuts a stream of bytes into frames; holds one unfinished frame at most."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def take(self, data: bytes) -> list[Frame]:
        """Return the frames that are whole now. InputError if the bytes are not frames."""
        self._bytes += data
        frames = []
        while len(self._bytes) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._bytes)
            if length > LONGEST_FRAME:
                raise InputError("the live data are none of CAM Twin's: a frame is too long")
            end = _LENGTH.size + length
            if len(self._bytes) < end:
                break
            frames.append(_frame(bytes(self._bytes[_LENGTH.size : end])))
            del self._bytes[:end]
        return frames


def _frame(data: bytes) -> Frame:
    try:
        frame = _decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise InputError(f"the live data are none of CAM Twin's: {error}") from error
    if frame.version != _VERSION:
        raise InputError(
            f"the live data have version {frame.version}, but this program reads {_VERSION}; update both sides"
        )
    return frame


def _floats(data: bytes) -> Floats:
    if len(data) % 8:
        raise InputError("the live data are damaged: a column is cut off")
    return np.frombuffer(data, "<f8")
