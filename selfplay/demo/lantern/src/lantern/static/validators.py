"""Cache validators: how a client asks whether the copy it has is still good (RFC 9110, section 13).

The entity tag is a fingerprint of the file: it is returned as the `ETag` header of the response, and the client sends
it back in `If-None-Match`.
"""

import hashlib
import os
import re

from lantern.http.dates import http_date, parse_http_date
from lantern.http.headers import Headers
from lantern.http.request import Request

_FINGERPRINTED = re.compile(r"[.-][0-9a-f]{8,64}\.[a-z0-9]+$")


def file_fingerprint(info: os.stat_result) -> str:
    """16 hex digits that change when the file does. Made of its size and time: no byte of it is read."""
    return hashlib.sha256(f"{info.st_size}:{info.st_mtime_ns}".encode()).hexdigest()[:16]


def validator_headers(info: os.stat_result, name: str, max_age_s: int) -> Headers:
    """The headers of a response that let a client cache the file."""
    headers = Headers([("ETag", f'"{file_fingerprint(info)}"'), ("Last-Modified", http_date(info.st_mtime))])
    if _FINGERPRINTED.search(name):  # `app.3f2a9c1b.css`: new content comes under a new name
        headers.add("Cache-Control", "public, max-age=31536000, immutable")
    else:
        headers.add("Cache-Control", f"public, max-age={max_age_s}")
    return headers


def is_unchanged(request: Request, headers: Headers) -> bool:
    """Whether the client's copy is good. An entity tag, if it sent any, decides; the date is only asked without."""
    tags = [tag.removeprefix("w/") for tag in request.headers.tokens("If-None-Match")]
    if tags:
        return "*" in tags or headers.get("ETag") in tags
    since = parse_http_date(request.headers.get("If-Modified-Since"))
    modified = parse_http_date(headers.get("Last-Modified"))
    return since is not None and modified is not None and modified <= since


def may_send_part(request: Request, headers: Headers) -> bool:
    """Whether `Range` counts: without `If-Range`, or when it names the state that we have."""
    condition = request.headers.get("If-Range")
    return not condition or condition in {headers.get("ETag"), headers.get("Last-Modified")}
