# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who the server is, and who we say we are: certificates, the best of the offered policies, and the login.

OPC UA has no authorities that the whole world trusts. Whoever gives a certificate of ours also says, by ``authority``,
whose certificates of servers count: the servers' own, or those of the authorities that signed them.
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

#: Policies that we speak, the best first. Others are broken, or older than OPC UA 1.04.
_POLICIES: tuple[type[SecurityPolicy], ...] = (
    security_policies.SecurityPolicyAes256Sha256RsaPss,
    security_policies.SecurityPolicyBasic256Sha256,
    security_policies.SecurityPolicyAes128Sha256RsaOaep,
)
_ENCRYPTED, _SIGNED = ua.MessageSecurityMode.SignAndEncrypt, ua.MessageSecurityMode.Sign


async def introduce(client: BoundedClient, options: Options, name: str, told: Told) -> None:
    """Prepare a client to talk as safely as the server offers; ``name`` names the server in sentences.

    ConnectorError where the server is not trusted, or offers nothing that we could use.
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
    ours, key = read_certificates(options.certificate), read_bytes(options.key)
    seen = chain_of(endpoint.ServerCertificate)
    if not seen:
        raise ConnectorError(f"{name} is not trusted: it shows no certificate that can be read")
    _check(seen, trusted_by(options.authority), endpoint, name)
    _check_host(seen[0], client, name, told)
    client.application_uri = application_of(ours[0]) or client.application_uri
    await client.set_security(
        policy,
        _properties(ours[0]),
        CertProperties(key, "pem" if is_pem(key) else "der"),
        server_certificate=_properties(seen[0]),
        mode=endpoint.SecurityMode,
        certificate_chain=[_properties(each) for each in ours[1:]],
    )


def _best(
    endpoints: Sequence[ua.EndpointDescription], options: Options, name: str, told: Told
) -> tuple[ua.EndpointDescription, type[SecurityPolicy] | None]:
    """Return the best endpoint, and its policy; None for no security."""
    offered = {(each.SecurityMode, each.SecurityPolicyUri): each for each in reversed(endpoints)}
    said = ", ".join(sorted({str(uri).rpartition("#")[2] for _, uri in offered})) or "nothing"
    if options.certificate:
        for mode in (_ENCRYPTED, _SIGNED):
            for policy in _POLICIES:
                if (mode, policy.URI) in offered:
                    if mode == _SIGNED:
                        told.warn(f"{name} signs what it sends, but does not encrypt it")
                    return offered[mode, policy.URI], policy
        raise ConnectorError(
            f"{name} offers no encryption that we know ({said}); leave out the certificate to trust it"
        )
    plain = offered.get((ua.MessageSecurityMode.None_, security_policies.SecurityPolicyNone.URI))
    if plain is None:
        raise ConnectorError(f"{name} wants encryption ({said}); give a certificate and a key of ours")
    told.warn(f"{name} is read without encryption, and nothing proves who it is; give a certificate and its key")
    return plain, None


def _log_in(client: BoundedClient, options: Options, endpoint: ua.EndpointDescription, name: str, told: Told) -> None:
    """Prepare who we say we are: the given user, else anybody, else the owner of our certificate."""
    accepted = {token.TokenType: token for token in endpoint.UserIdentityTokens or ()}
    kinds = ua.UserTokenType
    if options.user is not None:
        if kinds.UserName not in accepted:
            raise ConnectorError(f"{name} knows no users by name and password; leave them out")
        client.set_user(options.user)
        client.set_password(options.password or "")
        own = accepted[kinds.UserName].SecurityPolicyUri or endpoint.SecurityPolicyUri
        if own == security_policies.SecurityPolicyNone.URI and endpoint.SecurityMode != _ENCRYPTED:
            told.warn(f"{name} is sent the password in the clear; give a certificate and its key")
    elif kinds.Anonymous in accepted:
        return
    elif kinds.Certificate in accepted and options.certificate:
        (client.user_certificate, *client.user_certificate_chain) = read_certificates(options.certificate)
        client.user_private_key = read_key(options.key)
    else:
        raise ConnectorError(f"{name} does not let everybody in; give a user and a password that it knows")


def _check(
    seen: Sequence[x509.Certificate],
    trusted: Sequence[x509.Certificate],
    endpoint: ua.EndpointDescription,
    name: str,
) -> None:
    """Refuse a server whose certificate nobody vouches for, or is not its own."""
    own = seen[0]
    shown = f"the certificate {own.subject.rfc4514_string()} (SHA-256 {own.fingerprint(hashes.SHA256()).hex()})"
    if not is_vouched_for(seen, trusted):
        raise ConnectorError(
            f"{name} is not trusted: nobody vouches for {shown}; if it is the machine's, give it as the authority"
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
    """Warn where a certificate is not for the host that we talk to; machines are moved, and so no more than that."""
    names = alternatives_of(certificate)
    hosts = {*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))}
    host = client.server_url.hostname or ""
    if host.lower() not in {each.lower() for each in hosts}:
        told.warn(f"{name} shows a certificate for {', '.join(sorted(hosts)) or 'no host'}, not for {host}")


def _properties(certificate: x509.Certificate) -> CertProperties:
    return CertProperties(certificate.public_bytes(serialization.Encoding.DER), "der")
