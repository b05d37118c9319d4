# SPDX-License-Identifier: LGPL-2.1-or-later
"""Samples and words as InfluxDB line protocol, into a file or to a server, live or from a recording.

A row becomes ``camtwin,run=…,machine=… load=52.3,x=10.5 1700000000000000000``: the tags name run and machine, each
known value is a field, the time is in nanoseconds (a float of seconds resolves microseconds). A word becomes
``camtwin_event,…,item=EXECUTION value="ACTIVE" …``. Names are escaped as the line protocol's reference requires:
commas and spaces everywhere, equals signs except in measurements, quotes and backslashes in texts. Of two rows with the
same time and tags InfluxDB keeps the later; the recording itself has both.
"""

import gzip
import http.client
import math
import time as clocks
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import ArrayLike

from freecad_camtwin.errors import OutputError
from freecad_camtwin.store.reader import RecordingReader
from freecad_camtwin.store.schema import RecordingHeader
from freecad_camtwin.twin.signals.observation import Event

MEASUREMENT = "camtwin"
BATCH_LINES = 5000
_TRIES = 4
_PATIENCE_S = 30.0  #: time limit of one answer, and the longest wait that a server may ask for
_LATER = frozenset({408, 429, 500, 502, 503, 504})  #: HTTP codes after which the same batch is sent again

_NAME = str.maketrans({",": "\\,", " ": "\\ ", "=": "\\=", "\n": "\\ ", "\r": "\\ ", "\\": "/"})
_TEXT = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": " ", "\r": " "})


class Sink(Protocol):
    """Receives batches of lines."""

    def send(self, lines: list[str]) -> None:
        """Write or send lines; OutputError if that fails."""

    def close(self) -> None:
        """Close file or connection."""


