"""Read files with traces of other projects. What a file is shows in its content, not in its name."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import orjson

from selfplay.clean.importing.atif import read_atif
from selfplay.clean.importing.chat import read_chat, read_openai_pair, read_trl_pair
from selfplay.clean.importing.imported_trace import ImportedTrace, UnreadDocument, catch_unreadable
from selfplay.clean.importing.mini_swe_agent import read_mini_swe_agent
from selfplay.clean.importing.swe_agent import read_swe_agent
from selfplay.core.errors import InputError
from selfplay.core.json_rows import escape_undecodable

DocumentReader = Callable[[Any, str], Iterator[ImportedTrace | UnreadDocument]]

FORMATS = "OpenAI chat rows, SWE-agent, mini-swe-agent and ATIF"


def read_traces(path: Path) -> Iterator[ImportedTrace | UnreadDocument]:
    """Every trace in a file, in order, or why there is none in its place. Raises InputError if the file can't be read.

    A file is one JSON document, or one a line.
    """
    for where, value in read_json_documents(path):
        if isinstance(value, UnreadDocument):
            yield value
        else:
            yield from read_document(value, where)


def read_json_documents(path: Path) -> Iterator[tuple[str, object]]:
    """Each JSON document with where it stands; an UnreadDocument in place of what is none.

    A file whose first line is a JSON object has one a line, and so has one that is no JSON as a whole and whose other
    lines mostly are objects: its first line is damaged. Raises InputError if the file can't be read.
    """
    try:
        with path.open("rb") as file:
            first = next((line for line in file if line.strip()), b"")
            if isinstance(_parse_or_none(first), dict):
                file.seek(0)
                yield from _read_lines(file, path)
                return
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error
    if not data.strip():
        return
    document = _parse_document(data, escape_undecodable(path))
    if isinstance(document, UnreadDocument) and _is_mostly_objects(data.strip().split(b"\n")[1:]):
        yield from _read_lines(data.split(b"\n"), path)
    else:
        yield escape_undecodable(path), document


def _is_mostly_objects(lines: list[bytes]) -> bool:
    """Whether more than half of the lines that are not blank are JSON objects, from their first character on."""
    filled = [line for line in lines if line.strip()]
    return 2 * sum(line.startswith(b"{") and isinstance(_parse_or_none(line), dict) for line in filled) > len(filled)


def _read_lines(file: Iterable[bytes], path: Path) -> Iterator[tuple[str, object]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            where = f"{escape_undecodable(path)}:{number}"
            yield where, _parse_document(line, where)


def _parse_document(data: bytes, where: str) -> object:
    try:
        return orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        return UnreadDocument(where=where, reason=f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})")


def _parse_or_none(data: bytes) -> object:
    try:
        return orjson.loads(data.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None


def read_document(value: object, where: str) -> Iterator[ImportedTrace | UnreadDocument]:
    """The traces in one JSON document; an UnreadDocument in place of what can't be read."""
    reader = find_reader(value)
    if reader is None:
        keys = ", ".join(sorted(map(str, cast("dict[str, Any]", value)))[:8]) if isinstance(value, dict) else ""
        what = f"an object with the keys {keys or 'none'}" if isinstance(value, dict) else f"a {type(value).__name__}"
        yield UnreadDocument(where=where, reason=f"not recognised: {what}; known are {FORMATS}")
        return
    yield from catch_unreadable(reader(value, where), where)


def find_reader(value: object) -> DocumentReader | None:  # noqa: PLR0911  one line for each format
    """What reads a document, by the keys it has."""
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return read_mini_swe_agent if items and all(isinstance(i, dict) and "role" in i for i in items) else None
    if not isinstance(value, dict):
        return None
    row = cast("dict[str, Any]", value)
    if "schema_version" in row and "steps" in row:
        return read_atif
    if "trajectory" in row or "history" in row or "attempts" in row:
        return read_swe_agent
    if "messages" in row:
        return read_mini_swe_agent if "trajectory_format" in row or "info" in row else read_chat
    if "preferred_output" in row:
        return read_openai_pair
    return read_trl_pair if {"prompt", "chosen", "rejected"} <= row.keys() else None
