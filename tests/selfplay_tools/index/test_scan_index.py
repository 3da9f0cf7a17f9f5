import re
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.index.scan_index import MAX_INDEXED_BYTES, ScanIndex, make_matcher
from selfplay_tools.index.words import find_words, words_of
from selfplay_tools.protocols import PathKind, SnapshotEntry, TextIndex
from selfplay_tools.snapshot.commit import CommitSnapshot
from selfplay_tools.text.decoding import decode_file
from selfplay_tools.text.literals import need_literals
from tests.repositories import commit_files, make_git_dir

FILES = {
    b"server/headers.py": b"SERVER_HEADER = 'Server'\ndef add_headers(response): ...\n",
    b"server/routes.py": b"def route(path): ...\n",
    b"client/fetch.py": b"class ServerHeaderReader:\n    pass\n",
    b"docs/long.md": b"the server answers with a header. " * 40,
    b"wide.txt": "\ufeffKölner Server".encode("utf-16"),
    b"kelvin.txt": "300 \u212aelvin".encode(),
    b"data.bin": b"Server\0",
    b"huge.txt": b"Server\n" * (MAX_INDEXED_BYTES // 7 + 1),
}


@pytest.fixture
def index(tmp_path: Path) -> Generator[TextIndex]:
    git_dir = make_git_dir(tmp_path / "r.git")
    with closing(CommitSnapshot(git_dir, commit_files(git_dir, FILES))) as snapshot:
        yield snapshot.index


def candidate_paths(index: TextIndex, *literals: str, ignore_case: bool = False) -> list[str]:
    return [entry.path for entry in index.find_candidates(literals, ignore_case=ignore_case)]


def test_candidates_hold_every_literal_and_come_in_path_order(index: TextIndex) -> None:
    assert candidate_paths(index, "Server") == ["client/fetch.py", "server/headers.py", "wide.txt"]
    assert candidate_paths(index, "Server", "class") == ["client/fetch.py"]
    assert candidate_paths(index, "nowhere") == []


def test_no_literal_means_every_text(index: TextIndex) -> None:
    assert len(candidate_paths(index)) == len(FILES) - 2


def test_case_is_ignored_on_demand(index: TextIndex) -> None:
    assert candidate_paths(index, "sErVeR", ignore_case=True) == [
        "client/fetch.py",
        "docs/long.md",
        "server/headers.py",
        "wide.txt",
    ]
    assert candidate_paths(index, "kelvin", ignore_case=True) == ["kelvin.txt"]


def test_binary_and_huge_files_are_left_out_and_named(index: TextIndex) -> None:
    assert [entry.path for entry in index.list_unsearched()] == ["data.bin", "huge.txt"]


def test_identifiers_and_words_meet(index: TextIndex) -> None:
    paths = [path for path, _ in index.rank(["server", "headers"], 10).best]
    assert paths[0] == "server/headers.py"
    assert set(paths) == {"server/headers.py", "server/routes.py", "client/fetch.py", "docs/long.md", "wide.txt"}


def test_a_whole_identifier_finds_its_file_first(index: TextIndex) -> None:
    assert index.rank(["ServerHeaderReader"], 1).best[0][0] == "client/fetch.py"
    assert index.rank(["SERVER_HEADER"], 1).best[0][0] == "server/headers.py"


def test_ranking_is_bounded_ordered_and_repeatable(index: TextIndex) -> None:
    ranked = index.rank(["server"], 3).best
    assert len(ranked) == 3
    assert [score for _, score in ranked] == sorted((score for _, score in ranked), reverse=True)
    assert index.rank(["server"], 3).best == ranked
    assert index.rank(["nowhere"], 3).best == []
    assert index.rank([], 3).best == []


def test_equal_files_are_ranked_by_path() -> None:
    entries = [SnapshotEntry(f"{name}/x.py", PathKind.FILE, 5, name * 40) for name in "abc"]
    index = ScanIndex(entries, lambda wanted: iter([b"equal"] * len(wanted)))
    assert [path for path, _ in index.rank(["equal"], 3).best] == ["a/x.py", "b/x.py", "c/x.py"]


def test_a_file_that_can_not_be_read_any_more_is_left_out() -> None:
    entries = [SnapshotEntry("a", PathKind.FILE, 1, "a" * 40), SnapshotEntry("b", PathKind.FILE, 1, "b" * 40)]
    index = ScanIndex(entries, lambda wanted: (None if entry.path == "a" else b"x" for entry in wanted))
    assert candidate_paths(index) == ["b"]
    assert index.list_unsearched() == [entries[0]]


PIECES = st.sampled_from(
    [b"k", b"K", b"s", "\u017f".encode(), "\u212a".encode(), b"\xff", b"\r\n", b"\n", b"\x01", "é".encode()]
)
LITERALS = st.lists(st.sampled_from(["k", "K", "s", "\u017f", "\u212a", "\ufffd", "é", "É", "\n"]), max_size=3).map(
    "".join
)


@given(st.lists(PIECES, max_size=8).map(b"".join), st.lists(LITERALS, max_size=2), st.booleans(), st.booleans())
def test_no_file_that_holds_the_literals_is_missed(
    data: bytes,
    literals: list[str],
    is_wide: bool,  # noqa: FBT001 - drawn by hypothesis
    ignore_case: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    if is_wide:
        data = b"\xff\xfe" + data.decode("utf-8", "replace").encode("utf-16-le")
    text = "\n".join(decode_file("x", data, len(data)).lines)
    flags = re.IGNORECASE if ignore_case else re.NOFLAG
    if all(re.search(re.escape(literal), text, flags) for literal in literals):
        assert make_matcher(need_literals(literals, ignore_case=ignore_case))(text.encode())


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("HTTPHeaders2", ("httpheaders2", "http", "header")),
        ("server_headers", ("server_header", "server", "header")),
        ("__init__", ("init",)),
        ("getURL", ("geturl", "get", "url")),
        ("entries", ("entry",)),
        ("class", ("class",)),
        ("größeÄndern", ("größeändern", "größe", "ändern")),
        ("a" * 100, ()),
    ],
)
def test_an_identifier_gives_itself_and_its_parts(identifier: str, words: tuple[str, ...]) -> None:
    assert words_of(identifier) == words


def test_a_query_is_split_like_a_text() -> None:
    assert list(find_words("Server headers")) == ["server", "header"]
