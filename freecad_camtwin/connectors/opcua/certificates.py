# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads certificates from files and from the network, and checks them against trusted certificates."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from freecad_camtwin.errors import InputError

#: Most certificates of a chain that are checked.
MOST_LINKS = 8


def is_vouched_for(chain: Sequence[x509.Certificate], trusted: Sequence[x509.Certificate]) -> bool:
    """Whether a chain's first certificate is trusted, or signed by a trusted one, directly or through the chain."""
    link, links = chain[0], list(chain[1:])
    for _ in range(MOST_LINKS):
        if link in trusted or any(_signed(link, each) for each in trusted):
            return True
        above = next((each for each in links if _signed(link, each)), None)
        if above is None:
            return False
        links.remove(above)
        link = above
    return False


def _signed(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether an authority, valid now, signed a certificate."""
    try:
        constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.verify_directly_issued_by(authority)
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature):
        return False
    return constraints.ca and authority.not_valid_before_utc <= datetime.now(UTC) <= authority.not_valid_after_utc


def trusted_by(path: Path | None) -> list[x509.Certificate]:
    """Return the certificates of a file, or of all files of a folder such as a trust list."""
    if path is None:
        return []
    if not path.exists():
        raise InputError(f"the trusted certificates {path} do not exist")
    files = sorted(each for each in path.iterdir() if each.is_file()) if path.is_dir() else [path]
    return [certificate for file in files for certificate in read_certificates(file)]


def read_certificates(path: Path | None) -> list[x509.Certificate]:
    """Return the certificates of a file, PEM or DER. InputError if it has none."""
    data = read_bytes(path)
    try:
        return x509.load_pem_x509_certificates(data) if is_pem(data) else [x509.load_der_x509_certificate(data)]
    except ValueError as error:
        raise InputError(f"{path} is not a certificate: {error}") from error


def read_key(path: Path | None) -> PrivateKeyTypes:
    """Return the private key of a file, PEM or DER. InputError if it has none, or one with a password."""
    data = read_bytes(path)
    load = serialization.load_pem_private_key if is_pem(data) else serialization.load_der_private_key
    try:
        return load(data, None)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path} is not a readable private key: {error}") from error


def read_bytes(path: Path | None) -> bytes:
    """Return the bytes of a file. InputError if it cannot be read."""
    if path is None:
        raise InputError("a certificate needs its key; give both")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def chain_of(data: bytes | None) -> list[x509.Certificate]:
    """Return the certificates that a peer sends one after the other, its own first; empty if one is invalid."""
    chain: list[x509.Certificate] = []
    rest = data or b""
    while len(rest) > 4 and len(chain) < MOST_LINKS:
        length = 4 + int.from_bytes(rest[2:4], "big")  # of the outer SEQUENCE, whose length has two bytes here
        try:
            chain.append(x509.load_der_x509_certificate(rest[:length]))
        except ValueError:
            return []
        rest = rest[length:]
    return chain


def application_of(certificate: x509.Certificate) -> str | None:
    """Return the application URI of a certificate; None if it has none."""
    uris: Iterable[str] = alternatives_of(certificate).get_values_for_type(x509.UniformResourceIdentifier)
    return next(iter(uris), None)


def alternatives_of(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    """Return the hosts and the application URI of a certificate."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return x509.SubjectAlternativeName([])


def is_pem(data: bytes) -> bool:
    """Whether the bytes of a file are PEM; else they are DER."""
    return data.lstrip().startswith(b"-----BEGIN")
