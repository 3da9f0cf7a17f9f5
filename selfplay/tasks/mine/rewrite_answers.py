"""What a model answered, kept beside the tasks and read when it is asked again. Append-only, one JSON object a line."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import orjson
from pydantic import ValidationError

from selfplay.core.errors import InputError
from selfplay.core.files import convert_os_errors
from selfplay.core.message import Noun


class RewriteAnswer(Noun):
    """One reply."""

    key: str
    """Of the request: the model's name and every byte that is sent."""
    text: str
    is_whole: bool = True
    """False where the model ran into its length limit or refused."""
    input_tokens: int = 0
    output_tokens: int = 0


class RewriteAnswerFile:
    """The replies in a file. For one process at a time; use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, RewriteAnswer] = {}

    def __enter__(self) -> Self:
        """Read what is there. Raises InputError for a file of another kind, ExportError where none can be made."""
        with convert_os_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._known = {answer.key: answer for answer in self._read()}
        return self

    def _read(self) -> Iterator[RewriteAnswer]:
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):  # a line that a killed process left
            os.ftruncate(self._descriptor, len(whole))
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                yield RewriteAnswer.model_validate_json(line)
            except ValidationError:
                raise InputError(
                    f"{self._path}:{number}: not an answer to a rewrite; move the file away to ask anew"
                ) from None

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def get(self, key: str) -> RewriteAnswer | None:
        """The answer to that request, if it was given before."""
        return self._known.get(key)

    def put(self, answer: RewriteAnswer) -> None:
        """Keep an answer, on disk before this returns. Raises ExportError."""
        with convert_os_errors(self._path):
            line = orjson.dumps(answer.model_dump()) + b"\n"
            written = os.write(self._descriptor, line)
            if written != len(line):
                raise OSError(28, "no space left on the device")
            os.fsync(self._descriptor)
        self._known[answer.key] = answer
