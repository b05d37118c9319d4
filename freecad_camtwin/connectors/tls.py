# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a connection over TLS checks the other side, and shows who we are."""

import ssl
from pathlib import Path

from freecad_camtwin.errors import InputError


def tls_context(authority: Path | None, certificate: Path | None, key: Path | None, name: str) -> ssl.SSLContext:
    """Return the settings of TLS; without ``authority`` the system's are trusted. InputError where files are none."""
    try:
        context = ssl.create_default_context(cafile=authority)
        if certificate:
            context.load_cert_chain(certificate, key)
    except OSError as error:
        raise InputError(f"the certificates for {name} cannot be used: {error}") from error
    return context
