"""Some thousand blobs that were stored together, in four files that never change.

NAME.text       the texts, one after another in the order of arrival (for a repository's first commit: of paths)
NAME.blobs      which blobs these are (`BlobTable`)
NAME.grams      their signatures (`TrigramSignatures`); made when all texts that were asked for are there
NAME.words      their words (`WordIndex`); made last
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.index.store import trigram_signatures as grams
from selfplay_tools.index.store.array_file import (
    DamagedFile,
    as_ints,
    boot_id,
    crc32_of,
    map_file,
    pack_arrays,
    sync_if_needed,
    unpack_arrays,
    write_atomically,
)
from selfplay_tools.index.store.blob_table import ENCODINGS, BlobRecord, BlobTable, NormalisedText, table_row_of
from selfplay_tools.index.store.trigram_signatures import TrigramSignatures
from selfplay_tools.index.store.word_index import WordIndex
from selfplay_tools.text.lines import Buffer


@dataclass(frozen=True, slots=True, eq=False)
class TextPieces:
    """Pieces in the order of the texts."""

    starts: NDArray[np.int64]
    """Where each begins in the segment's text, and where the last one ends."""
    places: NDArray[np.int32]
    """Where each one's flag stands among those of `TrigramSignatures.match_pieces`."""
    size: int
    """Bytes of those flags."""
    first: NDArray[np.int32]
    """For each blob the number of its first piece, and how many there are."""

    @classmethod
    def of_segment(cls, table: BlobTable, signatures: TrigramSignatures | None) -> "TextPieces":
        """Of a segment."""
        bounds = np.append(table.offsets, table.offsets[-1:] + table.lengths[-1:])
        starts = signatures.starts if signatures else np.unique(bounds)
        places = signatures.places if signatures else np.arange(len(starts) - 1, dtype=np.int32)
        size = signatures.size if signatures else -(-len(places) // 8)
        return cls(starts, places, size, np.searchsorted(starts, bounds).astype(np.int32))


@dataclass(frozen=True, slots=True)
class FileStamp:
    """What shows that a file is the one that was written, without reading it."""

    size: int
    crc: int
    modified_ns: int
    changed_ns: int
    inode: int
    boot: str

    @classmethod
    def of_file(cls, path: Path, crc: int) -> "FileStamp":
        """Of the file as it is now. Raises OSError."""
        about = path.stat()
        return cls(about.st_size, crc, about.st_mtime_ns, about.st_ctime_ns, about.st_ino, boot_id())


SegmentFiles = dict[str, FileStamp]
"""A segment's files by their suffixes."""


@dataclass(frozen=True, slots=True, eq=False)
class BlobSegment:
    """The blobs of one segment. Safe to use from several threads."""

    name: str
    files: SegmentFiles
    text: memoryview
    table: BlobTable
    signatures: TrigramSignatures | None
    pieces: TextPieces
    words: WordIndex | None

    @classmethod
    def load(cls, folder: Path, name: str, files: SegmentFiles) -> "BlobSegment":
        """Map the files; its `files` are stamped as they are now. Raises DamagedFile, FileNotFoundError."""
        found = {suffix: _map_and_verify(folder / f"{name}.{suffix}", stamp) for suffix, stamp in files.items()}
        content = {suffix: data for suffix, (data, _) in found.items()}
        files = {suffix: stamp for suffix, (_, stamp) in found.items()}
        try:
            table = BlobTable.from_arrays(unpack_arrays(content["blobs"]))
            signatures = TrigramSignatures(unpack_arrays(content["grams"])) if "grams" in content else None
            words = WordIndex.from_arrays(unpack_arrays(content["words"])) if "words" in content else None
        except (KeyError, IndexError) as error:
            raise DamagedFile(f"segment {name} lacks {error}") from error
        return cls(name, files, content["text"], table, signatures, TextPieces.of_segment(table, signatures), words)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def buffer(self) -> Buffer:
        """The texts, in the form that can be searched."""
        return cast("Buffer", self.text.obj)

    def source_of(self, blob: int) -> memoryview:
        r"""The text, every line ended by `\n`."""
        start = int(self.table.offsets[blob])
        return self.text[start : start + int(self.table.lengths[blob])]

    def text_of(self, blob: int) -> NormalisedText | None:
        """The blob as it was stored."""
        encoding = int(self.table.encodings[blob])
        if encoding < 0:
            return None
        return NormalisedText(bytes(self.source_of(blob)), encoding, int(self.table.lfs_sizes[blob]))

    def encoding_of(self, blob: int) -> str:
        """As in `Text`."""
        return ENCODINGS[int(self.table.encodings[blob])]

    def read_blobs(self) -> Iterable[BlobRecord]:
        """All blobs in the order of arrival."""
        for blob in range(len(self)):
            yield BlobRecord(self.table.oids[blob].tobytes(), int(self.table.sizes[blob]), self.text_of(blob))


def _map_and_verify(path: Path, stamp: FileStamp) -> tuple[memoryview, FileStamp]:
    """The file's content, read through if it is not surely the one that was written, and its present stamp."""
    data = map_file(path, is_sparse=path.suffix == ".grams")
    if len(data) != stamp.size:
        raise DamagedFile(f"{path.name} has {len(data)} bytes, not {stamp.size}")
    now = FileStamp.of_file(path, stamp.crc)
    if now != stamp and crc32_of(data) != stamp.crc:
        raise DamagedFile(f"{path.name} is not what was written")
    return data, now


def write_segment(folder: Path, name: str, blobs: Iterable[BlobRecord]) -> BlobSegment | None:
    """Store the texts of blobs as a new segment; None for no blobs. Raises OSError."""
    path = folder / f"{name}.text"
    rows: list[tuple[bytes, int, int, int, int, int]] = []
    crc = size = 0
    with path.open("wb", buffering=1 << 20) as file:
        for blob in blobs:
            rows.append(table_row_of(blob, size))
            if blob.text is not None:
                file.write(blob.text.source)
                crc = zlib.crc32(blob.text.source, crc)
                size += len(blob.text.source)
        file.flush()
        sync_if_needed(file.fileno())
    if not rows:
        path.unlink()
        return None
    table = BlobTable.from_rows(rows)
    files: SegmentFiles = {"text": FileStamp.of_file(path, crc)}
    files["blobs"] = _write_arrays(folder, f"{name}.blobs", table.to_arrays())
    return BlobSegment.load(folder, name, files)


def with_signatures(folder: Path, segment: BlobSegment) -> BlobSegment:
    """The segment with its signatures, which are made and stored now. Raises OSError."""
    starts = grams.find_piece_starts(segment.buffer, as_ints(segment.table.offsets), as_ints(segment.table.lengths))
    signatures = grams.build_signatures(segment.text, starts)
    stamp = _write_arrays(folder, f"{segment.name}.grams", signatures)
    return BlobSegment.load(folder, segment.name, {**segment.files, "grams": stamp})


def _write_arrays(folder: Path, name: str, arrays: dict[str, grams.Array]) -> FileStamp:
    crc = write_atomically(folder / name, pack_arrays(arrays))
    return FileStamp.of_file(folder / name, crc)


def count_segment_words(segment: BlobSegment) -> WordIndex:
    """Count the words of a segment."""
    return WordIndex.from_texts(map(segment.source_of, range(len(segment))))


def with_words(folder: Path, segment: BlobSegment, words: WordIndex) -> BlobSegment:
    """The segment with its words, which are stored now. Raises OSError."""
    stamp = _write_arrays(folder, f"{segment.name}.words", words.to_arrays())
    return BlobSegment.load(folder, segment.name, {**segment.files, "words": stamp})
