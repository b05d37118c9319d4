# SPDX-License-Identifier: LGPL-2.1-or-later
"""A client of an MQTT 5 broker for the connector and the publisher: login, TLS, no delay.

Nagle's algorithm is off: with it, small messages wait for acknowledgements, 20 ms and more at ten thousand a second.

For every message received paho (2.2) builds the tables of all MQTT 5 properties again and searches each by name: a
third of the time of a message. ``_LeanProperties`` builds them once, and skips the search if a message has none.
"""

import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from paho.mqtt import _packet
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from freecad_camtwin.connectors.tls import tls_context
from freecad_camtwin.errors import ConnectorError

KEEPALIVE = 15
#: Reason codes of MQTT 5 with which a broker refuses us permanently.
REFUSALS = {0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C}


_TABLES = dict(vars(Properties(PacketTypes.PUBLISH)))  # type: ignore[no-untyped-call]


class _LeanProperties(Properties):
    """paho's properties with shared tables."""

    def __init__(self, packetType: int) -> None:  # noqa: N803 - paho's name of it
        vars(self).update(_TABLES, packetType=packetType)

    def unpack(self, buffer: bytes) -> Any:
        """Read the properties at the beginning of a buffer."""
        if buffer[:1] == b"\x00" and len(vars(self)) == len(_TABLES):
            return self, 1
        return super().unpack(buffer)  # type: ignore[no-untyped-call]


if hasattr(_packet, "Properties"):  # the class into which received packets are read
    vars(_packet)["Properties"] = _LeanProperties


class Credentials(Protocol):
    """User, password, our certificate, and the authority that we trust."""

    @property
    def user(self) -> str | None: ...  # noqa: D102 - as in Options
    @property
    def password(self) -> str | None: ...  # noqa: D102
    @property
    def certificate(self) -> Path | None: ...  # noqa: D102
    @property
    def key(self) -> Path | None: ...  # noqa: D102
    @property
    def authority(self) -> Path | None: ...  # noqa: D102


def new_client(
    name: str,
    identity: str,
    credentials: Credentials,
    warn: Callable[[str], None],
    *,
    encrypted: bool,
    comes_back: bool = False,
) -> Client:
    """Return a client that is not connected yet; ``comes_back``: it reconnects by itself after a loss."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=identity,
        protocol=MQTTProtocolVersion.MQTTv5,
        reconnect_on_failure=comes_back,
    )
    client.on_socket_open = lambda _client, _data, opened: _send_at_once(opened)
    if credentials.user is not None:
        client.username_pw_set(credentials.user, credentials.password)
        if not encrypted:
            warn(f"the password is sent to {name} unencrypted; use mqtts")
    if encrypted:
        client.tls_set_context(tls_context(credentials.authority, credentials.certificate, credentials.key, name))
    return client


def connect(name: str, client: Client, host: str, port: int, **more: Any) -> None:
    """Open the connection; ConnectorError if the broker is not trusted, OSError if it cannot be reached."""
    try:
        client.connect(host, port, KEEPALIVE, **more)
    except ssl.SSLCertVerificationError as error:
        raise ConnectorError(f"{name} is not trusted: {error.verify_message}") from error


def properties(packet: int, **values: Any) -> Properties:
    """Return the properties of a packet of a type of ``paho.mqtt.packettypes``."""
    result = Properties(packet)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(result, name, value)
    return result


def _send_at_once(opened: Any) -> None:
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
