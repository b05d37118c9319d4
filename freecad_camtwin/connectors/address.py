# SPDX-License-Identifier: LGPL-2.1-or-later
"""Parse addresses of machines and brokers, and make objects of the class that implements their protocol.

Connectors and publishers use it. The module of a protocol, and so its library, is imported only when it is needed.
"""

from collections.abc import Collection
from importlib import import_module
from typing import Any
from urllib.parse import SplitResult, urlsplit

from freecad_camtwin.errors import InputError


def parsed(url: str, schemes: Collection[str]) -> tuple[SplitResult, int | None]:
    """Return the parts of an address and its port; InputError if its scheme is not allowed or it has a password."""
    try:
        parts = urlsplit(url, allow_fragments=False)  # "#" is a wildcard in MQTT's topics
        port = parts.port
        (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise InputError(f"{url!r} is not a valid address: {error}") from error
    if parts.password is not None:
        raise InputError(f"the address of {parts.hostname} holds a password; leave it out, and give it as an option")
    if parts.scheme not in schemes:
        raise InputError(f"{url!r} must begin with one of {', '.join(f'{scheme}:' for scheme in schemes)}")
    return parts, port


def made(module: str, name: str, *arguments: object) -> Any:
    """Import a module and make an object of its class ``name``; InputError if its library is not installed."""
    try:
        imported = import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("freecad_camtwin"):
            raise
        raise InputError(
            f"this address needs {error.name}, which is not installed; run pip install 'freecad-camtwin[live]'"
        ) from error
    return getattr(imported, name)(*arguments)
