"""Rows from a file: JSONL, a JSON list, or Parquet."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, cast

from selfplay.core.errors import InputError

RowObject = dict[str, Any]


class _ParquetBatch(Protocol):
    def to_pylist(self) -> list[RowObject]: ...


class _ParquetFile(Protocol):
    def iter_batches(self, batch_size: int) -> Iterable[_ParquetBatch]: ...


def read_objects(path: Path) -> Iterator[tuple[str, RowObject | str]]:
    """Each row with where it stands (`FILE:LINE`, `FILE[NUMBER]`): an object, or why it is none.

    Raises InputError where the file as a whole can't be read.
    """
    try:
        if path.suffix in {".parquet", ".pq"}:
            yield from _read_parquet(path)
        elif _begins_with_list(path):
            yield from _read_json_list(path)
        else:
            yield from _read_json_lines(path)
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror or error}") from error


def _begins_with_list(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1000).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["


def _read_json_list(path: Path) -> Iterator[tuple[str, RowObject | str]]:
    try:
        values = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from None
    for number, value in enumerate(values):
        yield f"{path}[{number}]", _check_object(value)


def _read_json_lines(path: Path) -> Iterator[tuple[str, RowObject | str]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f"{path}:{number}", _parse_line(line)


def _parse_line(line: bytes) -> RowObject | str:
    try:
        return _check_object(json.loads(line.removeprefix(b"\xef\xbb\xbf").decode()))
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"


def _check_object(value: object) -> RowObject | str:
    return cast("RowObject", value) if isinstance(value, dict) else f"no object, but {type(value).__name__}"


def _read_parquet(path: Path) -> Iterator[tuple[str, RowObject | str]]:
    try:
        import pyarrow.parquet as parquet  # pyright: ignore  # noqa: PGH003, PLC0415, PLR0402  ships no types; optional
    except ImportError:
        raise InputError(
            f"{path}: Parquet needs pyarrow: pip install pyarrow, or write the rows as JSONL first"
        ) from None
    try:
        file = cast("_ParquetFile", cast("Any", parquet).ParquetFile(path))
        number = 0
        for batch in file.iter_batches(batch_size=256):
            for value in batch.to_pylist():
                yield f"{path}[{number}]", value
                number += 1
    except ValueError as error:  # what Arrow raises for a broken file
        raise InputError(f"{path}: no Parquet file: {error}") from None
