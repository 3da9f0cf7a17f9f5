"""Pieces of more files than are known together, in several segments."""

import random
from collections.abc import Iterator, Sequence
from hashlib import sha1

import numpy as np
import pytest

from selfplay_tools.index.store.blob_catalog import MISSING, BlobCatalog
from selfplay_tools.index.store.blob_table import BlobRecord, normalise, parse_oids
from selfplay_tools.index.store.commit_layout import GROUP_FILES, CommitLayout
from selfplay_tools.index.store.segment_store import SegmentStore
from selfplay_tools.protocols import PathKind, SnapshotEntry
from selfplay_tools.text.literals import LiteralNeed

BLOBS = 40
FILES = 2 * GROUP_FILES + 300


def oid_of(number: int) -> bytes:
    return sha1(b"%d" % number).digest()  # noqa: S324  # ids as git makes them


def make_blobs(oids: Sequence[bytes]) -> Iterator[BlobRecord]:
    numbers = {oid_of(number): number for number in range(BLOBS)}
    for oid in oids:
        number = numbers[oid]
        content = b"".join(b"line %d of %d\n" % (line, number) for line in range(number * 40))
        yield BlobRecord(oid, len(content), normalise(content))


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> BlobCatalog:
    store = SegmentStore(tmp_path_factory.mktemp("layout"), segment_bytes=100_000)
    store.add([oid_of(number) for number in range(BLOBS)], make_blobs)
    assert len(store.catalog.segments) > 2
    return store.catalog


def make_layout(catalog: BlobCatalog, numbers: Sequence[int]) -> CommitLayout:
    """Of files whose contents have those numbers; of number -1 none is known."""
    files = [SnapshotEntry(f"{at:05}", PathKind.FILE, 1, "") for at in range(len(numbers))]
    known = catalog.find(parse_oids([oid_of(number).hex() for number in range(BLOBS)]))
    return CommitLayout(catalog, files, np.append(known, np.int32(MISSING)).take(numbers), is_complete=True)


def test_every_flagged_file_with_text_is_found_once_in_order(catalog: BlobCatalog) -> None:
    chance = random.Random(3)  # noqa: S311  # the same each time
    numbers = [chance.randrange(-1, BLOBS) for _ in range(FILES)]
    layout = make_layout(catalog, numbers)
    flags = np.array([number >= 0 and chance.random() < 0.9 for number in numbers])
    for first, last in ((0, FILES), (5, 700), (GROUP_FILES - 1, GROUP_FILES + 1), (GROUP_FILES, FILES), (3000, 3001)):
        found = [path for span in layout.find_spans(None, flags, first, last) for path in span.paths]
        assert found == [f"{at:05}" for at in range(first, last) if flags[at] and numbers[at] > 0]
    bits = catalog.match_pieces(LiteralNeed("of 7\n"[:4]))
    asked = [path for span in layout.find_spans(bits, flags, 0, FILES) for path in span.paths]
    assert set(asked) >= {f"{at:05}" for at in range(FILES) if flags[at] and numbers[at] == 7}
    assert asked == sorted(set(asked))


def test_commits_share_what_is_known_of_files_that_are_the_same(catalog: BlobCatalog) -> None:
    numbers = [at % BLOBS for at in range(FILES)]
    one, same, other = (make_layout(catalog, some) for some in (numbers, list(numbers), [*numbers[:-1], -1]))
    assert one.group_from(0) is same.group_from(0) is other.group_from(0)
    assert one.group_from(2 * GROUP_FILES) is same.group_from(2 * GROUP_FILES)
    assert one.group_from(2 * GROUP_FILES) is not other.group_from(2 * GROUP_FILES)
