# SPDX-License-Identifier: LGPL-2.1-or-later
"""Read observations from machines, sensors and files: one module per protocol, independent of each other.

``open_connector`` returns the connector for an address. Nothing here runs inside FreeCAD; the library of a protocol is
imported only when it is needed.
"""

import math
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote

from freecad_camtwin.connectors.address import made, parsed
from freecad_camtwin.connectors.protocol import Connector, Options, Told
from freecad_camtwin.errors import InputError

__all__ = ["Connector", "Options", "Told", "open_connector"]

#: Endings of file names of tables and of SHDR logs; a file with another ending is a recording.
_TABLES = {".csv", ".tsv"}
_LOGS = {".txt", ".shdr", ".log"}

#: A comma between two nodes, not one within a name.
_BETWEEN_NODES = re.compile(r",(?=(?:nsu?=|[isgb]=))")


def open_connector(url: str, options: Options | None = None) -> Connector:
    """Return the connector for an address; it opens the source only when its observations are requested.

    InputError if the address is invalid.
    """
    parts, port = parsed(url, _OPENERS)
    return _OPENERS[parts.scheme](parts, port, options or Options())


def _path(parts: SplitResult) -> Path:
    """Return the file of an address such as csv:run.csv, or csv:///data/run.csv."""
    name = unquote(parts.netloc + parts.path)
    if not name:
        raise InputError(f"the address {parts.scheme}: names no file")
    return Path(name).expanduser()


def _table(parts: SplitResult, _port: int | None, options: Options) -> Connector:
    return _made("table", "Table", _path(parts), options)


def _shdr(parts: SplitResult, port: int | None, options: Options) -> Connector:
    if parts.hostname and port:
        return _made("shdr", "ShdrAdapter", parts.hostname, port, options)
    return _made("shdr", "ShdrLog", _path(parts), options)


def _replay(parts: SplitResult, _port: int | None, options: Options) -> Connector:
    path = _path(parts)
    suffix = path.suffix.lower()
    if suffix in _TABLES:
        source = _made("table", "Table", path, options)
    elif suffix in _LOGS:
        source = _made("shdr", "ShdrLog", path, options)
    else:
        source = _made("recording", "RecordingSource", path, options)
    speed = _speed(parts)
    return source if math.isinf(speed) else _made("paced", "Paced", source, speed)


def _speed(parts: SplitResult) -> float:
    """Return the speed of a replay as a multiple of real time; infinite for "max", as fast as it can be read."""
    words = parse_qs(parts.query).get("speed", ["1"])
    try:
        speed = math.inf if words[0] == "max" else float(words[0])
    except ValueError:
        speed = math.nan
    if not speed > 0:
        raise InputError(f"speed={words[0]} is not a speed; give a number above 0, or max")
    return speed


def _mtconnect(parts: SplitResult, _port: int | None, options: Options) -> Connector:
    if not parts.hostname:
        raise InputError(f"the address {parts.geturl()!r} names no agent; an example is mtconnect+http://mill:5000")
    return _made(
        "mtconnect.agent",
        "AgentClient",
        parts._replace(scheme=parts.scheme.removeprefix("mtconnect+")).geturl(),
        options,
    )


def _mqtt(parts: SplitResult, port: int | None, options: Options) -> Connector:
    topic = unquote(parts.path.removeprefix("/"))
    if not parts.hostname or not topic:
        raise InputError(f"{parts.geturl()!r} must name a broker and a topic, such as mqtt://broker/shop/mill1/#")
    encrypted = parts.scheme == "mqtts"
    return _made(
        "mqtt.broker", "BrokerClient", parts.hostname, port or (8883 if encrypted else 1883), topic, encrypted, options
    )


def _linuxcnc(parts: SplitResult, _port: int | None, options: Options) -> Connector:
    return _made("linuxcnc.controller", "PolledController", _poller_settings(parts), options)


def _poller_settings(parts: SplitResult) -> object:
    """Return the poller's settings from an address such as linuxcnc:?rate=200&spindle_power=vfd.power."""
    from freecad_camtwin.connectors.linuxcnc.controller import PollerSettings

    if parts.netloc or parts.path:
        raise InputError(f"{parts.geturl()!r} names a host; LinuxCNC is read on this computer only: linuxcnc:?rate=100")
    try:
        query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise InputError(f"{parts.geturl()!r} is not a valid address: {error}") from error
    return PollerSettings.of(query)


def _opcua(parts: SplitResult, port: int | None, options: Options) -> Connector:
    if not parts.hostname:
        raise InputError(f"the address {parts.geturl()!r} names no server; an example is opc.tcp://mill:4840")
    query = parse_qs(parts.query)
    nodes = [node for several in query.get("nodes", ()) for node in _BETWEEN_NODES.split(several)]
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    url = f"opc.tcp://{host}:{port or 4840}{parts.path}"
    return _made("opcua.server", "OpcuaClient", url, nodes, query.get("machine", [None])[0], options)


def _made(module: str, name: str, *arguments: object) -> Connector:
    """Import a module and make its connector."""
    connector: Connector = made(f"freecad_camtwin.connectors.{module}", name, *arguments)
    return connector


_OPENERS: dict[str, Callable[[SplitResult, int | None, Options], Connector]] = {
    "csv": _table,
    "shdr": _shdr,
    "replay": _replay,
    "mqtt": _mqtt,
    "mqtts": _mqtt,
    "opc.tcp": _opcua,
    "mtconnect+http": _mtconnect,
    "mtconnect+https": _mtconnect,
    "linuxcnc": _linuxcnc,
}
