"""Error pages: what a client gets to read when something went wrong, as HTML or as JSON."""

from html import escape
from string import Template

from lantern.errors import HttpError
from lantern.http.request import Request
from lantern.http.response import Response, as_json, html
from lantern.http.status import reason

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>$status $reason</title>
<h1>$status $reason</h1>
<p>$detail</p>
<hr>
<p><small>lantern</small></p>
</html>
""")


def error_page(request: Request, error: HttpError) -> Response:
    """The response for an error, in the form that the request prefers, with the error's own headers."""
    if _prefers_json(request):
        page = as_json({"status": error.status, "reason": reason(error.status), "detail": error.detail}, error.status)
    else:
        text = _PAGE.substitute(status=error.status, reason=escape(reason(error.status)), detail=escape(error.detail))
        page = html(text, error.status)
    for name, value in error.headers.items():
        page.headers.set(name, value)
    page.headers.set("Cache-Control", "no-store")
    return page


def _prefers_json(request: Request) -> bool:
    accepted = [kind.partition(";")[0].strip() for kind in request.headers.tokens("Accept")]
    return "application/json" in accepted and "text/html" not in accepted
