"""What a model answered, kept beside the tasks and read when it is asked again. Append-only, one JSON object a line."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from selfplay.core.errors import InputError
from selfplay.core.jsonl import AppendOnlyFile, json_line
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
        self._file = AppendOnlyFile(path, user="is mining here")
        self._known: dict[str, RewriteAnswer] = {}

    def __enter__(self) -> Self:
        """Read what is there.

        Raises InputError for a file of another kind, StorageError where none can be made, JournalError while another
        process has it.
        """
        with ExitStack() as stack:
            stack.enter_context(self._file)
            self._known = {answer.key: answer for answer in self._read()}
            stack.pop_all()
        return self

    def _read(self) -> Iterator[RewriteAnswer]:
        for number, line in self._file.read_lines():
            try:
                yield RewriteAnswer.model_validate_json(line)
            except ValidationError:
                raise InputError(
                    f"{self._file.path}:{number}: not an answer to a rewrite; move the file away to ask anew"
                ) from None

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        """Close the file."""
        self._file.close()

    def get(self, key: str) -> RewriteAnswer | None:
        """The answer to that request, if it was given before."""
        return self._known.get(key)

    def put(self, answer: RewriteAnswer) -> None:
        """Keep an answer, on disk before this returns. Raises StorageError."""
        self._file.append(json_line(answer.model_dump()))
        self._file.sync()
        self._known[answer.key] = answer
