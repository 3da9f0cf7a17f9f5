"""Rows of JSON from outside: read strictly, one a line, with errors that say where and what."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from selfplay.core.errors import InputError
from selfplay.core.message import Noun

RowType = TypeVar("RowType", bound=Noun)


def escape_undecodable(name: Path | str) -> str:
    r"""A path, or a text with one in it, as UTF-8 can carry it: bytes of a name that are no UTF-8 as `\xff`."""
    return os.fsencode(name).decode(errors="backslashreplace")


def parse_row(row: type[RowType], line: str | bytes, where: str) -> RowType:
    """One line as a `row`, strictly: no unknown and no repeated key. Raises InputError beginning with `where`."""
    try:
        value = json.loads(line, object_pairs_hook=_refuse_repeated)
        orjson.dumps(value)
        return row.model_validate_json(line)
    except _RepeatedKeyError as error:
        raise InputError(f"{where}: the key {error} stands twice in one object") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{where}: not UTF-8 ({error.reason} at byte {error.start})") from None
    except RecursionError:
        raise InputError(f"{where}: nested too deeply") from None
    except orjson.JSONEncodeError as error:
        raise InputError(f"{where}: holds a value that JSON of this program can't carry: {error}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON: {error.msg} at column {error.colno}") from None
    except ValidationError as error:
        raise InputError(f"{where}: {explain_errors(error, {(): tuple(row.model_fields)})}") from None


class _RepeatedKeyError(ValueError):
    pass


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        raise _RepeatedKeyError(repr(next(name for name in names if names.count(name) > 1)))
    return value


KnownKeys = Mapping[tuple[int | str, ...], Sequence[str]]
"""The known keys, by where they stand."""


_KINDS = {
    "text": ("string_type",),
    "a whole number": ("int_type", "int_parsing", "int_from_float"),
    "a number": ("float_type", "float_parsing"),
    "true or false": ("bool_type", "bool_parsing"),
    "a list": ("list_type", "tuple_type", "set_type", "frozen_set_type"),
    "an object (in TOML a table)": ("dict_type", "model_type", "model_attributes_type"),
}
_MESSAGES = {error: f"must be {kind}, is {{given}}" for kind, errors in _KINDS.items() for error in errors} | {
    "greater_than_equal": "must be at least {ge:g}, is {given}",
    "greater_than": "must be more than {gt:g}, is {given}",
    "less_than_equal": "must be at most {le:g}, is {given}",
    "less_than": "must be less than {lt:g}, is {given}",
    "finite_number": "must be a finite number",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "string_too_short": "is empty",
    "too_short": "must hold at least {min_length}, holds {actual_length}",
    "too_long": "must hold at most {max_length}",
}
"""By pydantic's name of an error: what is wrong, to stand behind the place."""
_NAMES: dict[type, str] = {str: "text", dict: "an object", list: "a list", tuple: "a list"}


def explain_errors(error: ValidationError, known: KnownKeys) -> str:
    """Pydantic's errors in one line of plain words. `known` serves to suggest keys for misspelt ones."""
    parts = error.errors(include_url=False)
    inner = [
        part for part in parts if part["type"] != "too_short"
    ]  # a list is also too short where its items are wrong
    return "; ".join(dict.fromkeys(_explain_error(part, known) for part in inner or parts))


def _explain_error(part: ErrorDetails, known: KnownKeys) -> str:
    kind, loc, location = part["type"], part["loc"], _format_location(part["loc"])
    if kind == "extra_forbidden":
        near = get_close_matches(str(loc[-1]), known.get(loc[:-1], ()), n=1)
        return f"unknown key {location!r}" + (
            f", did you mean {_format_location((*loc[:-1], near[0]))!r}?" if near else ""
        )
    if kind == "missing" and isinstance(loc[-1], int):
        return f"{_format_location(loc[:-1])!r} has too few items"
    if kind == "missing":
        return f"the key {location!r} is missing"
    if kind in _MESSAGES:
        message_text = _MESSAGES[kind].format(**part.get("ctx", {}), given=_describe_value(part["input"]))
        return f"{location!r} {message_text}" if location else f"it {message_text}"
    message = part["msg"].removeprefix("Value error, ")
    return f"{location!r}: {message}" if location else message


def _describe_value(value: object) -> str:
    """A value in an error; of text only that it is text, since it may be a key."""
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    return _NAMES.get(type(value), f"a {type(value).__name__}")


def _format_location(loc: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")


def read_rows(
    path: Path, row: type[RowType], choose: Callable[[bytes], type[RowType]] | None = None
) -> Iterator[tuple[str, RowType]]:
    """Each line of a JSONL file with where it stands (`FILE:LINE`); blank lines are skipped.

    `choose` says of a line which kind of `row` it should be, where there are several.

    Raises InputError at the first line that is no `row`.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                where = f"{path}:{number}"
                if line.strip():
                    text = line.strip().removeprefix(b"\xef\xbb\xbf")
                    yield where, parse_row(choose(text) if choose else row, text, where)
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from error
