"""Hold lines on disk until all are there, then give them back in order: memory does not grow with their number."""

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from selfplay.core.errors import ExportError


class Spool:
    """Lines of several piles, each under the id of its episode."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute("PRAGMA journal_mode = OFF")  # it lives no longer than the export
        database.execute("PRAGMA synchronous = OFF")
        database.execute("CREATE TABLE line (pile TEXT, episode TEXT, content BLOB, PRIMARY KEY (pile, episode))")
        database.execute("CREATE TABLE episode (id TEXT PRIMARY KEY)")

    def register(self, episode: str) -> None:
        """Take note of an episode. Raises ExportError if it has been here before."""
        try:
            self._database.execute("INSERT INTO episode VALUES (?)", (episode,))
        except sqlite3.IntegrityError:
            raise ExportError(
                f"two traces of the episode {episode!r}; leave one of them out, or name one run's folder"
            ) from None

    def put(self, pile: str, episode: str, line: bytes) -> None:
        """Add a line, or several, to a pile; one time for each episode. Raises ExportError when the disk is full."""
        try:
            self._database.execute("INSERT INTO line VALUES (?, ?, ?)", (pile, episode, line))
        except sqlite3.OperationalError as error:
            raise ExportError(
                f"can't hold the rows of {episode!r}: {error}; make room, or choose another place"
            ) from error

    def remove(self, pile: str, episode: str) -> None:
        """Remove an episode's line from a pile, if it is there."""
        self._database.execute("DELETE FROM line WHERE pile = ? AND episode = ?", (pile, episode))

    def lines_of(self, pile: str, episode: str) -> bytes:
        """An episode's lines of a pile; empty if it has none."""
        query = "SELECT content FROM line WHERE pile = ? AND episode = ?"
        found = self._database.execute(query, (pile, episode)).fetchone()
        return b"" if found is None else found[0]

    def lines(self, pile: str) -> Iterator[bytes]:
        """A pile's lines, by episode in code point order."""
        for _, line in self.items(pile):
            yield line

    def items(self, pile: str) -> Iterator[tuple[str, bytes]]:
        """The same, each with its episode."""
        query = "SELECT episode, content FROM line WHERE pile = ? ORDER BY episode"
        with closing(self._database.execute(query, (pile,))) as found:
            yield from found


@contextmanager
def open_spool(path: Path) -> Generator[Spool]:
    """A spool in a new file at `path`, closed at the end; whoever owns the folder removes the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        yield Spool(database)
