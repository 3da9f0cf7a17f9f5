"""HTTP status codes of a response: their reason phrases and what each allows."""

from http import HTTPStatus

_OURS = {418: "I'm a Teapot", 425: "Too Early"}


def reason(status: int) -> str:
    """The phrase after the status code in a response's first line; empty for a code nobody has named."""
    if status in _OURS:
        return _OURS[status]
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def is_interim(status: int) -> bool:
    """Whether another, final response follows this one (100 Continue and its kin)."""
    return 100 <= status < 200


def forbids_body(status: int) -> bool:
    """Whether a response of this status never has content, whatever its header fields say (RFC 9110, 6.4.1)."""
    return is_interim(status) or status in {204, 304}


def is_error(status: int) -> bool:
    """Whether the response reports a failure of the client (4xx) or of the server (5xx)."""
    return status >= 400
