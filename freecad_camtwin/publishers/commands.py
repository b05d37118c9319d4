# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads and checks the commands that a machine receives over MQTT.

The payload of a command is JSON; its name is the last word of the topic::

    {"schema": "camtwin.command/1", "value": 80, "sender": "planner", "expires": 1767225600.0}

``sender`` and ``expires`` are optional. The broker's access list decides who may publish below ``cmd``. The machine
checks whether a value is in range.
"""

import re
import time
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from freecad_camtwin.publishers.protocol import Command

#: Longest command; a longer one is refused [bytes].
LONGEST_COMMAND = 4096
_NAME = re.compile(r"[a-z][a-z_]{0,39}")


class Refused(Exception):  # noqa: N818 - it is an answer, not a failure
    """A command is not passed on; the text is the reason."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command as received."""

    name: str
    payload: bytes
    expires: float | None  #: from the transport, seconds since the epoch
    retained: bool  #: whether the broker has retained it from earlier


class _Payload(Struct, forbid_unknown_fields=True):
    schema: Literal["camtwin.command/1"]
    value: float
    sender: Annotated[str, Meta(max_length=100)] = ""
    expires: Annotated[float, Meta(ge=0)] | None = None


_payloads = msgspec.json.Decoder(_Payload)


def read_command(asked: Asked) -> Command:
    """Return a command that may be passed on; raise Refused with the reason if it may not."""
    if asked.retained:
        raise Refused("a retained command is not executed: its time is unknown")
    if len(asked.payload) > LONGEST_COMMAND or not _NAME.fullmatch(asked.name):
        raise Refused("it is not a valid camtwin.command/1")
    try:
        payload = _payloads.decode(asked.payload)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Refused("it is not a valid camtwin.command/1") from error
    limits = [limit for limit in (asked.expires, payload.expires) if limit is not None]
    expires = min(limits, default=None)
    if expires is not None and expires < time.time():
        raise Refused("it has expired")
    return Command(asked.name, payload.value, payload.sender, expires)
