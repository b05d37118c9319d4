# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads an MTConnect agent: its state once, then every observation in sequence.

The state at the beginning is yielded as events, with their original times: a position reached an hour ago is known,
but is not a sample of now. Afterwards every observation is requested by sequence number. After a lost connection the
next number is requested again, so that observations in the agent's buffer are not lost. If the number is out of range,
or the instanceId has changed, a gap is yielded, and then the state again.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager

import httpx

from freecad_camtwin.connectors.mtconnect.documents import (
    Document,
    NoMtconnectError,
    items,
    read_document,
    xml_readings,
)
from freecad_camtwin.connectors.mtconnect.multipart import MultipartError, MultipartReader, boundary_of
from freecad_camtwin.connectors.protocol import Options, Told
from freecad_camtwin.connectors.readings import observations
from freecad_camtwin.connectors.retry import LostError, patiently, sessions
from freecad_camtwin.connectors.tls import tls_context
from freecad_camtwin.errors import ConnectorError
from freecad_camtwin.twin.signals.discovery import Item
from freecad_camtwin.twin.signals.observation import GAP, Event, Observation, Observations

#: Observations requested in one document.
_COUNT = 1000


class AgentClient:
    """An agent at an address such as http://mill:5000, or one of its devices: http://mill:5000/OKUMA."""

    def __init__(self, url: str, options: Options) -> None:
        self.told = Told()
        self._url, self._options = url.rstrip("/"), options
        self._instance = ""
        self._next: int | None = None  # sequence of the next observation; None: the state is read first
        self._auth: httpx.Auth | None = None

    def observations(self) -> Observations:
        """Yield the agent's observations; see ``protocol.Connector``."""
        return sessions(self._session, self.told, patience=self._options.patience)

    async def offered(self) -> tuple[Item, ...]:
        """Return the items of the agent's probe document. ConnectorError if it cannot be read."""
        return await patiently(self._probe, self.told, patience=self._options.patience)

    async def _probe(self) -> tuple[Item, ...]:
        async with self._client() as client:
            return tuple(items(await self._get(client, "probe")))

    async def _session(self) -> Observations:
        async with self._client() as client:
            if self._next is None:
                for event in await self._state(client):
                    yield event
            while self._next is not None:  # once for an agent that streams
                async with aclosing(self._stream(client, self._next)) as documents:
                    async for document in documents:
                        for observation in self._news(document):
                            yield observation

    def _news(self, document: Document | None) -> Iterator[Observation]:
        """Yield the observations of a document of the stream, or the reason why they are lost."""
        lost = self._loss(document)
        if lost:
            self._next = None
            yield Event(time.time(), GAP, lost)
            raise LostError(lost, resumes=True)
        elif document is not None:
            yield from observations(xml_readings(document, self._options.words))
            self._next = document.next or self._next

    def _loss(self, document: Document | None) -> str:
        """Return the reason why the sequence of observations is broken; empty if it is not."""
        if document is None:
            return f"{self._url} sent a document that could not be read"
        if document.kind == "MTConnectError":
            code, text = next(iter(document.errors), ("no error code", ""))
            if code != "OUT_OF_RANGE":
                raise LostError(f"{self._url} answers {code}: {text[:200]}")
            return f"{self._url} no longer has the observations after {self._next}"
        self.told.simulated |= document.simulated
        if document.instance != self._instance:
            return f"{self._url} was restarted"
        return ""

    async def _state(self, client: httpx.AsyncClient) -> list[Event]:
        document = await self._get(client, "current")
        self._instance, self._next = document.instance, document.next
        self.told.simulated |= document.simulated
        if self._next is None:
            raise ConnectorError(f"{self._url}/current has no nextSequence; it is not the answer of an agent")
        return [
            Event(at, item, repr(value) if isinstance(value, float) else value)
            for at, item, value in sorted(xml_readings(document), key=lambda reading: reading[0])
        ]

    async def _get(self, client: httpx.AsyncClient, request: str) -> Document:
        """Return one document; ConnectorError if it is an error document."""
        async with self._answer(client, f"{self._url}/{request}") as answer:
            document = self._document(await self._whole(answer))
        if document is None:
            raise LostError(f"{self._url}/{request} is not an MTConnect document")
        for code, text in document.errors:
            raise ConnectorError(f"{self._url}/{request} answers {code}: {text[:200]}")
        return document

    async def _stream(self, client: httpx.AsyncClient, sequence: int) -> AsyncGenerator[Document | None, None]:
        """Yield documents from a sequence on, None for an unreadable one. LostError at the end."""
        interval, heartbeat = (round(1000 * seconds) for seconds in (self._options.interval, self._options.quiet / 3))
        query = f"sample?from={sequence}&count={_COUNT}&interval={max(interval, 0)}&heartbeat={max(heartbeat, 1)}"
        async with self._answer(client, f"{self._url}/{query}") as answer:
            boundary = boundary_of(answer.headers.get("content-type", ""))
            if boundary is None:
                yield self._document(await self._whole(answer))
                await asyncio.sleep(self._options.interval)  # an agent that does not stream is asked again
                return
            parts = MultipartReader(boundary, self._options.most_bytes)
            try:
                async for chunk in answer.aiter_bytes():
                    for part in parts.feed(chunk):
                        yield self._document(part)
            except MultipartError as error:
                raise LostError(f"{self._url}: {error}", resumes=True) from error
            raise LostError(f"{self._url} ended the stream", resumes=True)

    def _document(self, data: bytes | None) -> Document | None:
        self.told.received += 1
        if data is None:
            self.told.drop("document too large")
            return None
        try:
            return read_document(data)
        except NoMtconnectError as error:
            self.told.drop(str(error))
            return None

    async def _whole(self, answer: httpx.Response) -> bytes | None:
        data = bytearray()
        async for chunk in answer.aiter_bytes():
            data += chunk
            if len(data) > self._options.most_bytes:
                return None
        return bytes(data)

    @asynccontextmanager
    async def _answer(self, client: httpx.AsyncClient, url: str) -> AsyncIterator[httpx.Response]:
        """Send a request, with a login if the agent requires one; errors of httpx become one sentence."""
        try:
            for auth in (self._auth, None):
                async with client.stream("GET", url, auth=auth or self._auth or httpx.Auth()) as answer:
                    if answer.status_code == 401 and self._can_log_in(answer):
                        continue
                    self._check(answer)
                    yield answer
                    return
        except httpx.TimeoutException as error:
            raise LostError(f"{self._url} was silent for {self._options.quiet:g} s", resumes=True) from error
        except httpx.DecodingError as error:
            raise LostError(f"{self._url} sent what cannot be decompressed: {_reason(error)}", resumes=True) from error
        except httpx.TransportError as error:
            if _is_about_certificates(error):
                raise ConnectorError(f"{self._url} is not trusted: {_reason(error)}") from error
            raise LostError(f"{self._url} cannot be reached: {_reason(error)}", resumes=True) from error

    def _can_log_in(self, answer: httpx.Response) -> bool:
        """Whether we can log in as the agent requires; the password is sent only on the agent's request."""
        user, password = self._options.user, self._options.password or ""
        if user is None or self._auth is not None:
            return False
        scheme = answer.headers.get("www-authenticate", "").lower()
        if scheme.startswith("digest"):
            self._auth = httpx.DigestAuth(user, password)
        elif scheme.startswith("basic"):
            self._auth = httpx.BasicAuth(user, password)
            if not self._url.startswith("https:"):
                self.told.warn(f"the password was sent to {self._url} unencrypted; use https")
        return self._auth is not None

    def _check(self, answer: httpx.Response) -> None:
        """Raise for refusals and server errors. MTConnect's error documents come with various other codes."""
        code = answer.status_code
        if code in (401, 403):
            raise ConnectorError(f"{self._url} refuses us ({code}); give a user and a password that it accepts")
        if code >= 500:
            raise LostError(f"{self._url} answers {code}", resumes=True)

    def _client(self) -> httpx.AsyncClient:
        options = self._options
        context = tls_context(options.authority, options.certificate, options.key, self._url)
        # No compression: a compressor may hold a document back until more of the stream has come.
        headers = {"Accept": "text/xml", "Accept-Encoding": "identity"}
        return httpx.AsyncClient(verify=context, timeout=options.quiet, headers=headers, trust_env=False)


def _reason(error: httpx.HTTPError) -> str:
    """Return the text of an error of httpx, or its type if it has no text."""
    return str(error).rstrip(".") or type(error).__name__


def _is_about_certificates(error: BaseException) -> bool:
    """Whether a certificate caused an error; in httpx that cause is several errors deep."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
