"""Texts are cut between lines, and a piece that holds what is asked for is never missed."""

from itertools import accumulate, pairwise

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selfplay_tools.literals import ANYTHING, AllOf, AnyOf, Literal, Need
from selfplay_tools.needles import matcher
from selfplay_tools.store.grams import PIECE_BYTES, Grams, asked, build, cut

LINES = st.lists(
    st.sampled_from(["", "x", "Kelvin \u212aelvin", "spin_lock(lock)", "a" * 900, "b" * 5000, "c" * (PIECE_BYTES + 9)])
)
TEXTS = st.lists(LINES.map(lambda lines: "".join(f"{line}\n" for line in lines).encode()), max_size=6)
WORDS = st.sampled_from(
    ["spin_lock", "KELVIN", "kelvin", "\u212aelvin", "aaa", "ccccc", "nowhere", "x", "lock(", "\u212a"]
)
LITERALS: st.SearchStrategy[Need] = st.builds(Literal, WORDS, st.booleans())
NEEDS: st.SearchStrategy[Need] = st.recursive(
    LITERALS,
    lambda some: st.builds(AllOf, st.lists(some).map(tuple)) | st.builds(AnyOf, st.lists(some, min_size=1).map(tuple)),
)


@given(TEXTS)
@example([b"", b"a" * PIECE_BYTES + b"\n" + b"b\n", b""])
def test_pieces_are_whole_lines_of_one_text(texts: list[bytes]) -> None:
    ends = list(accumulate(map(len, texts)))
    buffer = b"".join(texts)
    starts = cut(buffer, [end - len(text) for end, text in zip(ends, texts, strict=True)], list(map(len, texts)))
    assert starts[-1] == len(buffer)
    assert set(ends) <= {0, *starts.tolist()}
    for start, end in pairwise(starts.tolist()):
        piece = buffer[start:end]
        assert piece.endswith(b"\n")
        assert len(piece) <= PIECE_BYTES or piece.count(b"\n") == 1


@given(text=TEXTS.map(b"".join), need=NEEDS)
@settings(max_examples=60, deadline=None)
def test_no_piece_is_missed(text: bytes, need: Need) -> None:
    starts = cut(text, [0], [len(text)])
    grams = Grams(build(memoryview(text), starts))
    what = asked(need)
    if what is None:
        return
    flags = np.unpackbits(grams.holding(what), bitorder="little")
    may_match = matcher(need)
    for place, (start, end) in zip(grams.places.tolist(), pairwise(starts.tolist()), strict=True):
        assert flags[place] or not may_match(text[start:end])


def test_what_signatures_know_nothing_of_is_not_asked() -> None:
    for need in (ANYTHING, Literal("ab"), Literal("first\nsecond"), AnyOf((Literal("abc"), Literal("x")))):
        assert asked(need) is None
