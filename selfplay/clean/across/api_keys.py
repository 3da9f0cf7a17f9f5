r"""The keys of this run, looked for in every text: they are known, so nothing needs to be guessed.

A key is also found where the text is JSON inside JSON (escaped several times over, any character as `\uXXXX`),
percent-encoded, or base64 (as in a header for basic authentication). A key is never shown: what is reported is its
variable's name.
"""

import base64
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import orjson

from selfplay.models.openai.endpoint import SHORTEST_SECRET

DEPTH = 4
"""Layers of JSON that are looked through."""
_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|(["\\/]))')


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key by the name of its variable, in every form that is looked for."""

    name: str
    forms: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Key({self.name!r})"


class KnownKeys:
    """The keys that must not be in any text."""

    def __init__(self, keys: Iterable[KnownKey]) -> None:
        self._keys = tuple(keys)

    def names_in(self, text: str) -> tuple[str, ...]:
        """Names of the variables whose values stand in the text."""
        if not self._keys:
            return ()
        layers = list(_unescaped_layers(text))
        return tuple(key.name for key in self._keys if any(form in layer for layer in layers for form in key.forms))

    def redact(self, text: str) -> str:
        """The text with every key in it blotted out; all of the text where a key stands in it in disguise."""
        for key in self._keys:
            for form in key.forms:
                text = text.replace(form, f"[{key.name}]")
        return f"[{', '.join(names)}]" if (names := self.names_in(text)) else text


def keys_of(names: Iterable[str], environ: Mapping[str, str] = os.environ) -> KnownKeys:
    """The keys in these environment variables; one too short to protect anything (`EMPTY`) is none."""
    values = ((name, environ.get(name, "").strip()) for name in dict.fromkeys(names))
    return KnownKeys(KnownKey(name, _key_forms(value)) for name, value in values if len(value) >= SHORTEST_SECRET)


def _key_forms(value: str) -> tuple[str, ...]:
    escaped = orjson.dumps(value).decode()[1:-1]
    return tuple(dict.fromkeys((value, escaped, quote(value, safe=""), *_base64_forms(value.encode()))))


def _base64_forms(value: bytes) -> Iterator[str]:
    """What of the key's base64 does not depend on its neighbours, for each of the three ways it can be aligned."""
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + value).decode()
        first = -(-shift * 8 // 6)
        last = (shift + len(value)) * 8 // 6
        yield whole[first:last]


def _unescaped_layers(text: str) -> Iterator[str]:
    """The text, then the text without one layer of JSON's escapes after the other."""
    yield text
    for _ in range(DEPTH):
        if "\\" not in text:
            return
        text = _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)
        yield text
