"""Some thousand blobs that were stored together, in four files that never change.

NAME.text       the texts, one after another in the order of arrival (for a repository's first commit: of paths)
NAME.blobs      which blobs these are (`blobs.Table`)
NAME.grams      their signatures (`grams`); made when all texts that were asked for are there
NAME.words      their words (`words`); made last
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from selfplay_tools.searched import Buffer
from selfplay_tools.store import grams
from selfplay_tools.store.blobs import Blob, Table, row_of
from selfplay_tools.store.cleaning import ENCODINGS, Clean
from selfplay_tools.store.container import Damaged, boot, checksum, ints, mapped, pack, save, settle, unpack
from selfplay_tools.store.grams import Grams
from selfplay_tools.store.pieces import Pieces
from selfplay_tools.store.words import Words


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells that a file is the one that was written, without reading it."""

    size: int
    crc: int
    modified_ns: int
    changed_ns: int
    inode: int
    boot: str

    @classmethod
    def of(cls, path: Path, crc: int) -> "Stamp":
        """Of the file as it is now. Raises OSError."""
        about = path.stat()
        return cls(about.st_size, crc, about.st_mtime_ns, about.st_ctime_ns, about.st_ino, boot())


Files = dict[str, Stamp]
"""A segment's files by their suffixes."""


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """The blobs of one segment. Safe to use from several threads."""

    name: str
    files: Files
    text: memoryview
    table: Table
    grams: Grams | None
    pieces: Pieces
    words: Words | None

    @classmethod
    def opened(cls, folder: Path, name: str, files: Files) -> "Segment":
        """Map the files; its `files` are stamped as they are now. Raises Damaged, FileNotFoundError."""
        found = {suffix: _verified(folder / f"{name}.{suffix}", stamp) for suffix, stamp in files.items()}
        content = {suffix: data for suffix, (data, _) in found.items()}
        files = {suffix: stamp for suffix, (_, stamp) in found.items()}
        try:
            table = Table.unpacked(unpack(content["blobs"]))
            signatures = Grams(unpack(content["grams"])) if "grams" in content else None
            words = Words.unpacked(unpack(content["words"])) if "words" in content else None
        except (KeyError, IndexError) as error:
            raise Damaged(f"segment {name} lacks {error}") from error
        return cls(name, files, content["text"], table, signatures, Pieces.of(table, signatures), words)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def buffer(self) -> Buffer:
        """The texts, in the form that can be searched."""
        return cast("Buffer", self.text.obj)

    def source(self, blob: int) -> memoryview:
        r"""The text, every line ended by `\n`."""
        start = int(self.table.offsets[blob])
        return self.text[start : start + int(self.table.lengths[blob])]

    def clean(self, blob: int) -> Clean | None:
        """The blob as it was stored."""
        encoding = int(self.table.encodings[blob])
        if encoding < 0:
            return None
        return Clean(bytes(self.source(blob)), encoding, int(self.table.lfs_sizes[blob]))

    def encoding(self, blob: int) -> str:
        """As in `Text`."""
        return ENCODINGS[int(self.table.encodings[blob])]

    def stored(self) -> Iterable[Blob]:
        """All blobs in the order of arrival."""
        for blob in range(len(self)):
            yield Blob(self.table.oids[blob].tobytes(), int(self.table.sizes[blob]), self.clean(blob))


def _verified(path: Path, stamp: Stamp) -> tuple[memoryview, Stamp]:
    """The file's content, read through if it is not surely the one that was written, and its present stamp."""
    data = mapped(path, is_sparse=path.suffix == ".grams")
    if len(data) != stamp.size:
        raise Damaged(f"{path.name} has {len(data)} bytes, not {stamp.size}")
    now = Stamp.of(path, stamp.crc)
    if now != stamp and checksum(data) != stamp.crc:
        raise Damaged(f"{path.name} is not what was written")
    return data, now


def write(folder: Path, name: str, blobs: Iterable[Blob]) -> Segment | None:
    """Store the texts of blobs as a new segment; None for no blobs. Raises OSError."""
    path = folder / f"{name}.text"
    rows: list[tuple[bytes, int, int, int, int, int]] = []
    crc = size = 0
    with path.open("wb", buffering=1 << 20) as file:
        for blob in blobs:
            rows.append(row_of(blob, size))
            if blob.clean is not None:
                file.write(blob.clean.source)
                crc = zlib.crc32(blob.clean.source, crc)
                size += len(blob.clean.source)
        file.flush()
        settle(file.fileno())
    if not rows:
        path.unlink()
        return None
    table = Table.of(rows)
    files: Files = {"text": Stamp.of(path, crc)}
    files["blobs"] = _save(folder, f"{name}.blobs", table.packed())
    return Segment.opened(folder, name, files)


def with_grams(folder: Path, segment: Segment) -> Segment:
    """The segment with its signatures, which are made and stored now. Raises OSError."""
    starts = grams.cut(segment.buffer, ints(segment.table.offsets), ints(segment.table.lengths))
    signatures = grams.build(segment.text, starts)
    stamp = _save(folder, f"{segment.name}.grams", signatures)
    return Segment.opened(folder, segment.name, {**segment.files, "grams": stamp})


def _save(folder: Path, name: str, arrays: dict[str, grams.Array]) -> Stamp:
    crc = save(folder / name, pack(arrays))
    return Stamp.of(folder / name, crc)


def words_of(segment: Segment) -> Words:
    """Count the words of a segment."""
    return Words.of(map(segment.source, range(len(segment))))


def with_words(folder: Path, segment: Segment, words: Words) -> Segment:
    """The segment with its words, which are stored now. Raises OSError."""
    stamp = _save(folder, f"{segment.name}.words", words.packed())
    return Segment.opened(folder, segment.name, {**segment.files, "words": stamp})
