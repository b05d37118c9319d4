# SPDX-License-Identifier: LGPL-2.1-or-later
"""Observations told to others, one module per protocol: the connectors' mirror image.

The virtual machine and the bridge of a controller without an interface of its own speak through these.
``open_publisher`` finds the one for an address; each module imports the library of its protocol only when chosen.
"""

from collections.abc import Callable
from urllib.parse import SplitResult, parse_qs, unquote

from freecad_camtwin.connectors.address import made, parsed
from freecad_camtwin.errors import InputError
from freecad_camtwin.publishers.protocol import Command, Publisher, PublisherOptions, Spoken

__all__ = ["Command", "Publisher", "PublisherOptions", "Spoken", "open_publisher"]

#: How rows may be written into MQTT's messages.
FORMS = ("batch", "json", "msgpack")


def open_publisher(url: str, spoken: Spoken, options: PublisherOptions | None = None) -> Publisher:
    """Return the publisher for an address; nothing is connected or listens before ``async with``.

    InputError where the address is none that we know.
    """
    parts, port = parsed(url, _OPENERS)
    return _OPENERS[parts.scheme](parts, port, spoken, options or PublisherOptions())


def _mqtt(parts: SplitResult, port: int | None, spoken: Spoken, options: PublisherOptions) -> Publisher:
    topic = unquote(parts.path.strip("/"))
    if not parts.hostname or not topic or {"+", "#"} & set(topic):
        raise InputError(f"{parts.geturl()!r} names no broker and plain topic; mqtt://broker/shop/mill1 would")
    said = parse_qs(parts.query, keep_blank_values=True)
    form, level = said.pop("form", ["batch"])[-1], said.pop("qos", ["1"])[-1]
    if form not in FORMS or level not in ("0", "1") or said:
        raise InputError(f"{parts.query!r} is not understood; known are form={'|'.join(FORMS)} and qos=0|1")
    encrypted = parts.scheme == "mqtts"
    port = port or (8883 if encrypted else 1883)
    return _made("mqtt", "Speaker", (parts.hostname, port, encrypted), topic, form, int(level), spoken, options)


def _mtconnect(parts: SplitResult, port: int | None, spoken: Spoken, _options: PublisherOptions) -> Publisher:
    return _made(
        "mtconnect.agent", "AgentServer", parts.hostname or "127.0.0.1", 5000 if port is None else port, spoken
    )


def _opcua(parts: SplitResult, port: int | None, spoken: Spoken, options: PublisherOptions) -> Publisher:
    if not parts.hostname or parts.query:
        raise InputError(f"{parts.geturl()!r} names no place to be served at; opc.tcp://0.0.0.0:4840 would")
    port = 4840 if port is None else port
    return _made("opcua.server", "Presenter", parts.hostname, port, parts.path, spoken, options)


def _made(module: str, name: str, *arguments: object) -> Publisher:
    """Make a publisher of a module, which is imported now."""
    publisher: Publisher = made(f"freecad_camtwin.publishers.{module}", name, *arguments)
    return publisher


_OPENERS: dict[str, Callable[[SplitResult, int | None, Spoken, PublisherOptions], Publisher]] = {
    "mqtt": _mqtt,
    "mqtts": _mqtt,
    "mtconnect+http": _mtconnect,
    "opc.tcp": _opcua,
}
