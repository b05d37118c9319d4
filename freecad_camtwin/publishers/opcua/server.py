# SPDX-License-Identifier: LGPL-2.1-or-later
"""The OPC UA server of a machine: observations become values with their source times."""

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from asyncua import Server, ua
from asyncua.server.internal_server import InternalServer

from freecad_camtwin.connectors.opcua.certificates import (
    application_of,
    is_pem,
    read_bytes,
    read_certificates,
    trusted_by,
)
from freecad_camtwin.connectors.opcua.transport import harden
from freecad_camtwin.errors import ConnectorError, InputError
from freecad_camtwin.publishers.opcua.rights import GuardedServer, Subscriptions, Users, Value, Writes
from freecad_camtwin.publishers.opcua.space import Space, fill, load_types
from freecad_camtwin.publishers.protocol import Command, PublisherOptions, Spoken
from freecad_camtwin.twin.signals.observation import GAP, Event, Observation, Samples

#: Operators' requests that wait for the machine; further ones are refused.
MOST_WISHES = 16
#: Rows written in one turn of the event loop; subscriptions are served in between.
_AT_ONCE = 5
_GOOD, _UNKNOWN = ua.StatusCode(), ua.StatusCode(ua.StatusCodes.BadNoCommunication)
_WAITING = ua.StatusCode(ua.StatusCodes.BadWaitingForInitialData)
_VALUE = ua.AttributeIds.Value
_SECURE = [ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt, ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]


