"""Whether a file's bytes may hold some literals, decided without decoding where that is safe."""

import re
from collections.abc import Callable, Sequence

from selfplay_tools.text import decode, has_wide_mark

# Characters that the text shows in place of others, or that it takes away: bytes can't tell.
_UNSURE = re.compile("[\x00-\x08\x0a-\x1f\ufffd\ufeff]")
_ASCII_RUN = re.compile(r"[\x20-\x7e\t]+")
# The two characters beyond ASCII that a case-insensitive search takes for ASCII letters.
_KELVIN, _LONG_S = "\u212a".encode(), "\u017f".encode()


def matcher(literals: Sequence[str], *, ignore_case: bool) -> Callable[[bytes], bool]:
    """A test of whole contents: True wherever the text may hold every literal, sometimes where it does not."""
    pieces = [piece for literal in literals for piece in _UNSURE.split(literal) if piece]
    if ignore_case:
        pieces = [run.lower() for piece in pieces for run in _ASCII_RUN.findall(piece)]
    wanted = [piece.encode("utf-8", "replace") for piece in dict.fromkeys(pieces)]
    fold = _folded if ignore_case else bytes

    def may_match(data: bytes) -> bool:
        if not wanted:
            return True
        if has_wide_mark(data):
            decoded = decode(data)
            data = decoded[0].encode("utf-8", "replace") if decoded else b""
        content = fold(data)
        return all(piece in content for piece in wanted)

    return may_match


def _folded(data: bytes) -> bytes:
    lower = data.lower()
    return lower if lower.isascii() else lower.replace(_KELVIN, b"k").replace(_LONG_S, b"s")
