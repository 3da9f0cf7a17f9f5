"""Immutable files of named arrays, read through a memory map.

    8 bytes   magic, with the layout's version
    8 bytes   length of the head, little-endian
    head      JSON: for each array its type, shape and offset
    arrays    each at a multiple of 64 bytes

A file is complete or it is not there: it is written under another name and renamed. Its checksum is
kept elsewhere (see `store_files.py`).
"""

import json
import mmap
import os
import zlib
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

MAGIC = b"SPIX0001"
ALIGNMENT = 64
_BLOCK_BYTES = 8 << 20

Array = NDArray[Any]


class DamagedFile(Exception):
    """A file of the store is not what was written. Never leaves the store: its blobs count as not indexed."""


def pack_arrays(arrays: Mapping[str, Array]) -> list[bytes | memoryview]:
    """The file's content in pieces."""
    head: dict[str, list[object]] = {}
    offset = 0
    for name, array in arrays.items():
        head[name] = [array.dtype.str, list(array.shape), offset]
        offset += _round_up(array.nbytes)
    text = json.dumps(head).encode()
    text += b" " * (_round_up(16 + len(text)) - 16 - len(text))
    pieces: list[bytes | memoryview] = [MAGIC, len(text).to_bytes(8, "little"), text]
    for array in arrays.values():
        flat = np.ascontiguousarray(array)
        if flat.nbytes:
            pieces.append(flat.reshape(-1).view(np.uint8).data)
        pieces.append(bytes(_round_up(flat.nbytes) - flat.nbytes))
    return pieces


def _round_up(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def unpack_arrays(data: memoryview) -> dict[str, Array]:
    """The arrays of a file's content, without copying. Raises DamagedFile."""
    if bytes(data[:8]) != MAGIC:
        raise DamagedFile("not a file of this store, or of another version")
    length = int.from_bytes(data[8:16], "little")
    try:
        head = json.loads(bytes(data[16 : 16 + length]))
        return {name: _view_array(data, 16 + length, *about) for name, about in head.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise DamagedFile(f"its head can't be read: {error}") from error


def _view_array(data: memoryview, start: int, kind: str, shape: list[int], offset: int) -> Array:
    dtype = np.dtype(kind)
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(data, dtype, count, start + offset).reshape(shape)


def write_atomically(path: Path, pieces: list[bytes | memoryview]) -> int:
    """Write a file that is there whole or not at all; its CRC-32."""
    part = path.with_name(f"{path.name}.part")
    crc = 0
    try:
        with part.open("wb") as file:
            for piece in pieces:
                for at in range(0, len(piece), _BLOCK_BYTES):
                    crc = zlib.crc32(piece[at : at + _BLOCK_BYTES], crc)
                file.write(piece)
            sync_if_needed(file.fileno())
        part.rename(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return crc


@cache
def boot_id() -> str:
    """Names the time since the machine was started; empty where the system does not say.

    A file that was written since then is whole, whatever the disk has of it by now: waiting for the disk, which takes
    longer than all the rest, is not needed. One from before is read through once.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def sync_if_needed(descriptor: int) -> None:
    """Have the file's content on disk before its name is, where a crash of the machine would not be noticed."""
    if not boot_id():
        with suppress(OSError):  # not every file system knows how
            os.fsync(descriptor)


def map_file(path: Path, *, is_sparse: bool = False) -> memoryview:
    """A file's content, mapped read-only; it stays readable when the file is removed. Raises OSError.

    With `is_sparse`, bytes are read here and there: the system should not read ahead.
    """
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return memoryview(b"")
        found = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if is_sparse and hasattr(mmap, "MADV_RANDOM"):
        found.madvise(mmap.MADV_RANDOM)
    return memoryview(found)


def as_ints(values: Array) -> list[int]:
    """An array of whole numbers as a list."""
    return cast("list[int]", values.tolist())


def crc32_of(data: memoryview) -> int:
    """Its CRC-32, computed in pieces that let other threads run."""
    crc = 0
    for at in range(0, len(data), _BLOCK_BYTES):
        crc = zlib.crc32(data[at : at + _BLOCK_BYTES], crc)
    return crc
