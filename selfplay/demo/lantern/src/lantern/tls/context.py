"""TLS settings turned into what `ssl` works with."""

import ssl

from lantern.config.settings import Tls
from lantern.errors import ConfigError

_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


def server_context(settings: Tls) -> ssl.SSLContext:
    """The context for a server's sockets. Raises ConfigError for a certificate or version that can't be used."""
    if settings.minimum_version not in _VERSIONS:
        raise ConfigError(f"tls: minimum_version is one of {', '.join(_VERSIONS)}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[settings.minimum_version]
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"tls: {settings.certificate} and {settings.key} can't be used: {error}") from error
    return context
