# SPDX-License-Identifier: LGPL-2.1-or-later
"""Access rights of a machine's OPC UA server, and subscriptions that mark lost values.

The operator may request another feed override; all other writes are refused. Without an operator every client may
read; with one, only clients whose certificate is trusted or signed by the authority.
"""

import dataclasses
import hmac
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import PermissionRuleset, User, UserRole
from asyncua.crypto.security_policies import SecurityPolicy, SecurityPolicyFactory, SecurityPolicyNone
from asyncua.server.address_space import AttributeService
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.subscription_service import SubscriptionService
from cryptography import x509

from freecad_camtwin.connectors.opcua.certificates import chain_of, is_vouched_for
from freecad_camtwin.publishers.protocol import PublisherOptions

#: Bits of a status code: information about the value, and that a queue overflowed before it.
_OVERFLOW = 0x480
OPERATOR = "operator"


class Value(ua.DataValue):
    """An immutable value: asyncua deep-copies what it stores, which takes longer than all other work."""

    __slots__ = ()

    def __deepcopy__(self, _memo: object) -> "Value":
        return self


class Users:
    """Decides which users and applications may connect."""

    def __init__(self, options: PublisherOptions, trusted: Sequence[x509.Certificate]) -> None:
        self._options, self._trusted = options, trusted

    def get_user(
        self,
        _server: InternalServer,
        username: str | None = None,
        password: str | None = None,
        certificate: bytes | None = None,
    ) -> User | None:
        """Return the user; None to refuse. ``certificate``: the user's, or that of the application."""
        if self._options.certificate is not None and not certificate:
            return None  # the channel is not encrypted, which is not offered
        if username is not None:
            return self._operator(username, password or "")
        chain = chain_of(certificate)
        if self._options.user is None or (chain and is_vouched_for(chain, self._trusted)):
            return User(role=UserRole.User, name="reader")
        return None

    def _operator(self, username: str, password: str) -> User | None:
        user, expected = self._options.user, self._options.password or ""
        same = hmac.compare_digest(username.encode(), (user or "").encode())
        if user is not None and hmac.compare_digest(password.encode(), expected.encode()) and same:
            return User(role=UserRole.User, name=f"{OPERATOR} {user}")
        return None

    def knows(self, seen: Sequence[x509.Certificate]) -> bool:
        """Whether an application with this certificate chain may connect; without an authority every one may."""
        return self._options.authority is None or bool(seen and is_vouched_for(seen, self._trusted))

    async def check_certificate(self, certificate: x509.Certificate, _application: ua.ApplicationDescription) -> None:
        """Raise BadCertificateUntrusted for an application whose certificate is not trusted."""
        if not self.knows([certificate]):
            raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)


class Nobody(PermissionRuleset):
    """Forbids every request."""

    def check_validity(self, _user: User, _action: ua.NodeId, _body: object) -> bool:
        """Return False: the request is not allowed."""
        return False


class _Gate:
    """Creates the security policy of channels, and forbids every request on channels that must not be used.

    asyncua opens every channel: it checks the application's certificate for the session, but not for the channel. It
    also accepts a channel without security, for discovery, if no such endpoint is offered.
    """

    def __init__(self, factory: SecurityPolicyFactory, users: Users, *, is_offered: bool = True) -> None:
        self._factory, self._users, self._is_offered = factory, users, is_offered
        self.matches = factory.matches

    def create(self, certificate: bytes | None) -> SecurityPolicy:
        """Return the policy of a new channel; ``certificate``: that of the client's application."""
        policy = self._factory.create(certificate)
        if not self._is_offered or not self._users.knows(chain_of(certificate)):
            policy.permissions = Nobody()
        return policy


class GuardedServer(Server):
    """A server with a gate at each of its endpoints."""

    def __init__(self, inner: InternalServer, users: Users) -> None:
        super().__init__(inner)
        self._users = users

    async def _setup_server_nodes(self) -> None:
        await super()._setup_server_nodes()
        gates = [_Gate(factory, self._users) for factory in self._policies]
        unoffered = SecurityPolicyFactory(SecurityPolicyNone, ua.MessageSecurityMode.None_)
        self._policies[:] = [*gates, _Gate(unoffered, self._users, is_offered=False)]


class Writes(AttributeService):
    """Treats each write of a client as a request to the machine."""

    def __init__(self, server: InternalServer, wish: Callable[[ua.NodeId, object, str], int | None]) -> None:
        """``wish``: (node, value, user) → status code; None if the node may not be written."""
        super().__init__(server.aspace)
        self._wish = wish

    async def write(self, params: ua.WriteParameters, user: User | None = None) -> list[ua.StatusCode]:
        """Return the status code of each request; writes of this process itself are executed."""
        if user is None or user.role is UserRole.Admin:
            return list(await super().write(params))
        return [ua.StatusCode(self._answer(each, user)) for each in params.NodesToWrite]

    def _answer(self, request: ua.WriteValue, user: User) -> int:
        is_operator = str(user.name or "").startswith(f"{OPERATOR} ")
        value = request.Value.Value.Value if request.Value is not None and request.Value.Value is not None else None
        if request.AttributeId == ua.AttributeIds.Value and is_operator:
            answer = self._wish(request.NodeId, value, str(user.name).removeprefix(f"{OPERATOR} "))
            if answer is not None:
                return answer
        return int(ua.StatusCodes.BadUserAccessDenied)


class Subscriptions(SubscriptionService):
    """Marks the value before which a queue overflowed: OPC 10000-4 requires it, and asyncua does not do it."""

    def __init__(self, server: InternalServer, dropped: Counter[str]) -> None:
        super().__init__(server.aspace, iserver=server)
        self._dropped = dropped

    async def create_subscription(self, *arguments: Any, **named: Any) -> ua.CreateSubscriptionResult:
        """Create a subscription whose queues mark lost values."""
        result = await super().create_subscription(*arguments, **named)
        subscription = self.subscriptions[result.SubscriptionId]
        enqueue = subscription.enqueue_datachange_event

        async def marking(item: int, event: ua.MonitoredItemNotification, most: int) -> None:
            self._make_room(subscription, item, most)
            await enqueue(item, event, most)

        subscription.enqueue_datachange_event = marking
        return result

    def _make_room(self, subscription: InternalSubscription, item: int, most: int) -> None:
        waiting = subscription._triggered_datachanges.get(item)
        if not waiting or not most or len(waiting) < max(most, 2):
            return
        self._dropped["values that a listener did not fetch in time"] += 1
        del waiting[0]
        first = waiting[0]
        code = (0 if first.Value.StatusCode is None else int(first.Value.StatusCode.value)) | _OVERFLOW
        marked = dataclasses.replace(first.Value, StatusCode=ua.StatusCode(code))
        waiting[0] = ua.MonitoredItemNotification(ClientHandle=first.ClientHandle, Value=marked)
