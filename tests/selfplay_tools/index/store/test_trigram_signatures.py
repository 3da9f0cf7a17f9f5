"""Texts are cut between lines, and a piece that holds what is asked for is never missed."""

from itertools import accumulate, pairwise

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from selfplay_tools.index.scan_index import make_matcher
from selfplay_tools.index.store.trigram_signatures import (
    PIECE_BYTES,
    TrigramSignatures,
    build_signatures,
    find_piece_starts,
    query_for,
)
from selfplay_tools.text.literals import ANYTHING, AllOf, AnyOf, LiteralNeed, Need

LINES = st.lists(
    st.sampled_from(["", "x", "Kelvin \u212aelvin", "spin_lock(lock)", "a" * 900, "b" * 5000, "c" * (PIECE_BYTES + 9)])
)
TEXTS = st.lists(LINES.map(lambda lines: "".join(f"{line}\n" for line in lines).encode()), max_size=6)
WORDS = st.sampled_from(
    ["spin_lock", "KELVIN", "kelvin", "\u212aelvin", "aaa", "ccccc", "nowhere", "x", "lock(", "\u212a"]
)
LITERALS: st.SearchStrategy[Need] = st.builds(LiteralNeed, WORDS, st.booleans())
NEEDS: st.SearchStrategy[Need] = st.recursive(
    LITERALS,
    lambda some: st.builds(AllOf, st.lists(some).map(tuple)) | st.builds(AnyOf, st.lists(some, min_size=1).map(tuple)),
)


@given(TEXTS)
@example([b"", b"a" * PIECE_BYTES + b"\n" + b"b\n", b""])
def test_pieces_are_whole_lines_of_one_text(texts: list[bytes]) -> None:
    ends = list(accumulate(map(len, texts)))
    buffer = b"".join(texts)
    starts = find_piece_starts(
        buffer, [end - len(text) for end, text in zip(ends, texts, strict=True)], list(map(len, texts))
    )
    assert starts[-1] == len(buffer)
    assert set(ends) <= {0, *starts.tolist()}
    for start, end in pairwise(starts.tolist()):
        piece = buffer[start:end]
        assert piece.endswith(b"\n")
        assert len(piece) <= PIECE_BYTES or piece.count(b"\n") == 1


@given(text=TEXTS.map(b"".join), need=NEEDS)
@settings(max_examples=60, deadline=None)
def test_no_piece_is_missed(text: bytes, need: Need) -> None:
    starts = find_piece_starts(text, [0], [len(text)])
    grams = TrigramSignatures(build_signatures(memoryview(text), starts))
    what = query_for(need)
    if what is None:
        return
    flags = np.unpackbits(grams.match_pieces(what), bitorder="little")
    may_match = make_matcher(need)
    for place, (start, end) in zip(grams.places.tolist(), pairwise(starts.tolist()), strict=True):
        assert flags[place] or not may_match(text[start:end])


def test_what_signatures_know_nothing_of_is_not_asked() -> None:
    for need in (
        ANYTHING,
        LiteralNeed("ab"),
        LiteralNeed("first\nsecond"),
        AnyOf((LiteralNeed("abc"), LiteralNeed("x"))),
    ):
        assert query_for(need) is None
