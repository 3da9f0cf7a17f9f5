"""HTTP header fields: ordered, case-insensitive, and safe to write into a request or a response.

Names and values are checked when a header is added, so that nothing a user sent can smuggle a second header or a
second response into a message (response splitting).
"""

import re
from collections.abc import Iterable, Iterator

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Headers:
    """The header section of one message. A name may occur several times; the order of arrival is kept."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._pairs: list[tuple[str, str]] = []
        for name, value in pairs:
            self.add(name, value)

    def add(self, name: str, value: str) -> None:
        """Append a header. Raises ValueError for a name or value that can't stand in a message."""
        if not _TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is no header name")
        value = value.strip(" \t")
        if _CONTROL.search(value):
            raise ValueError(f"header {name} holds a control character: {value!r}")
        value.encode("latin-1")  # UnicodeEncodeError is a ValueError
        self._pairs.append((name, value))

    def set(self, name: str, value: str) -> None:
        """Replace every header of that name by one."""
        self.remove(name)
        self.add(name, value)

    def set_default(self, name: str, value: str) -> None:
        """Add the header unless there is one of that name."""
        if name not in self:
            self.add(name, value)

    def remove(self, name: str) -> None:
        """Drop every header of that name; none is fine too."""
        wanted = name.lower()
        self._pairs = [pair for pair in self._pairs if pair[0].lower() != wanted]

    def get(self, name: str, default: str = "") -> str:
        """The first value of that header, or `default`."""
        wanted = name.lower()
        return next((value for key, value in self._pairs if key.lower() == wanted), default)

    def get_all(self, name: str) -> list[str]:
        """Every value of that header, in order of arrival."""
        wanted = name.lower()
        return [value for key, value in self._pairs if key.lower() == wanted]

    def tokens(self, name: str) -> list[str]:
        """The members of a comma-separated header, lower-case: `Connection: Keep-Alive, TE` is two."""
        joined = ",".join(self.get_all(name))
        return [token for part in joined.split(",") if (token := part.strip().lower())]

    def copy(self) -> "Headers":
        """An independent copy."""
        twin = Headers()
        twin._pairs = list(self._pairs)
        return twin

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(key.lower() == name.lower() for key, _ in self._pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def __repr__(self) -> str:
        return f"Headers({self._pairs!r})"
