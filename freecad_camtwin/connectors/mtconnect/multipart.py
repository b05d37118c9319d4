# SPDX-License-Identifier: LGPL-2.1-or-later
"""Splits the endless answer of an agent into its documents, for any division into network packets.

Agents send multipart/mixed or multipart/x-mixed-replace, with the same meaning. Most state each part's length; without
a length a part ends at the next boundary (RFC 2046, 5.1).
"""

import re

LONGEST_HEAD = 8192
_BOUNDARY = re.compile(r'^multipart/(?:mixed|x-mixed-replace)\s*;.*?boundary="?([^";,\s]{1,200})"?', re.I)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(rb"^content-length:[ \t]*([0-9]{1,12})[ \t]*\r?$", re.I | re.M)


class MultipartError(ValueError):
    """The bytes are not the parts that were announced."""


def boundary_of(content_type: str) -> bytes | None:
    """Return the boundary of a multipart answer; None if the answer is one document."""
    match = _BOUNDARY.match(content_type.strip())
    return match[1].encode() if match else None


class MultipartReader:
    """Converts received bytes into whole documents. It never stores more than ``most`` bytes of one document."""

    def __init__(self, boundary: bytes, most: int) -> None:
        self._mark, self._most = b"--" + boundary, most
        self._waiting = bytearray()
        self._length: int | None = None  # of the part whose head was read
        self._in_part = False
        self._skip = 0

    def feed(self, data: bytes) -> list[bytes | None]:
        """Return the documents that these bytes complete, None for one that is too large.

        MultipartError if the bytes are not such parts.
        """
        self._waiting += data
        documents: list[bytes | None] = []
        while self._step(documents):
            pass
        return documents

    def _step(self, documents: list[bytes | None]) -> bool:
        """Take one head or one body from the waiting bytes; False if it is not complete yet."""
        if self._skip:
            taken = min(self._skip, len(self._waiting))
            del self._waiting[:taken]
            self._skip -= taken
            return taken > 0
        if not self._in_part:
            return self._head(documents)
        if self._length is not None:
            return self._measured(self._length, documents)
        return self._bounded(documents)

    def _head(self, documents: list[bytes | None]) -> bool:
        at = self._waiting.find(self._mark)
        end = _BLANK_LINE.search(self._waiting, at) if at >= 0 else None
        if end is None:
            if len(self._waiting) > LONGEST_HEAD:
                raise MultipartError("no part begins where one should")
            return False
        length = _LENGTH.search(self._waiting, at, end.start() + 1)
        self._length = int(length[1]) if length else None
        del self._waiting[: end.end()]
        self._in_part = True
        if self._length is not None and self._length > self._most:
            documents.append(None)
            self._skip, self._in_part = self._length, False
        return True

    def _measured(self, length: int, documents: list[bytes | None]) -> bool:
        if len(self._waiting) < length:
            return False
        documents.append(bytes(self._waiting[:length]))
        del self._waiting[:length]
        self._in_part = False
        return True

    def _bounded(self, documents: list[bytes | None]) -> bool:
        end = self._waiting.find(b"\n" + self._mark)
        if end < 0:
            if len(self._waiting) > self._most:
                raise MultipartError(f"a part without a stated length has more than {self._most} bytes")
            return False
        documents.append(bytes(self._waiting[:end]).rstrip(b"\r"))
        del self._waiting[: end + 1]
        self._in_part = False
        return True
