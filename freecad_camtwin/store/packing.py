# SPDX-License-Identifier: LGPL-2.1-or-later
"""One column of one chunk as bytes: exact to the last bit, and small because measured values have few digits.

A control reports mostly decimal numbers of few places (a load of 52.3 %, an axis at 104.2750 mm) or 32-bit floats. So
a chunk is converted into integers, by the first of three forms that restores every value exactly:

====== ============================================= ====================================
form   integers                                      typical source
====== ============================================= ====================================
0 … 7  v · 10^form, to the nearest                   controls, encoders, indices, clocks
32     the bits of v as a 32-bit float               sensors, binary batches
64     the bits of v as a 64-bit float               computed values
====== ============================================= ====================================

If differences of neighbors need fewer bytes, they replace the integers. Bytes of equal rank are then stored together
(the "shuffle" of array formats) and compressed by deflate at level 1. Higher levels saved 2 to 8 % of size and took up
to twice the time. The bits of a 64-bit float increase with its value, so that even a clock with jitter has small
differences.

Unknown values (NaN) are stored in a bit mask and not among the integers.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from freecad_camtwin.twin.base.arrays import Floats

LEVEL = 1
DECIMALS = range(8)
SINGLE, DOUBLE = 32, 64

#: form, whether differences are stored, whether a mask of known values comes first, bytes per integer, known values
_HEAD = struct.Struct("<B??BI")
_EXACT = float(2**53)  # integers up to here are floats without rounding
_PROBE = 64  # values that are tried before the whole chunk


class PackingError(ValueError):
    """These bytes are not a packed column."""


def pack_column(values: Floats) -> bytes:
    """Return the bytes of a column of one chunk; ``unpack_column`` restores every value exactly, NaN as NaN."""
    unknown = np.isnan(values)
    known = values[~unknown] if unknown.any() else values
    mask = np.packbits(unknown).tobytes() if len(known) < len(values) else b""
    form, integers = _integers(known)
    differences = np.diff(integers, prepend=integers[:1])
    width = _width(integers)
    is_delta = form <= DECIMALS[-1] or _width(differences) < width
    if is_delta:
        first, integers = integers[:1].tobytes(), differences
        width = _width(differences)
    else:
        first = b""
    planes = integers.astype(f"<i{width}").view(np.uint8).reshape(-1, width).T
    head = _HEAD.pack(form, is_delta, bool(mask), width, len(known))
    return head + zlib.compress(mask + first + planes.tobytes(), LEVEL)


def unpack_column(data: bytes, rows: int) -> Floats:
    """Return the ``rows`` values that were packed. PackingError if the bytes are not such a column."""
    try:
        form, is_delta, is_masked, width, count = _HEAD.unpack_from(data)
    except struct.error as error:
        raise PackingError("a column is truncated") from error
    masked = (rows + 7) // 8 if is_masked else 0
    first = 8 if is_delta and count else 0
    if width not in (1, 2, 4, 8) or count > rows or form not in (*DECIMALS, SINGLE, DOUBLE):
        raise PackingError("a column has an unknown form")
    plain = _inflate(data[_HEAD.size :], masked + first + count * width)

    planes = np.frombuffer(plain, np.uint8, count * width, masked + first).reshape(width, count)
    integers = np.ascontiguousarray(planes.T).view(f"<i{width}").reshape(count).astype(np.int64)
    if first:
        np.cumsum(integers, out=integers)
        integers += np.frombuffer(plain, "<i8", 1, masked)
    known = _floats(form, integers)
    if not is_masked:
        if count != rows:
            raise PackingError("a column has fewer values than its chunk has rows")
        return known
    unknown = np.unpackbits(np.frombuffer(plain, np.uint8, masked), count=rows).astype(bool)
    if rows - np.count_nonzero(unknown) != count:
        raise PackingError("a column has fewer values than its chunk has rows")
    values = np.full(rows, np.nan)
    values[~unknown] = known
    return values


def _integers(known: Floats) -> tuple[int, NDArray[np.int64]]:
    """Return the form and the 64-bit integers of values without NaN."""
    probe = known[:: max(1, len(known) // _PROBE)]
    for places in DECIMALS:
        if _same(probe, _decimal(probe, places)) and _same(known, _decimal(known, places)):
            return places, np.rint(known * 10.0**places).astype(np.int64)
    with np.errstate(over="ignore"):
        single = known.astype(np.float32)
    if _same(known, single.astype(np.float64)):
        return SINGLE, single.view(np.int32).astype(np.int64)
    return DOUBLE, np.ascontiguousarray(known).view(np.int64)


def _floats(form: int, integers: NDArray[np.int64]) -> Floats:
    if form == DOUBLE:
        return integers.view(np.float64)
    if form == SINGLE:
        return integers.astype(np.int32).view(np.float32).astype(np.float64)
    return integers / 10.0**form


def _decimal(values: Floats, places: int) -> Floats:
    """Return the values rounded to ``places`` decimals; NaN where the scaled value has more digits than a float."""
    with np.errstate(over="ignore"):
        scaled = np.rint(values * 10.0**places)
    scaled[np.abs(scaled) > _EXACT] = np.nan
    # An integer has no negative zero: adding 0.0 makes -0.0 differ, so that it takes another form.
    return (scaled + 0.0) / 10.0**places


def _same(a: Floats, b: Floats) -> bool:
    """Whether all bits agree."""
    return bool(np.array_equal(np.ascontiguousarray(a).view(np.int64), np.ascontiguousarray(b).view(np.int64)))


def _width(integers: NDArray[np.int64]) -> int:
    """Return the number of bytes that the largest of the integers needs."""
    if not len(integers):
        return 1
    low, high = int(integers.min()), int(integers.max())
    return next(width for width in (1, 2, 4, 8) if -(1 << 8 * width - 1) <= low and high < 1 << 8 * width - 1)


def _inflate(data: bytes, size: int) -> bytes:
    """Return exactly ``size`` bytes; never inflate more, so that a damaged or hostile chunk cannot fill the memory."""
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(data, size + 1)
        if not stream.eof:
            plain += stream.decompress(stream.unconsumed_tail, 1)
    except zlib.error as error:
        raise PackingError(f"a column is damaged ({error})") from error
    if len(plain) != size or not stream.eof:
        raise PackingError("a column is longer or shorter than its chunk")
    return plain
