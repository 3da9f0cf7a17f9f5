"""A commit over a store answers as one that is scanned."""

import gc
import re
import weakref
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from selfplay_tools.index.patterns import LinePattern
from selfplay_tools.index.store.repository_index import open_repository_index
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.commit import CommitSnapshot
from selfplay_tools.text.literals import derive_need
from selfplay_tools.text.regex import BadRegex, compile_regex
from selfplay_tools.tools.find_references import FindReferences, find_references
from selfplay_tools.tools.grep import Grep, grep
from selfplay_tools.tools.search import Search, search
from selfplay_tools.tools.toolbox import Toolbox
from tests.repositories import commit_files, make_git_dir

Files = Mapping[bytes, bytes]
FILES: Files = {
    b"a/crlf.txt": b"Server one\r\nserver two\r\n",
    b"a/latin.txt": b"caf\xe9 au lait\nServer\n",
    b"a/wide.txt": "\ufeffKölner Server\nzwei".encode("utf-16"),
    b"a/wide32.txt": "Server\r\nx".encode("utf-32"),
    b"b/mark.py": b"\xef\xbb\xbfdef serve(): pass\n",
    b"b/control.txt": b"bell\x07 server\x00" + b"x" * 9000 + b"\x00\n",
    b"b/no_end.txt": b"last line has no end: server",
    b"b/empty.txt": b"",
    b"b/blank.txt": b"\n",
    b"b/blanks.txt": b"\n\n\nserver\n\n",
    b"b/kelvin.txt": "300 \u212aelvin, \u017ferver\n".encode(),
    b"b/same.txt": b"server\n",
    b"c/same.txt": b"server\n",
    b"c/data.bin": b"server\0",
    b"c/huge.txt": b"server\n" * (1 << 19),
    b"c/lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12345\n",
    b"c/long.txt": b"x" * 70_000 + b"server" + b"y" * 70_000 + b"\nserver\n",
    b"d/caf\xc3\xa9_server.c": b"int server_header(void)\n{\n\treturn 0;\n}\n",
    b"d/odd\xff.c": b"/* server */\n",
}


@contextmanager
def open_both(git_dir: Path, commit: str, store: Path) -> Generator[tuple[Snapshot, Snapshot]]:
    with (
        closing(CommitSnapshot(git_dir, commit)) as plain,
        closing(CommitSnapshot(git_dir, commit, store=store)) as kept,
    ):
        yield plain, kept


@pytest.fixture(scope="module")
def snapshots(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Snapshot, Snapshot]]:
    root = tmp_path_factory.mktemp("view")
    git_dir = make_git_dir(root / "r.git")
    with open_both(git_dir, commit_files(git_dir, FILES), root / "index") as pair:
        yield pair