class FileSink:
    """Appends lines to a text file; error messages name it ``name``."""

    def __init__(self, path: Path | str, name: Path | str | None = None) -> None:
        self._path = Path(path)
        self._name = self._path if name is None else name
        try:
            self._file = self._path.open("a", encoding="utf-8", newline="\n")
        except OSError as error:
            raise OutputError(f"{self._name} cannot be written: {error.strerror}") from error

    def send(self, lines: list[str]) -> None:
        """Write lines and flush them to the operating system."""
        try:
            self._file.write("\n".join(lines) + "\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(f"{self._name} cannot be written any further: {error.strerror}") from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Treats a redirect as an error: following it would turn the POST into a GET and lose the batch silently."""

    def redirect_request(self, *_: object) -> None:
        """Follow no redirect."""


class HttpSink:
    """Posts lines to InfluxDB's write address, such as ``http://host:8086/api/v2/write?org=shop&bucket=mill``.

    If the server is busy or unreachable, the batch is sent again after the time the server asks for, or after 0.5, 1
    and 2 s.
    """

    def __init__(self, address: str, token: str | None = None, *, pause_s: float = 0.5) -> None:
        if not address.startswith(("http://", "https://")):
            raise OutputError("InfluxDB's address must begin with http:// or https://")
        if not _is_address(address):
            raise OutputError(
                "InfluxDB's address is invalid; an example is http://host:8086/api/v2/write?org=shop&bucket=mill%201"
            )
        if token and not _is_plain(token):
            raise OutputError("InfluxDB's token has a character that is not printable ASCII; give the token alone")
        self._address = address
        self._shown = address.split("?")[0].split("@")[-1]  # without query and user part: they may hold a password
        self._pause_s = pause_s
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._headers = {"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip"}
        if token:
            self._headers["Authorization"] = f"Token {token}"

    def send(self, lines: list[str]) -> None:
        """Post lines as one batch."""
        body = gzip.compress("\n".join(lines).encode(), 1)
        pause = self._pause_s
        for attempt in range(1, _TRIES + 1):
            request = urllib.request.Request(self._address, body, self._headers, method="POST")
            try:
                with self._opener.open(request, timeout=_PATIENCE_S):
                    return
            except urllib.error.HTTPError as error:
                with error:
                    answer = " ".join(error.read(300).decode(errors="replace").split())
                reason, waits = f"{error.code} {answer}", error.headers.get("Retry-After", "")
                if error.code not in _LATER:
                    raise OutputError(f"InfluxDB at {self._shown} refused {len(lines)} lines: {reason}") from error
                pause = min(float(waits), _PATIENCE_S) if waits.isdecimal() else pause
            except (OSError, http.client.HTTPException) as error:  # no connection, no answer in time, or no HTTP
                reason = str(getattr(error, "reason", error))
            if attempt < _TRIES:
                clocks.sleep(pause)
            pause *= 2
        raise OutputError(f"InfluxDB at {self._shown} did not take {len(lines)} lines in {_TRIES} tries: {reason}")

    def close(self) -> None:
        """Do nothing: no connection stays open."""


class LineWriter:
    """Converts blocks of samples and words into batches of lines for a sink."""

    def __init__(self, sink: Sink, header: RecordingHeader) -> None:
        self._sink = sink
        tags = {"run": header.run, "machine": header.machine, "program": header.program}
        tags["simulated"] = "true" if header.simulated else None
        self._tags = "".join(f",{key}={_escaped(value)}" for key, value in sorted(tags.items()) if value)
        self._lines: list[str] = []
        self.sent = 0  #: lines that the sink has accepted

    def write(self, time: ArrayLike, columns: Mapping[str, ArrayLike], events: Iterable[Event] = ()) -> None:
        """Convert rows and words into lines; send full batches at once. A row without a known value has no line."""
        times = np.asarray(time, np.float64)
        usable = np.isfinite(times)
        stamps = np.rint(times[usable] * 1e6).astype(np.int64)
        names = [_escaped(name) for name in columns]
        table = [np.asarray(column, np.float64)[usable].tolist() for column in columns.values()]
        for row, stamp in enumerate(stamps.tolist()):
            # The line protocol has neither NaN nor infinity: such a value has no field.
            values = [(name, column[row]) for name, column in zip(names, table, strict=True)]
            fields = [f"{name}={value!r}" for name, value in values if math.isfinite(value)]
            if fields:
                self._add(f"{MEASUREMENT}{self._tags} {','.join(fields)} {stamp}000")
        for event in events:
            item = _escaped(event.item)
            if event.value is not None and item and math.isfinite(event.time):
                text = event.value.translate(_TEXT)
                stamp = round(event.time * 1e6)
                self._add(f'{MEASUREMENT}_event{self._tags},item={item} value="{text}" {stamp}000')

    def flush(self) -> None:
        """Send the lines of the incomplete batch."""
        if self._lines:
            self._sink.send(self._lines)
            self.sent += len(self._lines)
            self._lines = []

    def close(self) -> None:
        """Send the remaining lines and close the sink."""
        try:
            self.flush()
        finally:
            self._sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self._sink.close()

    def _add(self, line: str) -> None:
        self._lines.append(line)
        if len(self._lines) >= BATCH_LINES:
            self.flush()


def export_influx(recording: Path | str, sink: Sink) -> int:
    """Send a whole recording; return the number of lines sent. An OutputError states how many were sent before it."""
    with RecordingReader(recording) as reader:
        writer = LineWriter(sink, reader.header)
        try:
            with writer:
                for rows in reader.arrivals():
                    writer.write(rows.time, rows.columns)
                writer.write([], {}, reader.events())
        except OutputError as error:
            raise OutputError(f"{error}; {writer.sent} lines of {reader.path.name} were accepted before") from error
        return writer.sent


def _is_address(text: str) -> bool:
    """Whether a text is an address with a host and a valid port."""
    try:
        parts = urllib.parse.urlsplit(text)
        return bool(parts.hostname) and parts.port != 0 and _is_plain(text) and " " not in text
    except ValueError:
        return False


def _is_plain(text: str) -> bool:
    """Whether a text may stand in a request's header: printable ASCII only."""
    return text.isascii() and text.isprintable()


def _escaped(text: str) -> str:
    """Escape a field's key or a tag's value.

    Two characters have no safe escape and are replaced: an end of line by a space, and a backslash, which would escape
    the character after it, by a slash.
    """
    return text.translate(_NAME)
