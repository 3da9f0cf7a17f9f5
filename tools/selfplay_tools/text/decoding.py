r"""Bytes of a file as the lines that a model reads.

- UTF-16 and UTF-32 count only with their byte order mark; everything else is UTF-8, its mark stripped.
- A NUL in the first 8000 bytes makes the content binary (git's rule), unless such a mark explains it.
- What can't be decoded becomes U+FFFD, and so does a control character other than tab and form feed.
- Only `\n` and `\r\n` end a line: line numbers are those of git, grep and editors.
"""

import codecs
import re
from dataclasses import dataclass

MAX_TEXT_BYTES = 32 << 20
"""No more than this is read of one file as text."""

BINARY_PROBE_BYTES = 8000
"""Where git looks for a NUL."""

_CONTROLS = bytes(code for code in range(32) if chr(code) not in "\t\n\f")
_REPLACED = re.compile("[\x00-\x08\x0b\x0d-\x1f]")
_MARKS = (  # UTF-32's little-endian mark begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md: version first, then the other keys in order.
_LFS_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n"
    rb"(?:ext-[0-9]-[A-Za-z0-9.-]+ sha256:[0-9a-f]{64}\n)*"
    rb"oid sha256:[0-9a-f]{64}\n"
    rb"size ([0-9]{1,18})\n"
)
_LFS_MAX_BYTES = 1024


@dataclass(frozen=True, slots=True)
class FileText:
    """A file's content as text, line by line."""

    path: str
    lines: tuple[str, ...]
    """Without line ends; `\\r\\n` and `\\n` end a line, nothing else does. Undecodable bytes and NUL are U+FFFD."""
    size: int
    """Bytes of the whole file."""
    is_whole: bool = True
    """False when the file is larger than what is read of one: the lines are those of its beginning."""
    is_binary: bool = False
    """True for content with a NUL byte near its beginning (git's rule); `lines` is empty then."""
    lfs_size: int | None = None
    """Set for a Git LFS pointer: the size in bytes that the real file has; `lines` is the pointer's own text."""
    encoding: str = "utf-8"


def decode_file(path: str, data: bytes, size: int) -> FileText:
    """`data`, the beginning (or all) of a file of `size` bytes, as text."""
    is_whole = len(data) >= size
    decoded = decode(data, is_whole=is_whole)
    if decoded is None:
        return FileText(path, (), size, is_whole=is_whole, is_binary=True)
    text, encoding = decoded
    return FileText(path, split_lines(text), size, is_whole=is_whole, lfs_size=lfs_size(data), encoding=encoding)


def decode(data: bytes, *, is_whole: bool = True) -> tuple[str, str] | None:
    r"""The text with `\n` line ends and its encoding, or None for binary content.

    With `is_whole=False` a character that is cut at the end is dropped.
    """
    wide = _decode_wide(data, is_whole=is_whole)
    if wide is not None:
        return wide
    if is_binary(data):
        return None
    encoding = "utf-8"
    if data.startswith(codecs.BOM_UTF8):
        data, encoding = data[len(codecs.BOM_UTF8) :], "utf-8-sig"
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(data, final=is_whole)
    return (text if not _has_controls(data) else _without_controls(text)), encoding


def is_binary(data: bytes) -> bool:
    """Git's rule alone, without regard to byte order marks."""
    return data.find(b"\0", 0, BINARY_PROBE_BYTES) >= 0


def has_wide_mark(data: bytes) -> bool:
    """True if the content begins with the mark of UTF-16 or UTF-32."""
    return data.startswith(tuple(mark for mark, _ in _MARKS))


def _decode_wide(data: bytes, *, is_whole: bool) -> tuple[str, str] | None:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                text = codecs.getincrementaldecoder(encoding)("strict").decode(data[len(mark) :], final=is_whole)
            except UnicodeDecodeError:
                continue
            if "\0" not in text:
                return _without_controls(text), encoding
    return None


def _has_controls(data: bytes) -> bool:
    # Deleting them in C and comparing lengths is several times faster than searching the text.
    return len(data.translate(None, _CONTROLS)) != len(data)


def _without_controls(text: str) -> str:
    return _REPLACED.sub("\ufffd", text.replace("\r\n", "\n"))


def split_lines(text: str) -> tuple[str, ...]:
    r"""Lines without their ends; a `\n` at the very end begins no further line."""
    if not text:
        return ()
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return tuple(lines)


def lfs_size(data: bytes) -> int | None:
    """The size that a Git LFS pointer stands for; None for anything else."""
    if len(data) > _LFS_MAX_BYTES:
        return None
    pointer = _LFS_POINTER.fullmatch(data)
    return int(pointer[1]) if pointer else None
