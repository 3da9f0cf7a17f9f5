r"""Blobs as the store keeps them: each one's text, and the table of a segment's blobs.

A text is what `FileText` defines, in UTF-8, with every line ended by `\n`. Most contents are that already; others go
through `selfplay_tools.text.decoding`, so both give the same.
"""

import codecs
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.index.store.array_file import Array
from selfplay_tools.text.decoding import decode, has_wide_mark, is_binary, lfs_size

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_TAB, _LINE_FEED, _FORM_FEED, _BLANK = 9, 10, 12, 32


@dataclass(frozen=True, slots=True)
class NormalisedText:
    """A text and what `FileText` says besides its lines."""

    source: bytes
    encoding: int
    """Its place in `ENCODINGS`."""
    lfs_size: int
    """-1 for anything but a Git LFS pointer."""


def normalise(data: bytes, *, has_controls: bool | None = None) -> NormalisedText | None:
    """The text of a whole content; None if it is binary.

    `has_controls=False` says that no control character but tab, line feed and form feed is in it.
    """
    if has_wide_mark(data) or is_binary(data):
        return _normalise_slowly(data)
    if has_controls is None:
        has_controls = has_control_characters(np.frombuffer(data, np.uint8))
    encoding = 0
    body = data
    if data.startswith(codecs.BOM_UTF8):
        body, encoding = data[len(codecs.BOM_UTF8) :], 1
    if has_controls or not _is_utf8(body):
        return _normalise_slowly(data)
    pointer = lfs_size(data)
    return NormalisedText(_end_last_line(body), encoding, -1 if pointer is None else pointer)


def _normalise_slowly(data: bytes) -> NormalisedText | None:
    decoded = decode(data)
    if decoded is None:
        return None
    text, encoding = decoded
    pointer = lfs_size(data)
    return NormalisedText(_end_last_line(text.encode()), ENCODINGS.index(encoding), -1 if pointer is None else pointer)


def _end_last_line(source: bytes) -> bytes:
    return source if not source or source.endswith(b"\n") else source + b"\n"


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def has_control_characters(codes: NDArray[np.uint8]) -> bool:
    """Whether a control character other than tab, line feed and form feed is among them."""
    low = codes < _BLANK
    for allowed in (_LINE_FEED, _TAB, _FORM_FEED):
        low &= codes != allowed
    return bool(low.any())


Oids = NDArray[np.uint8]
"""(count, 20 or 32): git's ids, one in a row."""
_KEY = np.dtype(">u8")


@dataclass(frozen=True, slots=True)
class BlobRecord:
    """One blob to be stored."""

    oid: bytes
    size: int
    """Bytes of the content as git has it."""
    text: NormalisedText | None
    """None for binary content."""


def parse_oids(hexadecimal: Sequence[str]) -> Oids:
    """Ids in one array; they must be of one length."""
    data = np.frombuffer(bytes.fromhex("".join(hexadecimal)), np.uint8)
    return data.reshape(len(hexadecimal), -1) if hexadecimal else np.zeros((0, 20), np.uint8)


def keys_of(oids: Oids) -> NDArray[np.uint64]:
    """The first eight bytes of each id as a number."""
    return np.ascontiguousarray(oids[:, :8]).view(_KEY).reshape(-1).astype(np.uint64)


@dataclass(frozen=True, slots=True, eq=False)
class BlobTable:
    """A segment's blobs, in the order of their texts."""

    oids: Oids
    keys: NDArray[np.uint64]
    """The ids' first bytes, sorted."""
    order: NDArray[np.uint32]
    """The blob of each key."""
    offsets: NDArray[np.int64]
    """Where the blob's text begins."""
    lengths: NDArray[np.uint32]
    """Bytes of its text."""
    sizes: NDArray[np.uint32]
    """Bytes of its content as git has it."""
    encodings: NDArray[np.int8]
    """As in `Clean`; -1 for binary content."""
    lfs_sizes: NDArray[np.int64]

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[bytes, int, int, int, int, int]]) -> "BlobTable":
        """From id, offset, length, size, encoding and LFS size of each blob, in the order of their texts."""
        oids = np.frombuffer(b"".join(row[0] for row in rows), np.uint8).reshape(len(rows), -1)
        keys = keys_of(oids)
        order = np.argsort(keys, kind="stable")
        columns = [np.array(column, np.int64) for column in zip(*(row[1:] for row in rows), strict=True)]
        return cls(
            oids=oids,
            keys=keys[order],
            order=order.astype(np.uint32),
            offsets=columns[0],
            lengths=columns[1].astype(np.uint32),
            sizes=columns[2].astype(np.uint32),
            encodings=columns[3].astype(np.int8),
            lfs_sizes=columns[4],
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> "BlobTable":
        """What `packed` gave."""
        return cls(*(arrays[name] for name in cls.__slots__))

    def to_arrays(self) -> dict[str, Array]:
        """The arrays, by names for a container."""
        return {name: getattr(self, name) for name in self.__slots__}

    def __len__(self) -> int:
        return len(self.oids)

    def find(self, oids: Oids, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """The blob of each id, -1 for those that are not here. `keys` is `keys_of(oids)`."""
        if not len(self) or not len(oids) or oids.shape[1] != self.oids.shape[1]:
            return np.full(len(oids), -1, np.int32)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self) - 1)
        found = self.order[places].astype(np.int32)
        found[self.keys[places] != keys] = -1
        known = np.flatnonzero(found >= 0)
        unequal = known[(self.oids[found[known]] != oids[known]).any(axis=1)]
        for which in unequal.tolist():  # two ids that begin alike: only an attacker has them
            found[which] = self._find_among_alike(oids[which].tobytes(), int(places[which]))
        return found

    def _find_among_alike(self, oid: bytes, place: int) -> int:
        key = self.keys[place]
        while place < len(self) and self.keys[place] == key:
            blob = int(self.order[place])
            if self.oids[blob].tobytes() == oid:
                return blob
            place += 1
        return -1


def table_row_of(blob: BlobRecord, offset: int) -> tuple[bytes, int, int, int, int, int]:
    """A blob's row for `BlobTable.from_rows`."""
    if blob.text is None:
        return blob.oid, offset, 0, blob.size, -1, -1
    return blob.oid, offset, len(blob.text.source), blob.size, blob.text.encoding, blob.text.lfs_size


def find_missing_oids(oids: Iterable[bytes], tables: Sequence[BlobTable]) -> list[bytes]:
    """Those ids, each once, in order, that no table holds."""
    wanted = list(dict.fromkeys(oids))
    if not wanted:
        return []
    array = np.frombuffer(b"".join(wanted), np.uint8).reshape(len(wanted), -1)
    keys = keys_of(array)
    is_missing = np.ones(len(wanted), np.bool_)
    for table in tables:
        is_missing &= table.find(array, keys) < 0
    return [wanted[at] for at in np.flatnonzero(is_missing).tolist()]
