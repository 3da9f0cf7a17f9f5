"""The admin endpoints. Switched on by `[admin] enabled`; keep them off the open internet.

GET /-/health       200 while requests are answered
GET /-/counters     what has been counted, one `name value` per line
GET /-/about        which server this is, as JSON: version, build, instance, uptime, certificate fingerprint
"""

import time

from lantern.config.settings import Settings
from lantern.http.request import Request
from lantern.http.response import Response, as_json, text
from lantern.routing import Router
from lantern.runtime.counters import Counters
from lantern.runtime.identity import Identity
from lantern.tls.fingerprint import server_fingerprint


def mount_admin(router: Router, settings: Settings, identity: Identity, counters: Counters) -> None:
    """Add the admin endpoints to a router."""
    prefix = settings.admin.prefix.rstrip("/")
    certificate = server_fingerprint(settings.tls.certificate) if settings.tls else None

    def about(_: Request) -> Response:
        facts = {
            "product": identity.product,
            "build": identity.build,
            "instance": identity.instance,
            "uptime_s": round(time.time() - identity.started_at, 1),
            "certificate_fingerprint": certificate,
        }
        return as_json(facts)

    def counts(_: Request) -> Response:
        return text("".join(f"{name} {value}\n" for name, value in counters.snapshot().items()))

    router.add(f"{prefix}/health", _ok)
    router.add(f"{prefix}/counters", counts)
    router.add(f"{prefix}/about", about)


def _ok(_: Request) -> Response:
    response = text("ok\n")
    response.headers.set("Cache-Control", "no-store")
    return response
