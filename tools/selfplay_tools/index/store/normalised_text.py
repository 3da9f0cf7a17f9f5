r"""Contents of blobs as the store keeps them: the text that `Text` defines, in UTF-8, every line ended by `\n`.

Most contents are that already; what is not takes the way of `selfplay_tools.text.decoding`, so both say the same.
"""

import codecs
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from selfplay_tools.text.decoding import decode, has_wide_mark, is_binary, lfs_size

ENCODINGS = ("utf-8", "utf-8-sig", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_TAB, _LINE_FEED, _FORM_FEED, _BLANK = 9, 10, 12, 32


@dataclass(frozen=True, slots=True)
class NormalisedText:
    """A text and what `Text` tells besides its lines."""

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
