"""The first part of a message: request line or status line, and header fields, from lines to objects.

Strict on purpose. Two servers that read one message differently is how requests are smuggled past a proxy, so what
RFC 9112 calls obsolete or invalid is refused here: folded lines, blanks before a colon, a length given twice.
"""

import re
from collections.abc import Sequence

from lantern.errors import BadMessage
from lantern.http.headers import Headers

_METHOD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}")
_TARGET = re.compile(rb"[\x21-\x7e\x80-\xff]+")
_VERSION = re.compile(rb"HTTP/(\d)\.(\d)")
_DIGITS = re.compile(r"[0-9]{1,18}")


def parse_request_line(line: bytes) -> tuple[str, str, tuple[int, int]]:
    """Method, target and version. Raises BadMessage with the status to answer."""
    parts = line.split(b" ")
    if len(parts) != 3:
        raise BadMessage(400, "the request line needs a method, a target and a version")
    method, target, version = parts
    number = _VERSION.fullmatch(version)
    if not _METHOD.fullmatch(method) or not _TARGET.fullmatch(target) or number is None:
        raise BadMessage(400, "the request line is malformed")
    if number[1] != b"1":
        raise BadMessage(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    if not target.startswith((b"/", b"http://", b"https://")) and target != b"*":
        raise BadMessage(400, "the target is neither a path nor an address")
    if target == b"*" and method != b"OPTIONS":
        raise BadMessage(400, "only OPTIONS can ask about the server as a whole")
    return method.decode("ascii"), target.decode("latin-1"), (1, int(number[2]))


def parse_status_line(line: bytes) -> tuple[tuple[int, int], int, str]:
    """Version, status code and reason phrase of a response. Raises BadMessage."""
    version, _, rest = line.partition(b" ")
    code, _, phrase = rest.partition(b" ")
    number = _VERSION.fullmatch(version)
    if number is None or number[1] != b"1" or not re.fullmatch(rb"[1-9]\d\d", code):
        raise BadMessage(502, "the status line is malformed")
    return (1, int(number[2])), int(code), phrase.decode("latin-1")


def parse_headers(lines: Sequence[bytes]) -> Headers:
    """The header section, one header per line. Raises BadMessage."""
    headers = Headers()
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or line[:1] in b" \t":
            raise BadMessage(400, "a header line is malformed")
        try:
            headers.add(name.decode("ascii"), value.decode("latin-1"))
        except ValueError as error:
            raise BadMessage(400, "a header line is malformed") from error
    return headers


def check_request(version: tuple[int, int], headers: Headers) -> None:
    """Raise BadMessage unless the request names its host as its version demands."""
    hosts = headers.get_all("Host")
    if len(hosts) > 1 or (not hosts and version >= (1, 1)):
        raise BadMessage(400, "exactly one Host header is needed")


def body_length(headers: Headers) -> int | None:
    """Bytes of the body: a number, or None for a chunked one. No header means 0. Raises BadMessage."""
    codings = headers.tokens("Transfer-Encoding")
    lengths = set(headers.get_all("Content-Length"))
    if codings and lengths:
        raise BadMessage(400, "a body has a length or is chunked, not both")
    if codings and codings != ["chunked"]:
        raise BadMessage(501, "the only transfer coding is chunked")
    if codings:
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not _DIGITS.fullmatch(only := lengths.pop()):
        raise BadMessage(400, "Content-Length is not one number")
    return int(only)
