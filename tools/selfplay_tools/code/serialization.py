"""What is known of a file as code, as bytes to keep with the repository.

Kept under a key that changes whenever the way to read definitions does: it holds a digest of the modules and queries
that decide what is read, and the versions of the grammars.
"""

import hashlib
from array import array
from dataclasses import fields
from functools import cache
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path
from typing import Any

import orjson

from selfplay_tools.code.definitions import Definition
from selfplay_tools.code.languages import LANGUAGES
from selfplay_tools.code.syntax import ByteRanges

_MODULES = (
    *"c_source definitions languages lexer names serialization syntax".split(),
    "../text/decoding",
)

_values_of = attrgetter(*(field.name for field in fields(Definition)))


@cache
def reading_version() -> str:
    """Names the way in which definitions are read now."""
    folder = Path(__file__).parent
    files = [folder / f"{name}.py" for name in _MODULES] + sorted((folder / "queries").glob("*.scm"))
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes() + b"\0")
    wheels = sorted({language.wheel.partition(".")[0] for language in LANGUAGES.values()} | {"tree_sitter"})
    for wheel in wheels:
        digest.update(f"{wheel} {version(wheel.replace('_', '-'))}\0".encode())
    return digest.hexdigest()[:16]


def note_key_of(oid: str, suffix: str) -> str:
    """Under which a content is kept; its language follows from the content and the suffix."""
    return f"code {reading_version()} {oid} {suffix}"


def pack_code(language: str, definitions: tuple[Definition, ...], non_code: ByteRanges | None, problem: str) -> bytes:
    """All that is known of one file, as bytes."""
    spans = None if non_code is None else [non_code.starts.tolist(), non_code.ends.tolist()]
    return orjson.dumps([language, list(map(_values_of, definitions)), spans, problem])


def unpack_code(data: bytes) -> tuple[str, tuple[Definition, ...], ByteRanges | None, str]:
    """What `pack_code` was given."""
    found: list[Any] = orjson.loads(data)
    language, rows, spans, problem = found
    non_code = None if spans is None else ByteRanges(array("L", spans[0]), array("L", spans[1]))
    return language, tuple(Definition(*row) for row in rows), non_code, problem
