"""Small things that took long to find out about a content, kept by key in one SQLite file.

Any number of processes may read and write. Whatever is wrong with the file, the answer is that nothing is known: each
value carries a checksum of itself and its key.
"""

import sqlite3
import zlib
from contextlib import closing, suppress
from pathlib import Path
from threading import Lock

MAX_BYTES = 256 << 20
"""Of the file; beyond it the oldest notes go."""
_BUSY_S = 2.0
_CHECK_SIZE_EVERY = 256
"""Notes after which the size is looked at."""
_TABLE = "CREATE TABLE IF NOT EXISTS notes (key TEXT PRIMARY KEY, value BLOB NOT NULL)"
_CRC_BYTES = 4


class SqliteNotes:
    """What is kept in one file. Safe to use from several threads; never fails."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        self._is_usable = True
        self._written = 0

    def get(self, key: str) -> bytes | None:
        """The value, or None if it is not known."""
        with self._lock:
            try:
                row = self._connect().execute("SELECT value FROM notes WHERE key = ?", (key,)).fetchone()
            except sqlite3.Error as error:
                self._give_up(error)
                return None
        return None if row is None or not isinstance(row[0], bytes) else _unseal(key, row[0])

    def put(self, key: str, value: bytes) -> None:
        """Keep a value; a key always stands for the same one."""
        with self._lock:
            try:
                with self._connect() as connection:
                    connection.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, _seal(key, value)))
                self._written += 1
                if self._written % _CHECK_SIZE_EVERY == 0:
                    self._shrink()
            except sqlite3.Error as error:
                self._give_up(error)

    def close(self) -> None:
        """Close the file; what is asked afterwards opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __del__(self) -> None:
        self.close()

    def _connect(self) -> sqlite3.Connection:
        if not self._is_usable:
            raise sqlite3.OperationalError("given up")
        if self._connection is None:
            self._connection = _open_database(self._path)
        return self._connection

    def _shrink(self) -> None:
        connection = self._connect()
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        if (pages - free) * size > self._max_bytes:
            with connection:
                connection.execute("DELETE FROM notes WHERE rowid <= (SELECT (min(rowid) + max(rowid)) / 2 FROM notes)")

    def _give_up(self, error: sqlite3.Error) -> None:
        """Go on without; a file that is no database, or a damaged one, is removed, so that later ones start anew."""
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            return  # another process writes for long: this one note is not kept
        self._is_usable = False
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
            for suffix in ("", "-wal", "-shm"):
                with suppress(OSError):
                    self._path.with_name(self._path.name + suffix).unlink()


def _open_database(path: Path) -> sqlite3.Connection:
    """Raises sqlite3.Error, with nothing left open."""
    connection = sqlite3.connect(path, timeout=_BUSY_S, check_same_thread=False)
    try:
        for order in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = OFF", _TABLE):
            with closing(connection.execute(order)) as cursor:
                cursor.fetchall()
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _seal(key: str, value: bytes) -> bytes:
    return zlib.crc32(key.encode() + value).to_bytes(_CRC_BYTES, "little") + value


def _unseal(key: str, sealed: bytes) -> bytes | None:
    value = sealed[_CRC_BYTES:]
    return value if _seal(key, value) == sealed else None
