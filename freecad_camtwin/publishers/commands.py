# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is asked of a machine, checked before anybody follows it.

A command's payload is JSON, its name the last word of the topic::

    {"schema": "camtwin.command/1", "value": 80, "sender": "planner", "expires": 1767225600.0}

``sender`` and ``expires`` may be left out. Who may ask at all is the broker's matter: its access list says who may
publish below ``cmd``. Whether a value is in range is the machine's.
"""

import re
import time
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from freecad_camtwin.publishers.protocol import Command

#: Bytes of a command; a longer one is none.
LONGEST_COMMAND = 4096
_NAME = re.compile(r"[a-z][a-z_]{0,39}")


class Refused(Exception):  # noqa: N818 - it is an answer, not a failure
    """A command is not passed on; its words say why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command as it came."""

    name: str
    payload: bytes
    expires: float | None  #: as the transport says, seconds since the epoch
    retained: bool  #: kept by the broker from earlier


class _Payload(Struct, forbid_unknown_fields=True):
    schema: Literal["camtwin.command/1"]
    value: float
    sender: Annotated[str, Meta(max_length=100)] = ""
    expires: Annotated[float, Meta(ge=0)] | None = None


_payloads = msgspec.json.Decoder(_Payload)


def read_command(asked: Asked) -> Command:
    """Return a command that may be passed on; Refused, with the reason, where it may not."""
    if asked.retained:
        raise Refused("a retained command is not followed: nobody knows when it was meant")
    if len(asked.payload) > LONGEST_COMMAND or not _NAME.fullmatch(asked.name):
        raise Refused("it is no camtwin.command/1")
    try:
        said = _payloads.decode(asked.payload)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Refused("it is no camtwin.command/1") from error
    limits = [limit for limit in (asked.expires, said.expires) if limit is not None]
    expires = min(limits, default=None)
    if expires is not None and expires < time.time():
        raise Refused("it has expired")
    return Command(asked.name, said.value, said.sender, expires)
