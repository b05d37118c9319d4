# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may do what with a machine's server, and a subscription that says so when it lost something.

The operator may ask for another feed override, and nobody may write anything else. Everybody may read, unless there is
an operator: then those whose certificate the authority vouches for.
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

#: Information about the value, and that a queue overflowed before it.
_OVERFLOW = 0x480
OPERATOR = "operator"


class Value(ua.DataValue):
    """A value that nobody changes: asyncua copies what it keeps, deeply, which takes longer than all else."""

    __slots__ = ()

    def __deepcopy__(self, _memo: object) -> "Value":
        return self


class Users:
    """Knows who may come in."""

    def __init__(self, options: PublisherOptions, trusted: Sequence[x509.Certificate]) -> None:
        self._options, self._trusted = options, trusted

    def get_user(
        self,
        _server: InternalServer,
        username: str | None = None,
        password: str | None = None,
        certificate: bytes | None = None,
    ) -> User | None:
        """Return who somebody is; None where he is refused. ``certificate`` is his, or that of his application."""
        if self._options.certificate is not None and not certificate:
            return None  # he talks without encryption, which is not offered
        if username is not None:
            return self._operator(username, password or "")
        seen = chain_of(certificate)
        if self._options.user is None or (seen and is_vouched_for(seen, self._trusted)):
            return User(role=UserRole.User, name="reader")
        return None

    def _operator(self, username: str, password: str) -> User | None:
        user, known = self._options.user, self._options.password or ""
        same = hmac.compare_digest(username.encode(), (user or "").encode())
        if user is not None and hmac.compare_digest(password.encode(), known.encode()) and same:
            return User(role=UserRole.User, name=f"{OPERATOR} {user}")
        return None

    def knows(self, seen: Sequence[x509.Certificate]) -> bool:
        """Whether an application with a certificate may talk to us; with any, where there is no authority."""
        return self._options.authority is None or bool(seen and is_vouched_for(seen, self._trusted))

    async def check_certificate(self, certificate: x509.Certificate, _application: ua.ApplicationDescription) -> None:
        """Tell an application that nobody vouches for it."""
        if not self.knows([certificate]):
            raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)


class Nobody(PermissionRuleset):
    """Lets nobody do anything."""

    def check_validity(self, _user: User, _action: ua.NodeId, _body: object) -> bool:
        """Return that it is not allowed."""
        return False


class _Gate:
    """Opens channels, and lets nobody through those that should not be: asyncua opens them all.

    It looks at the certificate that an application shows for its session, but not at that of its channel, and it has
    a channel without security also where none is offered, for whoever asks what is.
    """

    def __init__(self, factory: SecurityPolicyFactory, users: Users, *, is_offered: bool = True) -> None:
        self._factory, self._users, self._is_offered = factory, users, is_offered
        self.matches = factory.matches

    def create(self, certificate: bytes | None) -> SecurityPolicy:
        """Return the policy of a new channel, by the certificate of the application at its other end."""
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
    """Takes what clients write as wishes, one by one."""

    def __init__(self, server: InternalServer, wish: Callable[[ua.NodeId, object, str], int | None]) -> None:
        """``wish``: (node, value, who) → status code; None where it is no node that may be written."""
        super().__init__(server.aspace)
        self._wish = wish

    async def write(self, params: ua.WriteParameters, user: User | None = None) -> list[ua.StatusCode]:
        """Return what becomes of each wish; what this process itself writes is written."""
        if user is None or user.role is UserRole.Admin:
            return list(await super().write(params))
        return [ua.StatusCode(self._answer(each, user)) for each in params.NodesToWrite]

    def _answer(self, asked: ua.WriteValue, user: User) -> int:
        is_operator = str(user.name or "").startswith(f"{OPERATOR} ")
        said = asked.Value.Value.Value if asked.Value is not None and asked.Value.Value is not None else None
        if asked.AttributeId == ua.AttributeIds.Value and is_operator:
            answer = self._wish(asked.NodeId, said, str(user.name).removeprefix(f"{OPERATOR} "))
            if answer is not None:
                return answer
        return int(ua.StatusCodes.BadUserAccessDenied)


class Subscriptions(SubscriptionService):
    """Marks the value before which a queue overflowed, as OPC 10000-4 asks for and asyncua does not."""

    def __init__(self, server: InternalServer, dropped: Counter[str]) -> None:
        super().__init__(server.aspace, iserver=server)
        self._dropped = dropped

    async def create_subscription(self, *arguments: Any, **named: Any) -> ua.CreateSubscriptionResult:
        """Create a subscription whose queues tell."""
        result = await super().create_subscription(*arguments, **named)
        subscription = self.subscriptions[result.SubscriptionId]
        enqueue = subscription.enqueue_datachange_event

        async def telling(item: int, event: ua.MonitoredItemNotification, most: int) -> None:
            self._make_room(subscription, item, most)
            await enqueue(item, event, most)

        subscription.enqueue_datachange_event = telling
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
