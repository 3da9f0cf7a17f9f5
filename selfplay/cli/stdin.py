"""Standard input in the place of a file: `-`."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from selfplay.errors import InputError

STDIN = Path("-")

RowRenamer = Callable[[dict[str, Any]], dict[str, Any]]
"""A row that says `-` where it named the copy of standard input."""


@contextmanager
def open_inputs(files: Sequence[Path]) -> Generator[tuple[list[Path], RowRenamer]]:
    """The files, with a copy of standard input for `-`, which is gone afterwards: readers look at a file twice.

    An InputError that passes through names `-`, too. Raises InputError if `-` stands there twice.
    """
    if STDIN not in files:
        yield list(files), lambda row: row
        return
    if list(files).count(STDIN) > 1:
        raise InputError("-: standard input can be read only once")
    with tempfile.TemporaryDirectory(prefix="selfplay-stdin-") as folder:
        copy = Path(folder) / "stdin"
        with copy.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        try:
            yield (
                [copy if path == STDIN else path for path in files],
                lambda row: orjson.loads(orjson.dumps(row).replace(bytes(copy), bytes(STDIN))),
            )
        except InputError as error:
            raise InputError(str(error).replace(str(copy), str(STDIN))) from None
