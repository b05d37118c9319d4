# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small MTConnect agent that plays what a real one said: its probe, its state, and every observation by sequence."""

import asyncio
import base64
import copy
import gzip
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from lxml import etree

DATA = Path(__file__).parent.parent / "data/mtconnect"
HEARTBEAT = 0.05
_MADE: dict[tuple[object, ...], bytes] = {}


@cache
def _recording():
    """Return the recorded document; nobody changes it."""
    return etree.fromstring(gzip.decompress((DATA / "agent-2.7-sample.xml.gz").read_bytes()))


class RecordedAgent:
    """Its ways can be changed while it runs: the next request sees them."""

    def __init__(self):
        self.probe = (DATA / "agent-2.7-probe.xml").read_bytes()
        self.error = (DATA / "agent-2.7-error.xml").read_bytes()
        self.stream = _recording()
        self.count = 200  # observations in a document
        self.first, self.last = 1, max(sequence(each) for each in observed(self.stream))
        self.instance = self.stream.find("{*}Header").get("instanceId")
        self.content_type = "multipart/mixed;boundary={}"
        self.tells_length = True
        self.hangs_up_after = None  # documents of a stream
        self.password = None
        self.streams = True
        self.spoils = None  # what a document of a stream is replaced by
        self.packer = None  # makes what packs an answer piece by piece; the answer is said to be gzip then
        self.requests, self.heads = [], []
        self.port = None

    @asynccontextmanager
    async def running(self, port=0):
        server = await asyncio.start_server(self._answer, "127.0.0.1", port)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield f"mtconnect+http://127.0.0.1:{self.port}"

    def document(self, start, stop):
        """Return the Streams document of the observations from start up to stop, without it.

        All agents play the same recording, and copying it takes longer than all else: a document is made once.
        """
        key = (start, stop, self.instance, self.first, self.last)
        if key not in _MADE:
            _MADE[key] = self._made(start, stop)
        return _MADE[key]

    def _made(self, start, stop):
        root = copy.deepcopy(self.stream)
        for each in list(observed(root)):
            if not start <= sequence(each) < stop:
                each.getparent().remove(each)
        header = root.find("{*}Header")
        header.set("instanceId", self.instance)
        header.set("firstSequence", str(self.first))
        header.set("nextSequence", str(min(stop, self.last + 1)))
        return etree.tostring(root, xml_declaration=True, encoding="UTF-8")

    def state(self, before):
        """Return the Streams document of what held before a sequence."""
        root = etree.fromstring(self.document(1, before))
        newest = {}
        for each in observed(root):
            newest[each.get("dataItemId")] = max(sequence(each), newest.get(each.get("dataItemId"), 0))
        for each in list(observed(root)):
            if sequence(each) != newest[each.get("dataItemId")]:
                each.getparent().remove(each)
        return etree.tostring(root)

    async def _answer(self, incoming, outgoing):
        try:
            while head := (await incoming.readuntil(b"\r\n\r\n")).decode():
                target = head.split()[1]
                self.requests.append(target)
                self.heads.append(head)
                await self._reply(urlsplit(target), head, outgoing)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            outgoing.close()

    async def _reply(self, target, head, outgoing):
        if self.password is not None:
            known = "Basic " + base64.b64encode(b"me:" + self.password.encode()).decode()
            if known not in head:
                outgoing.write(b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="m"\r\nContent-Length: 0\r\n\r\n')
                return
        request = target.path.rsplit("/", 1)[-1]
        if request == "probe":
            self._whole(outgoing, self.probe)
        elif request == "current":
            self._whole(outgoing, self.state(self.beginning))
        else:
            await self._sample(int(parse_qs(target.query)["from"][0]), outgoing)

    beginning = 1000  # the agent's "now" when it is asked for its state

    def _whole(self, outgoing, body):
        encoding, pack = self._packing()
        body = pack(body)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n{encoding}Content-Length: {len(body)}\r\n\r\n"
        outgoing.write(head.encode() + body)

    def _packing(self):
        if self.packer is None:
            return "", bytes
        return "Content-Encoding: gzip\r\n", self.packer()

    async def _sample(self, start, outgoing):
        if not self.first <= start <= self.last + 1:
            self._whole(outgoing, self.error)
            return
        if not self.streams:
            self._whole(outgoing, self.document(start, start + self.count))
            return
        kind = self.content_type.format("==x==")
        encoding, pack = self._packing()
        outgoing.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{encoding}Connection: close\r\n\r\n".encode())
        sent = 0
        while self.hangs_up_after is None or sent < self.hangs_up_after:
            body = self.document(start, start + self.count)
            if self.spoils is not None:
                body, self.spoils = self.spoils, None
            length = f"Content-length: {len(body)}\r\n" if self.tells_length else ""
            outgoing.write(pack(f"--==x==\r\nContent-type: text/xml\r\n{length}\r\n".encode() + body + b"\r\n"))
            await outgoing.drain()
            sent += 1
            start = min(start + self.count, self.last + 1)
            if start > self.last:
                await asyncio.sleep(HEARTBEAT)
        self.hangs_up_after = None
        raise ConnectionError


def observed(root):
    return (each for each in root.iter() if isinstance(each.tag, str) and each.get("sequence"))


def sequence(element):
    return int(element.get("sequence"))
