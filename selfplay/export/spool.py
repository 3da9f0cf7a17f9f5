"""Hold lines on disk until all are there, then give them back in order: memory does not grow with their number."""

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from selfplay.errors import ExportError

Pile = Literal["row", "note", "skipped"]


class Spool:
    """Lines of several piles, each line under the id of its episode."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute("PRAGMA journal_mode = OFF")  # it lives no longer than the export
        database.execute("PRAGMA synchronous = OFF")
        database.execute("CREATE TABLE line (pile TEXT, episode TEXT, content BLOB, PRIMARY KEY (pile, episode))")
        database.execute("CREATE TABLE episode (id TEXT PRIMARY KEY)")

    def enter(self, episode: str) -> None:
        """Take note of an episode. Raises ExportError if it has been here before."""
        try:
            self._database.execute("INSERT INTO episode VALUES (?)", (episode,))
        except sqlite3.IntegrityError:
            raise ExportError(f"two traces of the episode {episode!r}; leave one of them out") from None

    def put(self, pile: Pile, episode: str, line: bytes) -> None:
        """Add a line to a pile. Raises ExportError when the disk is full."""
        try:
            self._database.execute("INSERT INTO line VALUES (?, ?, ?)", (pile, episode, line))
        except sqlite3.OperationalError as error:
            raise ExportError(
                f"can't hold the rows of {episode!r}: {error}; make room, or choose another place"
            ) from error

    def lines(self, pile: Pile) -> Iterator[bytes]:
        """A pile's lines, by episode in code point order."""
        query = "SELECT content FROM line WHERE pile = ? ORDER BY episode"
        with closing(self._database.execute(query, (pile,))) as found:
            for (line,) in found:
                yield line


@contextmanager
def open_spool(path: Path) -> Generator[Spool]:
    """A spool in a new file at `path`, closed at the end; whoever owns the folder removes the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        yield Spool(database)
