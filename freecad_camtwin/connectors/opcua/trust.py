# SPDX-License-Identifier: LGPL-2.1-or-later
"""Security of a connection: the check of the server's certificate, the best offered policy, and the login.

OPC UA has no generally trusted authorities. With our own certificate the user also gives ``authority``: the trusted
certificates, which are the servers' own or those of the authorities that signed them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from asyncua import ua
from asyncua.crypto import security_policies
from asyncua.crypto.security_policies import SecurityPolicy
from asyncua.crypto.uacrypto import CertProperties
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from freecad_camtwin.connectors.opcua.certificates import (
    alternatives_of,
    application_of,
    chain_of,
    is_pem,
    is_vouched_for,
    read_bytes,
    read_certificates,
    read_key,
    trusted_by,
)
from freecad_camtwin.connectors.opcua.transport import BoundedClient
from freecad_camtwin.connectors.protocol import Options, Told
from freecad_camtwin.errors import ConnectorError

#: Supported policies, the best first. Others are broken, or older than OPC UA 1.04.
_POLICIES: tuple[type[SecurityPolicy], ...] = (
    security_policies.SecurityPolicyAes256Sha256RsaPss,
    security_policies.SecurityPolicyBasic256Sha256,
    security_policies.SecurityPolicyAes128Sha256RsaOaep,
)
_ENCRYPTED, _SIGNED = ua.MessageSecurityMode.SignAndEncrypt, ua.MessageSecurityMode.Sign


async def introduce(client: BoundedClient, options: Options, name: str, told: Told) -> None:
    """Prepare a client with the best security that the server offers; ``name``: the server's name in messages.

    ConnectorError if the server is not trusted, or offers no supported policy or login.
    """
    endpoints = [
        each
        for each in await client.connect_and_get_server_endpoints()
        if each.EndpointUrl and each.EndpointUrl.startswith("opc.tcp:")
    ]
    endpoint, policy = _best(endpoints, options, name, told)
    _log_in(client, options, endpoint, name, told)
    if policy is None:
        return
    own_chain, key = read_certificates(options.certificate), read_bytes(options.key)
    server_chain = chain_of(endpoint.ServerCertificate)
    if not server_chain:
        raise ConnectorError(f"{name} is not trusted: it has no readable certificate")
    _check(server_chain, trusted_by(options.authority), endpoint, name)
    _check_host(server_chain[0], client, name, told)
    client.application_uri = application_of(own_chain[0]) or client.application_uri
    await client.set_security(
        policy,
        _properties(own_chain[0]),
        CertProperties(key, "pem" if is_pem(key) else "der"),
        server_certificate=_properties(server_chain[0]),
        mode=endpoint.SecurityMode,
        certificate_chain=[_properties(each) for each in own_chain[1:]],
    )


def _best(
    endpoints: Sequence[ua.EndpointDescription], options: Options, name: str, told: Told
) -> tuple[ua.EndpointDescription, type[SecurityPolicy] | None]:
    """Return the best endpoint, and its policy; None for no security."""
    offered = {(each.SecurityMode, each.SecurityPolicyUri): each for each in reversed(endpoints)}
    names = ", ".join(sorted({str(uri).rpartition("#")[2] for _, uri in offered})) or "nothing"
    if options.certificate:
        for mode in (_ENCRYPTED, _SIGNED):
            for policy in _POLICIES:
                if (mode, policy.URI) in offered:
                    if mode == _SIGNED:
                        told.warn(f"{name} signs its messages, but does not encrypt them")
                    return offered[mode, policy.URI], policy
        raise ConnectorError(
            f"{name} offers no supported encryption ({names}); leave out the certificate to read it unencrypted"
        )
    plain = offered.get((ua.MessageSecurityMode.None_, security_policies.SecurityPolicyNone.URI))
    if plain is None:
        raise ConnectorError(f"{name} requires encryption ({names}); give a certificate and its key")
    told.warn(f"{name} is read without encryption, and its identity is not checked; give a certificate and its key")
    return plain, None


def _log_in(client: BoundedClient, options: Options, endpoint: ua.EndpointDescription, name: str, told: Told) -> None:
    """Set the login: the given user; without one anonymous; if the server forbids that, our certificate."""
    accepted = {token.TokenType: token for token in endpoint.UserIdentityTokens or ()}
    kinds = ua.UserTokenType
    if options.user is not None:
        if kinds.UserName not in accepted:
            raise ConnectorError(f"{name} does not accept a user and a password; leave them out")
        client.set_user(options.user)
        client.set_password(options.password or "")
        own = accepted[kinds.UserName].SecurityPolicyUri or endpoint.SecurityPolicyUri
        if own == security_policies.SecurityPolicyNone.URI and endpoint.SecurityMode != _ENCRYPTED:
            told.warn(f"the password is sent to {name} unencrypted; give a certificate and its key")
    elif kinds.Anonymous in accepted:
        return
    elif kinds.Certificate in accepted and options.certificate:
        (client.user_certificate, *client.user_certificate_chain) = read_certificates(options.certificate)
        client.user_private_key = read_key(options.key)
    else:
        raise ConnectorError(f"{name} does not accept anonymous clients; give a user and a password that it accepts")


def _check(
    seen: Sequence[x509.Certificate],
    trusted: Sequence[x509.Certificate],
    endpoint: ua.EndpointDescription,
    name: str,
) -> None:
    """Raise ConnectorError unless the server's certificate is trusted, valid now, and its own."""
    own = seen[0]
    shown = f"the certificate {own.subject.rfc4514_string()} (SHA-256 {own.fingerprint(hashes.SHA256()).hex()})"
    if not is_vouched_for(seen, trusted):
        raise ConnectorError(
            f"{name} is not trusted: no authority has signed {shown}; if it is the machine's, give it as the authority"
        )
    now = datetime.now(UTC)
    if not own.not_valid_before_utc <= now <= own.not_valid_after_utc:
        raise ConnectorError(
            f"{name} is not trusted: {shown} is valid from {own.not_valid_before_utc:%Y-%m-%d} to "
            f"{own.not_valid_after_utc:%Y-%m-%d} only; renew it on the machine"
        )
    uri = application_of(own)
    if uri != endpoint.Server.ApplicationUri:
        raise ConnectorError(f"{name} is not trusted: it is {endpoint.Server.ApplicationUri}, and {shown} is of {uri}")


def _check_host(certificate: x509.Certificate, client: BoundedClient, name: str, told: Told) -> None:
    """Warn if a certificate is for another host. It is no error, since machines are moved."""
    names = alternatives_of(certificate)
    hosts = {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}
    host = client.server_url.hostname or ""
    if host.lower() not in {each.lower() for each in hosts}:
        told.warn(f"{name} has a certificate for {', '.join(sorted(hosts)) or 'no host'}, not for {host}")


def _properties(certificate: x509.Certificate) -> CertProperties:
    return CertProperties(certificate.public_bytes(serialization.Encoding.DER), "der")
