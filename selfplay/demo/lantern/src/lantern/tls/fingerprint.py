"""Fingerprints of certificates: how an operator, or a client that pins, tells that it talks to the right server.

The fingerprint of the server's certificate is shown on the admin pages. It says which certificate the server has, not
which server software or build is running behind it.
"""

import hashlib
import hmac
import ssl
from pathlib import Path

from lantern.errors import ConfigError

_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


def certificate_fingerprint(der: bytes) -> str:
    """SHA-256 of a certificate as `openssl x509 -fingerprint -sha256` prints it: `AB:CD:...`, 32 bytes."""
    return ":".join(f"{byte:02X}" for byte in hashlib.sha256(der).digest())


def server_fingerprint(certificate: Path) -> str:
    """The fingerprint of the server's own certificate: the first one of a PEM file. Raises ConfigError."""
    try:
        text = certificate.read_text(encoding="ascii")
        first = text[text.index(_BEGIN) : text.index(_END) + len(_END)]
        return certificate_fingerprint(ssl.PEM_cert_to_DER_cert(first))
    except (OSError, ValueError) as error:
        raise ConfigError(f"tls: {certificate} holds no certificate") from error


def matches_pin(der: bytes | None, pin: str) -> bool:
    """Whether a certificate that a server showed has the fingerprint that a client expects, however that is written."""
    if der is None:
        return False
    wanted = pin.replace(":", "").strip().lower()
    return hmac.compare_digest(hashlib.sha256(der).hexdigest().encode(), wanted.encode())
