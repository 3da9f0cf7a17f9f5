"""Pieces of more files than are known together, in several segments."""

import random
from collections.abc import Iterator, Sequence
from hashlib import sha1

import numpy as np
import pytest

from selfplay_tools.literals import Literal
from selfplay_tools.snapshot import Entry, Kind
from selfplay_tools.store.blobs import Blob, as_oids
from selfplay_tools.store.cleaning import clean
from selfplay_tools.store.layout import CHUNK_FILES, Layout
from selfplay_tools.store.shelf import MISSING, Shelf
from selfplay_tools.store.store import Store

BLOBS = 40
FILES = 2 * CHUNK_FILES + 300


def oid_of(number: int) -> bytes:
    return sha1(b"%d" % number).digest()  # noqa: S324  # ids as git makes them


def fetched(oids: Sequence[bytes]) -> Iterator[Blob]:
    numbers = {oid_of(number): number for number in range(BLOBS)}
    for oid in oids:
        number = numbers[oid]
        content = b"".join(b"line %d of %d\n" % (line, number) for line in range(number * 40))
        yield Blob(oid, len(content), clean(content))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    store = Store(tmp_path_factory.mktemp("layout"), segment_bytes=100_000)
    store.add([oid_of(number) for number in range(BLOBS)], fetched)
    assert len(store.shelf.segments) > 2
    return store.shelf


def laid_out(shelf: Shelf, numbers: Sequence[int]) -> Layout:
    """Of files whose contents have those numbers; of number -1 none is known."""
    files = [Entry(f"{at:05}", Kind.FILE, 1, "") for at in range(len(numbers))]
    known = shelf.find(as_oids([oid_of(number).hex() for number in range(BLOBS)]))
    return Layout(shelf, files, np.append(known, np.int32(MISSING)).take(numbers), is_complete=True)


def test_every_flagged_file_with_text_is_found_once_in_order(shelf: Shelf) -> None:
    chance = random.Random(3)  # noqa: S311  # the same each time
    numbers = [chance.randrange(-1, BLOBS) for _ in range(FILES)]
    layout = laid_out(shelf, numbers)
    flags = np.array([number >= 0 and chance.random() < 0.9 for number in numbers])
    for first, last in ((0, FILES), (5, 700), (CHUNK_FILES - 1, CHUNK_FILES + 1), (CHUNK_FILES, FILES), (3000, 3001)):
        found = [path for span in layout.spans(None, flags, first, last) for path in span.paths]
        assert found == [f"{at:05}" for at in range(first, last) if flags[at] and numbers[at] > 0]
    bits = shelf.holding(Literal("of 7\n"[:4]))
    asked = [path for span in layout.spans(bits, flags, 0, FILES) for path in span.paths]
    assert set(asked) >= {f"{at:05}" for at in range(FILES) if flags[at] and numbers[at] == 7}
    assert asked == sorted(set(asked))


def test_commits_share_what_is_known_of_files_that_are_the_same(shelf: Shelf) -> None:
    numbers = [at % BLOBS for at in range(FILES)]
    one, same, other = (laid_out(shelf, some) for some in (numbers, list(numbers), [*numbers[:-1], -1]))
    assert one.chunk(0) is same.chunk(0) is other.chunk(0)
    assert one.chunk(2 * CHUNK_FILES) is same.chunk(2 * CHUNK_FILES)
    assert one.chunk(2 * CHUNK_FILES) is not other.chunk(2 * CHUNK_FILES)
