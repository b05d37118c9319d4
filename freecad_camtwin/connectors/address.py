# SPDX-License-Identifier: LGPL-2.1-or-later
"""Addresses of machines and brokers: taken apart, and from their scheme to the class that speaks it.

For connectors and publishers alike. The module of a protocol, and so its library, is imported only when it is chosen.
"""

from collections.abc import Collection
from importlib import import_module
from typing import Any
from urllib.parse import SplitResult, urlsplit

from freecad_camtwin.errors import InputError


def parsed(url: str, schemes: Collection[str]) -> tuple[SplitResult, int | None]:
    """Return the parts of an address and its port; InputError where it is none of these schemes, or tells a secret."""
    try:
        parts = urlsplit(url, allow_fragments=False)  # "#" is a wildcard in MQTT's topics
        port = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise InputError(f"the address {url!r} cannot be understood: {error}") from error
    if parts.password is not None:
        raise InputError(f"the address of {parts.hostname} holds a password; leave it out, and give it as an option")
    if parts.scheme not in schemes:
        raise InputError(f"{url!r} begins with none of {', '.join(f'{scheme}:' for scheme in schemes)}")
    return parts, port


def made(module: str, name: str, *arguments: object) -> Any:
    """Make an object of a class whose module is imported now; InputError where its protocol's library is missing."""
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("freecad_camtwin"):
            raise
        raise InputError(
            f"{error.name} is not installed, which this address needs; pip install 'freecad-camtwin[live]'"
        ) from error
    return getattr(found, name)(*arguments)