PATTERNS = [
    "server", "(?i)SERVER", "Server", "^", "$", "^$", "x*", r"\bserver\b", "(?i)kelvin", "(?i)server$", "é", "\ufffd",
    "K", r"\d+", "[a-z]+ lait", "one|zwei|def", "(serv|pass)er?", r"\Aserver\z", "(?-m)^server", ".", "s.*r", "lait$",
    r"end: server", "xserver", "serverx", "return|(int|void)", "nowhere", r"\x07", "ö", "(?s)a.b", r"\s$", r"[^\n]",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("arguments", [{}, {"path": "b"}, {"glob": "*.txt", "context": 1}, {"offset": 3, "limit": 2}])
def test_grep_over_a_store_equals_grep_by_scanning(
    snapshots: tuple[Snapshot, Snapshot], pattern: str, arguments: dict[str, str | int]
) -> None:
    plain, kept = snapshots
    for ignore_case in (False, True):
        asked = Grep.model_validate({"pattern": pattern, "ignore_case": ignore_case, **arguments})
        assert grep(kept, asked) == grep(plain, asked)


@pytest.mark.parametrize("query", ["server", "server header", "café", "kelvin line", "int", "nowhere", "x y void"])
def test_search_over_a_store_equals_search_by_scanning(snapshots: tuple[Snapshot, Snapshot], query: str) -> None:
    plain, kept = snapshots
    assert kept.index.rank(query.split(), 50).best == plain.index.rank(query.split(), 50).best
    for path in ("", "b", "d/café_server.c"):
        asked = Search.model_validate({"query": query, "path": path})
        assert search(kept, asked) == search(plain, asked)


def test_texts_and_what_is_left_out_are_the_same(snapshots: tuple[Snapshot, Snapshot]) -> None:
    plain, kept = snapshots
    assert kept.index.list_unsearched() == plain.index.list_unsearched()
    for entry in plain.entries:
        assert kept.text(entry.path) == plain.text(entry.path)
        one, other = kept.text_span(entry.path), plain.text_span(entry.path)
        assert one.buffer[one.starts[0] : one.ends[0]] == other.buffer[other.starts[0] : other.ends[0]]


CALLS = [
    ("find_symbol", {"name": "server_header"}), ("find_symbol", {"name": "serve"}), ("find_symbol", {"name": "Serve"}),
    ("find_references", {"name": "server_header"}), ("outline", {"path": "b/mark.py"}),
    ("read_file", {"path": "a/crlf.txt"}), ("read_file", {"path": "c/lfs"}),
    ("grep", {"pattern": "s", "path": "c/huge.txt"}),
]  # fmt: skip


@pytest.mark.parametrize(("tool", "arguments"), CALLS)
def test_every_tool_says_the_same(snapshots: tuple[Snapshot, Snapshot], tool: str, arguments: dict[str, str]) -> None:
    named = {one.name: one for one in Toolbox(snapshots[0]).tools}[tool]
    asked = named.arguments.model_validate(arguments)
    assert named.run(snapshots[1], asked) == named.run(snapshots[0], asked)


LINES = st.lists(st.text("aAbkKsS\u017f\u212aéÉ .\tx", max_size=9).map(str.encode), max_size=6)
CONTENTS = st.builds(bytes.join, st.sampled_from([b"\n", b"\r\n"]), LINES) | st.binary(max_size=30)
NAMES = st.sampled_from([b"a.c", b"b.py", b"c/d.txt", b"c/e.txt", b"c.txt", b"z"])
TREES = st.dictionaries(NAMES, CONTENTS, max_size=6)
SOURCES = st.text("aAbks.|()*+?^$[]é\u017f", max_size=8)


@given(
    trees=st.lists(TREES, min_size=1, max_size=3), sources=st.lists(SOURCES, min_size=1, max_size=4), fold=st.booleans()
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_commit_of_a_shared_store_answers_as_if_alone(
    tmp_path_factory: pytest.TempPathFactory,
    trees: list[dict[bytes, bytes]],
    sources: list[str],
    fold: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    root = tmp_path_factory.mktemp("any")
    git_dir = make_git_dir(root / "r.git")
    for tree in trees:
        with open_both(git_dir, commit_files(git_dir, tree), root / "index") as (plain, kept):
            assert kept.index.rank(["abs", "k"], 9).best == plain.index.rank(["abs", "k"], 9).best
            assert kept.index.list_unsearched() == plain.index.list_unsearched()
            for source in sources:
                if _is_valid(source):
                    asked = Grep.model_validate({"pattern": source, "ignore_case": fold})
                    assert grep(kept, asked) == grep(plain, asked)


def _is_valid(source: str) -> bool:
    try:
        compile_regex(source)
    except BadRegex:
        return False
    return bool(source)


def test_signatures_leave_out_what_lacks_a_word(snapshots: tuple[Snapshot, Snapshot]) -> None:
    _, kept = snapshots
    need = derive_need("server_header|zwei", ignore_case=False)
    paths = [path for span in kept.index.find_spans(need) for path in span.paths]
    assert paths == ["a/wide.txt", "d/café_server.c"]
    assert not re.search("huge", str(paths))


_ROWS = ("int spin_lock(int lock)", "\treturn spin_lock(7);", "/* Out of Memory */", "", "x" * 3000, "}")
LONG = st.lists(
    st.tuples(st.sampled_from(_ROWS), st.integers(1, 400)).map(lambda rows: f"{rows[0]}\n" * rows[1]), max_size=9
).map(lambda runs: "".join(runs).encode())
LONG_PATTERNS = (
    "spin_lock", "(?i)out of memory", "return.*7|Memory", r"\bint\b.*lock|^}$", "^$", r"\Areturn", "xxxx$", "nowhere"
)  # fmt: skip


@given(one=LONG, two=LONG, three=LONG, offset=st.integers(0, 90))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_files_of_many_pieces_answer_as_whole_ones(
    tmp_path_factory: pytest.TempPathFactory, one: bytes, two: bytes, three: bytes, offset: int
) -> None:
    root = tmp_path_factory.mktemp("long")
    git_dir = make_git_dir(root / "r.git")
    for tree in (
        {b"a.c": one, b"b.c": two, b"c.c": one},
        {b"a.c": one, b"b.c": three, b"d.c": two + b"x" * 9000 + one},
    ):
        with open_both(git_dir, commit_files(git_dir, tree), root / "index") as (plain, kept):
            for pattern in LONG_PATTERNS:
                asked = Grep.model_validate({"pattern": pattern, "offset": offset, "limit": 20, "context": offset % 2})
                assert grep(kept, asked) == grep(plain, asked)
            uses = FindReferences.model_validate({"name": "spin_lock", "offset": offset})
            assert find_references(kept, uses) == find_references(plain, uses)


def test_literals_in_different_pieces_of_a_file_are_found_together(tmp_path: Path) -> None:
    git_dir = make_git_dir(tmp_path / "r.git")
    far = b"first\n" + b"line\n" * 20_000
    commit = commit_files(
        git_dir, {b"a": far + b"second\n", b"b": b"first\n", b"c": b"second\n", b"d": b"second first"}
    )
    with open_both(git_dir, commit, tmp_path / "index") as (_, kept):
        found = [entry.path for entry in kept.index.find_candidates(["first", "second"], ignore_case=False)]
        assert found == ["a", "d"]
        assert len(list(kept.index.find_candidates([], ignore_case=False))) == 4
        (span,) = kept.index.find_spans(derive_need("second|nowhere", ignore_case=False))
        assert sum(end - start for start, end in span.searched_parts) < len(far) // 2
        number, _ = next(iter(span.lines_of(0).number_places(next(LinePattern("second").find_texts(span)).matches)))
        assert number == 20_001


def test_much_is_stored_in_the_background_and_answers_do_not_change(tmp_path: Path) -> None:
    git_dir = make_git_dir(tmp_path / "r.git")
    files = {b"%03d.txt" % number: b"line %d of a file\n" % number * 30_000 for number in range(20)}
    commit = commit_files(git_dir, files)
    with open_both(git_dir, commit, tmp_path / "index") as (plain, kept):
        asked = Grep.model_validate({"pattern": "line 7 ", "limit": 3})
        before = grep(kept, asked)
        open_repository_index(git_dir.absolute(), tmp_path / "index").wait_until_idle()
        assert before == grep(kept, asked) == grep(plain, asked)
        assert kept.index.rank(["line"], 5).best == plain.index.rank(["line"], 5).best
        assert open_repository_index(git_dir.absolute(), tmp_path / "index").problem is None


def test_a_snapshot_that_nobody_has_any_more_is_gone_at_once(tmp_path: Path) -> None:
    """It keeps an index's files mapped: they must not wait for Python's collector of cycles."""
    git_dir = make_git_dir(tmp_path / "r.git")
    gc.collect()
    gc.disable()
    try:
        snapshot = CommitSnapshot(git_dir, commit_files(git_dir, FILES), store=tmp_path / "store")
        assert snapshot.resolve("a/../b/same.txt") == "b/same.txt"
        gone = weakref.ref(snapshot)
        snapshot.close()
        del snapshot
        assert gone() is None
    finally:
        gc.enable()
