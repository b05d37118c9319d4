# SPDX-License-Identifier: LGPL-2.1-or-later
"""The agent: it answers the requests of part 1 of the standard (probe, current, sample, assets).

It answers every client that reaches its port and accepts no commands. By default it listens on this computer only.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree as ET

from lxml import etree

from freecad_camtwin.publishers.mtconnect.buffer import Buffer
from freecad_camtwin.publishers.mtconnect.documents import Documents, Fault
from freecad_camtwin.publishers.mtconnect.http import HttpResponse, Server
from freecad_camtwin.publishers.mtconnect.model import UNAVAILABLE, Model
from freecad_camtwin.publishers.protocol import Command, Spoken
from freecad_camtwin.twin.signals.observation import Event, Observation

#: Observations kept for clients that connect later.
BUFFER = 2**17
DEFAULT_COUNT, HEARTBEAT = 100, 10_000  # defaults of the standard; the heartbeat in ms
#: Bounds of the numbers of a request.
_BOUNDS = {
    "from": (0, 2**63), "at": (0, 2**63), "count": (1, BUFFER), "interval": (0, 600_000), "heartbeat": (1, 600_000),
}  # fmt: skip
_KNOWN: dict[str, set[str]] = {
    "probe": set(),
    "current": {"path", "at", "interval"},
    "sample": {"path", "from", "count", "interval", "heartbeat"},
    "asset": {"type", "removed", "count"},
    "assets": {"type", "removed", "count"},
}
_XML = "text/xml; charset=utf-8"
_BOUNDARY = "camtwin-part"
_LONGEST_PATH = 1000


class FaultError(Exception):
    """A request that is answered by an error document."""

    def __init__(self, status: int, fault: Fault) -> None:
        super().__init__(fault.text)
        self.status, self.fault = status, fault


class AgentServer:
    """An agent for one machine, at a port."""

    def __init__(self, host: str, port: int, spoken: Spoken) -> None:
        self.dropped: Counter[str] = Counter()
        self.model = Model(spoken)
        self.warnings = [f"{name!r} has no MTConnect type; it is not published" for name in self.model.left_out]
        self._host = host
        self._buffer = Buffer(BUFFER)
        self._documents = Documents(self.model, self._buffer)
        self._server = Server(host, port, self._answer)
        self._news: set[asyncio.Event] = set()
        self._tree = etree.fromstring(ET.tostring(self.model.device))

    @property
    def address(self) -> str:
        """The address of the agent."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"mtconnect+http://{host}:{self._server.port}"

    async def __aenter__(self) -> "AgentServer":
        """Listen; every item is UNAVAILABLE until its first observation."""
        begun = self._documents.instance / 1e6
        for index in range(len(self.model.items)):
            self._buffer.tell(index, begun, UNAVAILABLE)
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the port and all connections."""
        await self._server.stop()

    async def tell(self, observation: Observation) -> None:
        """Store the values that have changed, and wake the waiting requests."""
        if isinstance(observation, Event):
            self._tell(observation.item, observation.time, observation.value)
        else:
            places = [(index, self.model.index.get(name)) for index, name in enumerate(observation.items)]
            unknown = sum(place is None for _, place in places)
            if unknown:
                self.dropped["no type in MTConnect"] += unknown * len(observation.time)
            columns = [(index, place, self.model.items[place]) for index, place in places if place is not None]
            # Events of a row come first: its line number is valid for the position beside it.
            columns.sort(key=lambda column: column[2].category != "EVENT")
            for time, row in zip(observation.time.tolist(), observation.values.tolist(), strict=True):
                for index, place, item in columns:
                    self._buffer.tell(place, time, item.number(row[index]))
        for news in self._news:
            news.set()

    def _tell(self, name: str, time: float, value: str | None) -> None:
        place = self.model.index.get(name)
        if place is None:
            self.dropped["no type in MTConnect"] += 1
        else:
            self._buffer.tell(place, time, self.model.items[place].word(value))

    async def commands(self) -> AsyncIterator[Command]:
        """Yield nothing: this agent accepts no commands."""
        return
        yield

    def _answer(self, method: str, target: str) -> HttpResponse:
        """Answer a request; an invalid request is answered by an error document."""
        try:
            return self._response(*self._parsed(method, target))
        except FaultError as error:
            return HttpResponse(error.status, _XML, self._documents.error(error.fault, target))

    def _parsed(self, method: str, target: str) -> tuple[str, dict[str, str]]:
        """Return the name of the request and its parameters."""
        if method != "GET":
            raise FaultError(405, Fault("InvalidRequest", f"{method} is not allowed; this agent accepts GET only"))
        parts = urlsplit(target)
        words = [unquote(word) for word in parts.path.split("/") if word]
        devices = {self.model.name, self.model.spoken.uuid}
        if words and words[0] in devices:
            words = words[1:] or ["probe"]
        words = words or ["probe"]
        if words[0] in ("asset", "assets") and len(words) == 2:
            raise FaultError(404, Fault("AssetNotFound", f"there is no asset {words[1]}", asset=words[1]))
        if words[0] not in _KNOWN or len(words) > 1:
            if len(words) == 2 and words[1] in _KNOWN:
                raise FaultError(404, Fault("NoDevice", f"there is no device {words[0]}; there is {self.model.name}"))
            raise FaultError(404, Fault("InvalidURI", f"{parts.path} is none of {', '.join(_KNOWN)}"))
        parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
        for name in parameters.keys() - _KNOWN[words[0]]:
            if name != "pretty":
                raise FaultError(400, Fault("InvalidURI", f"{words[0]} has no parameter {name[:100]}"))
        return words[0], parameters

    def _response(self, request: str, parameters: Mapping[str, str]) -> HttpResponse:
        if request == "probe":
            return HttpResponse(200, _XML, self._documents.probe())
        if request in ("asset", "assets"):
            return HttpResponse(200, _XML, self._documents.assets())
        items = self._items(parameters["path"]) if "path" in parameters else None
        interval = _number(parameters, "interval", None)
        if request == "current":
            at = self._sequence(parameters, "at", self._buffer.next - 1)
            if interval is None:
                return HttpResponse(200, _XML, self._state(items, at))
            return self._stream(self._states(items, interval / 1000))
        begin = self._sequence(parameters, "from", self._buffer.next)
        begin = self._buffer.first if begin is None else begin
        count = _number(parameters, "count", DEFAULT_COUNT) or DEFAULT_COUNT
        if interval is None:
            return HttpResponse(200, _XML, self._documents.streams(*self._buffer.since(begin, count, items)))
        heartbeat = _number(parameters, "heartbeat", HEARTBEAT) or HEARTBEAT
        return self._stream(self._samples(begin, count, items, interval / 1000, heartbeat / 1000))

    def _stream(self, documents: AsyncGenerator[bytes, None]) -> HttpResponse:
        return HttpResponse(200, f"multipart/x-mixed-replace;boundary={_BOUNDARY}", _parts(documents))

    def _state(self, items: set[int] | None, at: int | None) -> bytes:
        return self._documents.streams(self._buffer.state(items, at), self._buffer.next)

    async def _states(self, items: set[int] | None, interval: float) -> AsyncGenerator[bytes, None]:
        while True:
            yield self._state(items, None)
            await asyncio.sleep(max(interval, 0.001))

    async def _samples(
        self, begin: int, count: int, items: set[int] | None, interval: float, heartbeat: float
    ) -> AsyncGenerator[bytes, None]:
        """Yield documents, at least ``interval`` and at most ``heartbeat`` seconds apart."""
        news = asyncio.Event()
        self._news.add(news)
        clock = asyncio.get_running_loop().time
        sent = clock() - interval
        try:
            while True:
                await self._news_or_heartbeat(news, begin, items, heartbeat)
                await asyncio.sleep(max(0.0, sent + interval - clock()))
                if begin < self._buffer.first:
                    text = f"the client reads too slowly: {begin} is no longer in the buffer"
                    yield self._documents.error(self._out_of_range("from", begin, text), "/sample")
                    return
                observations, following = self._buffer.since(begin, count, items)
                sent = clock()
                yield self._documents.streams(observations, following)
                begin = following
        finally:
            self._news.discard(news)

    async def _news_or_heartbeat(
        self, news: asyncio.Event, begin: int, items: set[int] | None, heartbeat: float
    ) -> None:
        """Wait until there is an observation of ``items`` from ``begin`` on, at most ``heartbeat`` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(heartbeat):
                while not self._buffer.since(max(begin, self._buffer.first), 1, items)[0]:
                    news.clear()
                    await news.wait()

    def _items(self, path: str) -> set[int]:
        """Return the data items that an XPath over the probe document selects, directly or inside a component."""
        if len(path) > _LONGEST_PATH:
            raise FaultError(400, Fault("InvalidXPath", f"the path is longer than {_LONGEST_PATH} characters"))
        try:
            selection = etree.XPath(path, regexp=False)(self._tree)
        except etree.XPathError as error:
            raise FaultError(400, Fault("InvalidXPath", f"the path is invalid: {error}")) from error
        nodes = selection if isinstance(selection, list) else []
        elements = [node for node in nodes if isinstance(node, etree._Element)]
        items = {self.model.index[each.get("id", "")] for element in elements for each in element.iter("DataItem")}
        if not items:
            raise FaultError(400, Fault("InvalidXPath", "the path selects no data item"))
        return items

    def _sequence(self, parameters: Mapping[str, str], name: str, most: int) -> int | None:
        """Return the sequence that a parameter gives; FaultError if the buffer no longer has it."""
        sequence = _number(parameters, name, None)
        if sequence is not None and not self._buffer.first <= sequence <= most:
            text = f"{name} must be from {self._buffer.first} to {most}"
            raise FaultError(404, self._out_of_range(name, sequence, text))
        return sequence

    def _out_of_range(self, name: str, sequence: int, text: str) -> Fault:
        # The schema has no parameter named "at".
        name = "from" if name == "at" else name
        bounds = (("Minimum", str(self._buffer.first)), ("Maximum", str(self._buffer.next)))
        return Fault("OutOfRange", text, (("name", name), *bounds, ("Value", str(sequence))))


def _number(parameters: Mapping[str, str], name: str, default: int | None) -> int | None:
    if name not in parameters:
        return default
    least, most = _BOUNDS[name]
    text = parameters[name][:30]
    value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
    if not least <= value <= most:
        raise FaultError(
            400,
            Fault(
                "InvalidParameterValue",
                f"{name} must be a whole number from {least} to {most}",
                (("name", name), ("Format", "int64"), ("Type", "integer"), ("Value", text)),
            ),
        )
    return value


async def _parts(documents: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Yield every document as a part of a multipart answer."""
    async with aclosing(documents):
        async for document in documents:
            head = f"--{_BOUNDARY}\r\nContent-type: text/xml\r\nContent-length: {len(document)}\r\n\r\n"
            yield head.encode() + document + b"\r\n"
