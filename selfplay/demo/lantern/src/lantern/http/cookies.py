"""Cookies: the `Cookie` header of a request read, the `Set-Cookie` header of a response written (RFC 6265)."""

import re
from dataclasses import dataclass
from typing import Literal

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")


def parse_cookies(header: str) -> dict[str, str]:
    """Names and values of a `Cookie` header. Parts that are no cookie are skipped; the first of a name wins."""
    found: dict[str, str] = {}
    for part in header.split(";"):
        name, equals, value = part.strip().partition("=")
        if equals and _NAME.fullmatch(name):
            found.setdefault(name, value.strip('"'))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCookie:
    """One cookie for a browser to keep."""

    name: str
    value: str
    path: str = "/"
    max_age_s: int | None = None
    """None keeps the cookie until the browser ends; 0 deletes it."""
    secure: bool = False
    http_only: bool = True
    same_site: Literal["Strict", "Lax", "None"] = "Lax"

    def __str__(self) -> str:
        """The header's value. Raises ValueError for a name or value that can't be written."""
        if not _NAME.fullmatch(self.name) or not _VALUE.fullmatch(self.value):
            raise ValueError(f"cookie {self.name!r} can't be written: encode its value first")
        parts = [f"{self.name}={self.value}", f"Path={self.path}", f"SameSite={self.same_site}"]
        if self.max_age_s is not None:
            parts.append(f"Max-Age={self.max_age_s}")
        if self.secure:
            parts.append("Secure")
        if self.http_only:
            parts.append("HttpOnly")
        return "; ".join(parts)
