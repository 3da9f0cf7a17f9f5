"""How many tokens a conversation has for the model that is to be trained on it.

Counted are all texts, the calls and the tools' schemas, and for each message an allowance for what the chat template
puts around it. With the target's tokenizer the count of the texts is exact; without one it is an estimate from their
size, and says so. The two are never added up or compared.
"""

import hashlib
import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson

from selfplay.clean.across.conversation import Conversation
from selfplay.core.errors import ConfigError

BYTES_PER_TOKEN = 3.5
"""Of UTF-8. Code was measured at 4.6 in o200k_base, so that the estimate is on the safe side."""
_BLOBS = "https://openaipublic.blob.core.windows.net/encodings/"
_RANKS = {
    "o200k_base": "o200k_base",
    "o200k_harmony": "o200k_base",
    "cl100k_base": "cl100k_base",
    "p50k_base": "p50k_base",
    "r50k_base": "r50k_base",
}
"""The file of ranks that each encoding needs."""


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """Counts tokens of a text."""

    name: str
    count: Callable[[str], int]
    is_exact: bool
    special: tuple[str, ...] = ()
    """Its control tokens, where it says which they are."""


@dataclass(frozen=True, slots=True)
class TokenLength:
    """Tokens of a conversation."""

    tokens: int
    is_exact: bool
    """False for an estimate from the texts' size."""

    def __str__(self) -> str:
        return f"{self.tokens} tokens" if self.is_exact else f"about {self.tokens} tokens"


def length_of(conversation: Conversation, tokenizer: Tokenizer, per_message: int) -> TokenLength:
    """Tokens of all that a model is given of a conversation."""
    tokens = tokenizer.count(orjson.dumps(conversation.tools).decode()) if conversation.tools else 0
    for message in conversation.messages:
        calls = [part for call in message.tool_calls for part in (call.name, call.arguments)]
        texts = (message.content, message.reasoning or "", *calls)
        tokens += per_message + sum(tokenizer.count(text) for text in texts if text)
    return TokenLength(tokens, tokenizer.is_exact)


def tokenizer_of(name: str | None) -> Tokenizer:
    """`tiktoken:NAME`, the path of a `tokenizer.json`, or None for the estimate. Raises ConfigError."""
    if name is None:
        return Tokenizer(f"bytes / {BYTES_PER_TOKEN}", _estimate_tokens, is_exact=False)
    kind, colon, rest = name.partition(":")
    return _load_tiktoken(rest) if colon and kind == "tiktoken" else _load_tokenizer_file(Path(name))


def _estimate_tokens(text: str) -> int:
    return math.ceil(len(text.encode(errors="replace")) / BYTES_PER_TOKEN)


def _load_tokenizer_file(path: Path) -> Tokenizer:
    try:
        library: Any = import_module("tokenizers")
    except ModuleNotFoundError:
        raise ConfigError(f"{path}: to count by it, pip install '.[tokenizers]' in selfplay's checkout") from None
    try:
        data = path.read_bytes()
        tokenizer = library.Tokenizer.from_buffer(data)
        added: list[dict[str, Any]] = orjson.loads(data).get("added_tokens") or []
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}; give a model's tokenizer.json") from error
    except Exception as error:  # noqa: BLE001  the library raises plain Exception for whatever is wrong with a file
        raise ConfigError(f"{path}: no tokenizer.json: {error}") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def count(text: str) -> int:
        return len(tokenizer.encode(text.encode(errors="replace").decode(), add_special_tokens=False).ids)

    special = tuple(token["content"] for token in added if token.get("special"))
    return Tokenizer(str(path), count, is_exact=True, special=special)


def _load_tiktoken(name: str) -> Tokenizer:
    if name not in _RANKS:
        raise ConfigError(f"tiktoken:{name}: no encoding of that name; there are {', '.join(_RANKS)}")
    file = (
        _tiktoken_folder()
        / hashlib.sha1(f"{_BLOBS}{_RANKS[name]}.tiktoken".encode(), usedforsecurity=False).hexdigest()
    )
    if not file.is_file():
        raise ConfigError(
            f"tiktoken:{name}: its ranks are not on this machine and nothing is downloaded: put "
            f"{_RANKS[name]}.tiktoken at {file} (TIKTOKEN_CACHE_DIR names the folder), or give a tokenizer.json"
        )
    import tiktoken  # noqa: PLC0415  only where lengths are counted by it

    try:
        encoding = tiktoken.get_encoding(name)
    except (OSError, ValueError) as error:  # a damaged file is fetched anew, which fails or gives other ranks
        raise ConfigError(f"tiktoken:{name}: {file} can't be used: {error}") from None

    def count(text: str) -> int:
        return len(encoding.encode(text, disallowed_special=()))

    return Tokenizer(f"tiktoken:{name}", count, is_exact=True)


def _tiktoken_folder() -> Path:
    """Where tiktoken looks for ranks."""
    named = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    return Path(named) if named is not None else Path(tempfile.gettempdir()) / "data-gym-cache"