class Presenter:
    """Publishes a machine at an address such as opc.tcp://127.0.0.1:4840; port 0 takes a free port."""

    def __init__(self, host: str, port: int, path: str, spoken: Spoken, options: PublisherOptions) -> None:
        if options.user is not None and options.certificate is None:
            raise InputError("the operator's password would be sent unencrypted; give a certificate and its key")
        self.dropped: Counter[str] = Counter()
        self.address = f"opc.tcp://{host}:{port}{path}"
        self._spoken, self._options = spoken, options
        self._trusted = trusted_by(options.authority)
        self._server: Server | None = None
        self._space = Space()
        self._wishes: asyncio.Queue[Command | None] = asyncio.Queue(MOST_WISHES)
        self._is_listened_to = False

    async def __aenter__(self) -> "Presenter":
        """Listen. ConnectorError if the address is in use; InputError if the certificate cannot be used."""
        harden()
        users = Users(self._options, self._trusted)
        inner = InternalServer(user_manager=users)
        inner.attribute_service = Writes(inner, self._wish)
        inner.subscription_service = Subscriptions(inner, self.dropped)
        server = GuardedServer(inner, users)
        server.name = self._spoken.name
        await server.init()
        server.set_endpoint(self.address)
        await self._secure(server, users)
        await load_types(server)
        self._space = await fill(server, self._spoken)
        for node in self._space.nodes.values():
            await server.iserver.aspace.write_attribute_value(node, _VALUE, Value(StatusCode=_WAITING))
        try:
            await server.start()
        except OSError as error:
            raise ConnectorError(f"cannot listen on {self.address}: {error.strerror or error}") from error
        self._take_address(server)
        self._server = server
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the server and end ``commands``."""
        if self._server is not None:
            await self._server.stop()
            self._server = None
        while self._wishes.full():
            self._wishes.get_nowait()
        self._wishes.put_nowait(None)

    async def tell(self, observation: Observation) -> None:
        """Publish a block of rows or a word; see ``protocol.Publisher``."""
        if self._server is None:
            self.dropped["told while nobody was served"] += 1
        elif isinstance(observation, Samples):
            await self._rows(observation)
        elif (moment := self._moment(observation.time)) is None:
            return
        elif observation.item == GAP:
            for node in self._space.nodes.values():
                await self._write(node, Value(StatusCode=_UNKNOWN, SourceTimestamp=moment))
        else:
            await self._word(observation, moment)

    async def commands(self) -> AsyncIterator[Command]:
        """Yield the operators' requests."""
        self._is_listened_to = True
        while command := await self._wishes.get():
            yield command

    async def _secure(self, server: Server, users: Users) -> None:
        """Set the security policies, our certificate, and the accepted kinds of login."""
        options = self._options
        uri = f"urn:freecad-camtwin:{self._spoken.uuid}"
        if options.certificate is None:
            server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
        else:
            certificate, key = read_bytes(options.certificate), read_bytes(options.key)
            uri = application_of(read_certificates(options.certificate)[0]) or uri
            try:
                await server.load_certificate(certificate, "pem" if is_pem(certificate) else "der")
                await server.load_private_key(key, format="pem" if is_pem(key) else "der")
            except (ValueError, TypeError) as error:
                raise InputError(f"{options.certificate} and {options.key} cannot be used: {error}") from error
            server.set_security_policy(_SECURE)
            server.iserver.certificate_validator = users.check_certificate
        personal = [ua.UserNameIdentityToken, ua.X509IdentityToken]
        server.set_identity_tokens([ua.AnonymousIdentityToken] if options.user is None else personal)
        await server.set_application_uri(uri)

    def _take_address(self, server: Server) -> None:
        """Put the actual port into our address and into the endpoints."""
        host, _, port = self.address.removeprefix("opc.tcp://").partition("/")[0].rpartition(":")
        self.address = self.address.replace(f"{host}:{port}", f"{host}:{server.bserver.port}", 1)
        for endpoint in server.iserver.endpoints:
            endpoint.EndpointUrl = self.address
            endpoint.Server.DiscoveryUrls = [self.address]

    async def _rows(self, samples: Samples) -> None:
        columns = [(at, self._space.nodes[item]) for at, item in enumerate(samples.items) if item in self._space.nodes]
        if len(columns) < len(samples.items):
            self.dropped["numbers of an item that was not announced"] += len(samples.items) - len(columns)
        subscribed = [(at, node) for at, node in columns if self._is_subscribed(node)]
        last = len(samples.time) - 1
        for row, (time, values) in enumerate(zip(samples.time.tolist(), samples.values.tolist(), strict=True)):
            # Single reads see the last row only, so earlier rows are written for subscribed variables only.
            moment = self._moment(time)
            if moment is not None:
                await self._row(moment, values, columns if row == last else subscribed)
            if row % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)

    async def _row(self, moment: datetime, values: Sequence[float], columns: Sequence[tuple[int, ua.NodeId]]) -> None:
        """Write one row in one turn of the event loop, so that subscriptions send it as a whole."""
        for at, node in columns:
            value = values[at]
            if not math.isnan(value):
                number = ua.Variant(value, ua.VariantType.Double)
                await self._write(node, Value(number, StatusCode=_GOOD, SourceTimestamp=moment))

    async def _word(self, event: Event, moment: datetime) -> None:
        node = self._space.nodes.get(event.item)
        if node is None:
            self.dropped["words of an item that was not announced"] += 1
            return
        if event.item == self._space.execution and self._space.channel_state is not None:
            state = ua.Variant(self._space.channel(event.value), ua.VariantType.Int32)
            await self._write(self._space.channel_state, Value(state, StatusCode=_GOOD, SourceTimestamp=moment))
        await self._write(node, self._value(event, moment))

    def _value(self, event: Event, moment: datetime) -> Value:
        if event.value is None:
            return Value(StatusCode=_UNKNOWN, SourceTimestamp=moment)
        if event.item in self._space.words:
            text = ua.Variant(event.value, ua.VariantType.String)
            return Value(text, StatusCode=_GOOD, SourceTimestamp=moment)
        try:
            return Value(
                ua.Variant(float(event.value), ua.VariantType.Double), StatusCode=_GOOD, SourceTimestamp=moment
            )
        except ValueError:
            return Value(StatusCode=_UNKNOWN, SourceTimestamp=moment)

    def _is_subscribed(self, node: ua.NodeId) -> bool:
        server = self._server
        return server is not None and bool(server.iserver.aspace[node].attributes[_VALUE].datachange_callbacks)

    async def _write(self, node: ua.NodeId, value: Value) -> None:
        if self._server is not None:
            await self._server.iserver.aspace.write_attribute_value(node, _VALUE, value)

    def _moment(self, time: float) -> datetime | None:
        try:
            return datetime.fromtimestamp(time, UTC)
        except (ValueError, OverflowError, OSError):
            self.dropped["a time that no clock says"] += 1
            return None

    def _wish(self, node: ua.NodeId, value: object, sender: str) -> int | None:
        """Queue an operator's request for another feed override; return its status code, None for other nodes."""
        if node != self._space.feed_override:
            return None
        if not isinstance(value, int | float) or not 0 <= value < math.inf:
            return int(ua.StatusCodes.BadOutOfRange)
        if not self._is_listened_to:
            return int(ua.StatusCodes.BadNotWritable)
        if self._wishes.full():
            return int(ua.StatusCodes.BadTooManyOperations)
        self._wishes.put_nowait(Command("feed_override", float(value), sender))
        return int(ua.StatusCodes.GoodCompletesAsynchronously)
