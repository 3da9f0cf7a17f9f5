"""An index that keeps nothing but word counts: every other question scans the texts in path order."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from threading import Lock

from selfplay_tools.needles import matcher
from selfplay_tools.ranking import Ranking
from selfplay_tools.snapshot import Entry, Kind
from selfplay_tools.text import decode, has_wide_mark, is_binary
from selfplay_tools.words import query_words, word_counts

MAX_INDEXED_BYTES = 2 << 20
"""Larger files are data rather than code."""
MAX_COUNTED_BYTES = 512 << 20
"""Of all texts together, in path order, whose words are counted; the files after that are ranked by path alone."""

Contents = Callable[[Sequence[Entry]], Iterator[bytes | None]]
"""Whole contents of small files, in order; None for one that can't be read."""


class ScanIndex:
    """Implements `Index`. Safe to use from several threads."""

    def __init__(self, entries: Sequence[Entry], contents: Contents) -> None:
        self._files = [entry for entry in entries if entry.kind is Kind.FILE]
        self._contents = contents
        self._is_text: dict[str, bool] = {}
        self._ranking: Ranking | None = None
        self._lock = Lock()

    def candidates(self, literals: Sequence[str], *, ignore_case: bool) -> Iterator[Entry]:
        """As `Index.candidates`."""
        may_match = matcher(literals, ignore_case=ignore_case)
        return (entry for entry, data in self._texts() if may_match(data))

    def ranked(self, words: Sequence[str], limit: int) -> Sequence[tuple[str, float]]:
        """As `Index.ranked`. The first call counts the words of all texts."""
        with self._lock:
            if self._ranking is None:
                self._ranking = Ranking(self._counted())
        return self._ranking.best(query_words(tuple(words)), limit)

    def left_out(self) -> Sequence[Entry]:
        """As `Index.left_out`. The first call reads all files that nothing was asked about yet."""
        if any(entry.oid not in self._is_text for entry in self._small()):
            for _ in self._texts():
                pass
        return [e for e in self._files if e.size > MAX_INDEXED_BYTES or not self._is_text.get(e.oid, False)]

    def _small(self) -> Iterator[Entry]:
        return (entry for entry in self._files if entry.size <= MAX_INDEXED_BYTES)

    def _texts(self) -> Iterator[tuple[Entry, bytes]]:
        """Every indexed file with its content."""
        wanted = [entry for entry in self._small() if self._is_text.get(entry.oid, True)]
        for entry, data in zip(wanted, self._contents(wanted), strict=True):
            is_text = self._is_text.get(entry.oid)
            if is_text is None:
                is_text = self._is_text[entry.oid] = data is not None and _is_text(data)
            if is_text and data is not None:
                yield entry, data

    def _counted(self) -> Iterator[tuple[str, Counter[str], Counter[str]]]:
        counted = 0
        for entry, data in self._texts():
            counted += len(data)
            decoded = decode(data) if counted <= MAX_COUNTED_BYTES else None
            yield entry.path, word_counts(entry.path), word_counts(decoded[0]) if decoded else Counter()


def _is_text(data: bytes) -> bool:
    return decode(data) is not None if has_wide_mark(data) else not is_binary(data)
