"""Response headers that ask browsers to be careful: no sniffing, no framing, no plain HTTP.

They are for pages that browsers show. A header that every HTTP response of the server must carry, whoever made the
response, does not belong here: middleware can be switched off, and never sees what is refused before it.
"""

from lantern.config.settings import Security
from lantern.http.request import Request
from lantern.http.response import Response
from lantern.middleware import Middleware
from lantern.routing import Endpoint

_ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "strict-origin-when-cross-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)


def security_headers(settings: Security) -> Middleware:
    """Middleware that adds the security headers to a response unless the handler has set them itself."""

    def add_headers(request: Request, inner: Endpoint) -> Response:
        response = inner(request)
        for name, value in _ALWAYS:
            response.headers.set_default(name, value)
        if _is_html(response):
            response.headers.set_default("Content-Security-Policy", settings.content_security_policy)
        if request.secure and settings.hsts_max_age_s > 0:
            response.headers.set_default("Strict-Transport-Security", f"max-age={settings.hsts_max_age_s}")
        return response

    return add_headers


def _is_html(response: Response) -> bool:
    return response.headers.get("Content-Type").startswith("text/html")
