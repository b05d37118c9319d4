# SPDX-License-Identifier: LGPL-2.1-or-later
"""The talk with an MTConnect agent: its state once, then every observation in sequence, for as long as it lives.

The state at the beginning is told as events, with the times at which it came to be: a position that was reached an
hour ago is known, but is no sample of now. Afterwards the agent is asked for every observation by number. When the
connection is lost, it is asked for the next number again: what lies in its buffer is not lost. Where the number is
out of its range, or its instanceId has changed, there is a gap, and its state is told again.
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

#: Observations asked for in one document.
_COUNT = 1000


class AgentClient:
    """An agent at an address such as http://mill:5000, or of one of its devices: http://mill:5000/OKUMA."""

    def __init__(self, url: str, options: Options) -> None:
        self.told = Told()
        self._url, self._options = url.rstrip("/"), options
        self._instance = ""
        self._next: int | None = None  # sequence of the next observation; None: the state is to be told first
        self._auth: httpx.Auth | None = None

    def observations(self) -> Observations:
        """Yield what the agent says; see ``protocol.Connector``."""
        return sessions(self._session, self.told, patience=self._options.patience)

    async def offered(self) -> tuple[Item, ...]:
        """Return the items of the agent's probe document. ConnectorError where it cannot be had."""
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
        """Yield what a document of the stream says, or why its observations are lost."""
        lost = self._loss(document)
        if lost:
            self._next = None
            yield Event(time.time(), GAP, lost)
            raise LostError(lost, resumes=True)
        elif document is not None:
            yield from observations(xml_readings(document, self._options.words))
            self._next = document.next or self._next

    def _loss(self, document: Document | None) -> str:
        """Return why the numbers of observations do not go on; empty where they do."""
        if document is None:
            return f"{self._url} sent a document that could not be read"
        if document.kind == "MTConnectError":
            code, text = next(iter(document.errors), ("no error code", ""))
            if code != "OUT_OF_RANGE":
                raise LostError(f"{self._url} answers {code}: {text[:200]}")
            return f"{self._url} no longer has the observations after {self._next}"
        self.told.simulated |= document.simulated
        if document.instance != self._instance:
            return f"{self._url} was started anew"
        return ""

    async def _state(self, client: httpx.AsyncClient) -> list[Event]:
        document = await self._get(client, "current")
        self._instance, self._next = document.instance, document.next
        self.told.simulated |= document.simulated
        if self._next is None:
            raise ConnectorError(f"{self._url}/current tells no nextSequence; it is no agent's")
        return [
            Event(at, item, repr(value) if isinstance(value, float) else value)
            for at, item, value in sorted(xml_readings(document), key=lambda reading: reading[0])
        ]

    async def _get(self, client: httpx.AsyncClient, request: str) -> Document:
        """Fetch one document that is no error."""
        async with self._answer(client, f"{self._url}/{request}") as answer:
            document = self._document(await self._whole(answer))
        if document is None:
            raise LostError(f"{self._url}/{request} is no MTConnect document")
        for code, text in document.errors:
            raise ConnectorError(f"{self._url}/{request} answers {code}: {text[:200]}")
        return document

    async def _stream(self, client: httpx.AsyncClient, sequence: int) -> AsyncGenerator[Document | None, None]:
        """Yield documents from a sequence on; None for one that could not be read. LostError at the end."""
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
        found = bytearray()
        async for chunk in answer.aiter_bytes():
            found += chunk
            if len(found) > self._options.most_bytes:
                return None
        return bytes(found)

    @asynccontextmanager
    async def _answer(self, client: httpx.AsyncClient, url: str) -> AsyncIterator[httpx.Response]:
        """Ask the agent, with our name where it wants to know it; its failures are ours, in one sentence."""
        try:
            for auth in (self._auth, None):
                async with client.stream("GET", url, auth=auth or self._auth or httpx.Auth()) as answer:
                    if answer.status_code == 401 and self._knows_how_to_answer(answer):
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

    def _knows_how_to_answer(self, answer: httpx.Response) -> bool:
        """Whether we can say who we are, in the way that the agent asks for; the password is not sent unasked."""
        user, password = self._options.user, self._options.password or ""
        if user is None or self._auth is not None:
            return False
        asked = answer.headers.get("www-authenticate", "").lower()
        if asked.startswith("digest"):
            self._auth = httpx.DigestAuth(user, password)
        elif asked.startswith("basic"):
            self._auth = httpx.BasicAuth(user, password)
            if not self._url.startswith("https:"):
                self.told.warn(f"{self._url} was sent the password in the clear; use https")
        return self._auth is not None

    def _check(self, answer: httpx.Response) -> None:
        """Refuse answers that asking again would not mend. Errors in MTConnect's words come with various codes."""
        code = answer.status_code
        if code in (401, 403):
            raise ConnectorError(f"{self._url} refuses us ({code}); give a user and a password that it knows")
        if code >= 500:
            raise LostError(f"{self._url} answers {code}", resumes=True)

    def _client(self) -> httpx.AsyncClient:
        options = self._options
        context = tls_context(options.authority, options.certificate, options.key, self._url)
        # Nothing compressed: a compressor may hold a document back until more of the stream has come.
        headers = {"Accept": "text/xml", "Accept-Encoding": "identity"}
        return httpx.AsyncClient(verify=context, timeout=options.quiet, headers=headers, trust_env=False)


def _reason(error: httpx.HTTPError) -> str:
    """Return what an error of httpx says, or its kind, since some say nothing."""
    return str(error).rstrip(".") or type(error).__name__


def _is_about_certificates(error: BaseException) -> bool:
    """Whether an error came of a certificate; httpx hides that some errors deep."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, ssl.SSLCertVerificationError):
            return True
        found = found.__cause__ or found.__context__
    return False
