# SPDX-License-Identifier: LGPL-2.1-or-later
"""Publish observations to other systems, one module per protocol: the counterpart of the connectors.

The virtual machine and the bridge use them. ``open_publisher`` returns the publisher for an address; the library of a
protocol is imported only when it is needed.
"""

from collections.abc import Callable
from urllib.parse import SplitResult, parse_qs, unquote

from freecad_camtwin.connectors.address import made, parsed
from freecad_camtwin.errors import InputError
from freecad_camtwin.publishers.protocol import Command, Publisher, PublisherOptions, Spoken

__all__ = ["Command", "Publisher", "PublisherOptions", "Spoken", "open_publisher"]

#: Formats of rows in MQTT messages.
FORMS = ("batch", "json", "msgpack")


def open_publisher(url: str, spoken: Spoken, options: PublisherOptions | None = None) -> Publisher:
    """Return the publisher for an address; it connects or listens only on ``async with``.

    InputError if the address is invalid.
    """
    parts, port = parsed(url, _OPENERS)
    return _OPENERS[parts.scheme](parts, port, spoken, options or PublisherOptions())


def _mqtt(parts: SplitResult, port: int | None, spoken: Spoken, options: PublisherOptions) -> Publisher:
    topic = unquote(parts.path.strip("/"))
    if not parts.hostname or not topic or {"+", "#"} & set(topic):
        raise InputError(
            f"{parts.geturl()!r} must name a broker and a topic without wildcards, such as mqtt://broker/shop/mill1"
        )
    query = parse_qs(parts.query, keep_blank_values=True)
    form, level = query.pop("form", ["batch"])[-1], query.pop("qos", ["1"])[-1]
    if form not in FORMS or level not in ("0", "1") or query:
        raise InputError(f"{parts.query!r} is not possible; possible are form={'|'.join(FORMS)} and qos=0|1")
    encrypted = parts.scheme == "mqtts"
    port = port or (8883 if encrypted else 1883)
    return _made("mqtt", "Speaker", (parts.hostname, port, encrypted), topic, form, int(level), spoken, options)


def _mtconnect(parts: SplitResult, port: int | None, spoken: Spoken, _options: PublisherOptions) -> Publisher:
    return _made(
        "mtconnect.agent", "AgentServer", parts.hostname or "127.0.0.1", 5000 if port is None else port, spoken
    )


def _opcua(parts: SplitResult, port: int | None, spoken: Spoken, options: PublisherOptions) -> Publisher:
    if not parts.hostname or parts.query:
        raise InputError(
            f"{parts.geturl()!r} must name a host and a port to listen on, such as opc.tcp://127.0.0.1:4840"
        )
    port = 4840 if port is None else port
    return _made("opcua.server", "Presenter", parts.hostname, port, parts.path, spoken, options)


def _made(module: str, name: str, *arguments: object) -> Publisher:
    """Import a module and make its publisher."""
    publisher: Publisher = made(f"freecad_camtwin.publishers.{module}", name, *arguments)
    return publisher


_OPENERS: dict[str, Callable[[SplitResult, int | None, Spoken, PublisherOptions], Publisher]] = {
    "mqtt": _mqtt,
    "mqtts": _mqtt,
    "mtconnect+http": _mtconnect,
    "opc.tcp": _opcua,
}
