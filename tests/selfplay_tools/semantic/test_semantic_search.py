"""`semantic_search` on commits and directories, with a toy model."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from selfplay_tools.output import ResultLimits
from selfplay_tools.protocols import Snapshot
from selfplay_tools.semantic.embedders import EmbeddingFailed, Floats
from selfplay_tools.semantic.semantic_index import MAX_FILE_BYTES, SemanticIndex, default_folder
from selfplay_tools.semantic.semantic_search import INSTEAD, make_semantic_search
from selfplay_tools.snapshot.commit import CommitSnapshot
from selfplay_tools.snapshot.directory import DirectorySnapshot
from selfplay_tools.tools.schema import function_schema
from selfplay_tools.tools.tool import CallResult, ShownRange
from selfplay_tools.tools.toolbox import Toolbox
from tests.repositories import commit_files, make_git_dir
from tests.toy_embeddings import ToyEmbedder

IO = """class Reader:
    def open(self, path):
        handle = open(path)
        return handle

    def close(self):
        self.handle.close()
"""
MATHS = """def multiply(left, right):
    product = left * right
    return product


def divide(left, right):
    quotient = left / right
    return quotient
"""
FILES = {b"io.py": IO.encode(), b"lib/maths.py": MATHS.encode(), b"README": b"How to multiply two numbers.\n"}


@pytest.fixture
def toy() -> ToyEmbedder:
    return ToyEmbedder()


@pytest.fixture
def git_dir(tmp_path: Path) -> Path:
    return make_git_dir(tmp_path / "git")


def call(meaning: SemanticIndex, snapshot: Snapshot, **arguments: object) -> CallResult:
    return Toolbox(snapshot, [make_semantic_search(meaning)]).run("semantic_search", json.dumps(arguments))


def search_commit(meaning: SemanticIndex, git_dir: Path, commit: str, **arguments: object) -> CallResult:
    with closing(CommitSnapshot(git_dir, commit, store=git_dir / "store")) as snapshot:
        return call(meaning, snapshot, **arguments)


def places(result: CallResult) -> list[str]:
    assert result.ok, result.text
    return [row.split(". ", 1)[1] for row in result.text.splitlines()[1:] if row[:1].isdigit()]


def test_the_nearest_pieces_come_with_their_place_name_and_first_lines(git_dir: Path, toy: ToyEmbedder) -> None:
    commit = commit_files(git_dir, FILES)
    result = search_commit(SemanticIndex(toy), git_dir, commit, query="multiply left by right", limit=2)
    assert result.text == (
        'Nearest to "multiply left by right", the best 2 of 3 pieces in the root folder:\n'
        "1. lib/maths.py:1-8\n"
        "     1\tdef multiply(left, right):\n"
        "     2\t    product = left * right\n"
        "     3\t    return product\n"
        "     4\t\n"
        "2. README:1-1\n"
        "     1\tHow to multiply two numbers."
    )
    assert result.shown == (
        ShownRange(path="lib/maths.py", first=1, last=4, how="match"),
        ShownRange(path="README", first=1, last=1, how="match"),
    )


def test_code_that_one_expects_to_find_finds_code_like_it(git_dir: Path, toy: ToyEmbedder) -> None:
    commit = commit_files(git_dir, FILES)
    found = search_commit(
        SemanticIndex(toy), git_dir, commit, snippet="def close(self):\n    self.handle.close()", limit=1
    )
    assert places(found) == ["io.py:1-7 Reader"]
    assert found.text.startswith("Nearest to the snippet, ")


def test_a_query_and_a_snippet_count_alike(git_dir: Path, toy: ToyEmbedder) -> None:
    commit = commit_files(git_dir, {b"a.txt": b"apple\n", b"b.txt": b"pear\n", b"c.txt": b"apple pear\n"})
    found = search_commit(SemanticIndex(toy), git_dir, commit, query="apple", snippet="pear")
    assert places(found) == ["c.txt:1-1", "a.txt:1-1", "b.txt:1-1"]


def test_a_commit_answers_with_its_own_files_whatever_else_is_stored(git_dir: Path, toy: ToyEmbedder) -> None:
    one = commit_files(git_dir, FILES)
    other = commit_files(git_dir, {**FILES, b"io.py": b"multiply left right\n", b"z.md": b"multiply left right\n"})
    first = search_commit(SemanticIndex(toy), git_dir, one, query="multiply left right")
    between = search_commit(SemanticIndex(toy), git_dir, other, query="multiply left right")
    assert places(between)[0] == "io.py:1-1  (1 more piece with the same text)"
    assert search_commit(SemanticIndex(toy), git_dir, one, query="multiply left right") == first


def test_a_further_commit_embeds_only_what_is_new(git_dir: Path, toy: ToyEmbedder) -> None:
    search_commit(SemanticIndex(toy), git_dir, commit_files(git_dir, FILES), query="x")
    toy.embedded.clear()
    grown = {**FILES, b"moved/io.py": IO.encode(), b"new.py": b"fresh = 1\n"}
    search_commit(SemanticIndex(toy), git_dir, commit_files(git_dir, grown), query="x")
    assert toy.embedded == ["fresh\nfresh = 1"]


def test_a_path_narrows_the_search_and_what_is_embedded(git_dir: Path, toy: ToyEmbedder) -> None:
    commit = commit_files(git_dir, FILES)
    assert places(search_commit(SemanticIndex(toy), git_dir, commit, query="close", path="lib")) == ["lib/maths.py:1-8"]
    assert not any("Reader" in text for text in toy.embedded)
    assert places(search_commit(SemanticIndex(toy), git_dir, commit, query="close", path="io.py")) == [
        "io.py:1-7 Reader"
    ]


def test_more_than_a_call_may_embed_is_a_refusal_until_it_was_built_ahead(git_dir: Path, toy: ToyEmbedder) -> None:
    commit = commit_files(git_dir, FILES)
    meaning = SemanticIndex(toy, max_texts=2)
    refused = search_commit(meaning, git_dir, commit, query="multiply")
    assert not refused.ok
    assert "more than 2 pieces of it have no vector yet. They must be embedded ahead" in refused.text
    assert refused.text.endswith(INSTEAD)
    assert toy.embedded == []
    heard: list[tuple[int, int]] = []
    with closing(CommitSnapshot(git_dir, commit, store=git_dir / "store")) as snapshot:
        assert meaning.embed_ahead(snapshot, lambda done, of: heard.append((done, of))) == 3
        assert meaning.embed_ahead(snapshot) == 0
    assert heard == [(3, 3)]
    built = search_commit(meaning, git_dir, commit, query="multiply")
    assert built == search_commit(SemanticIndex(ToyEmbedder(), folder=git_dir), git_dir, commit, query="multiply")
    assert len(places(built)) == 3


def test_a_model_that_fails_is_a_result_that_says_so(git_dir: Path) -> None:
    class Broken(ToyEmbedder):
        def embed_question(self, text: str) -> Floats:
            raise EmbeddingFailed(f"no vector for {len(text)} characters")

    result = search_commit(SemanticIndex(Broken()), git_dir, commit_files(git_dir, FILES), query="abc")
    assert not result.ok
    assert result.text == f"The code could not be searched by meaning: no vector for 3 characters.\n{INSTEAD}"


def test_a_place_that_can_not_be_written_to_is_said_without_its_name(
    git_dir: Path, tmp_path: Path, toy: ToyEmbedder
) -> None:
    (tmp_path / "blocked").write_text("a file")
    with closing(CommitSnapshot(git_dir, commit_files(git_dir, FILES))) as snapshot:
        result = call(SemanticIndex(toy, folder=tmp_path / "blocked"), snapshot, query="abc")
    assert not result.ok
    assert "can't be kept on disk: Not a directory" in result.text
    assert str(tmp_path) not in result.text


@pytest.mark.parametrize("arguments", [{}, {"query": "  "}, {"snippet": "\n{}\n"}])
def test_a_call_without_words_is_refused_with_advice(
    git_dir: Path, toy: ToyEmbedder, arguments: Mapping[str, str]
) -> None:
    result = search_commit(SemanticIndex(toy), git_dir, commit_files(git_dir, FILES), **arguments)
    assert not result.ok
    assert "needs a query or a snippet" in result.text
    assert toy.embedded == []


def test_files_that_are_data_are_left_out_and_named(git_dir: Path, toy: ToyEmbedder) -> None:
    files = {b"a.bin": b"\0" * 50, b"big.json": b"word\n" * (MAX_FILE_BYTES // 5 + 1), b"c.py": b"word = 1\n"}
    result = search_commit(SemanticIndex(toy), git_dir, commit_files(git_dir, files), query="word")
    assert places(result) == ["c.py:1-1 word"]
    assert "2 files, binary, unreadable or larger than 1.0 MB: a.bin (50 B), big.json (1.0 MB)" in result.text


def test_an_empty_tree_is_no_failure(git_dir: Path, toy: ToyEmbedder) -> None:
    result = search_commit(SemanticIndex(toy), git_dir, commit_files(git_dir, {b"empty": b""}), query="word")
    assert result.ok
    assert result.text == "No text in the root folder to search by meaning."


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[DirectorySnapshot]:
    root = tmp_path / "tree"
    for name, content in FILES.items():
        path = root / name.decode()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with closing(DirectorySnapshot(root)) as snapshot:
        yield snapshot


def test_a_directory_and_a_commit_with_the_same_files_answer_alike(
    git_dir: Path, tmp_path: Path, directory: DirectorySnapshot, toy: ToyEmbedder
) -> None:
    meaning = SemanticIndex(toy, folder=tmp_path / "vectors")
    from_disk = call(meaning, directory, query="multiply")
    assert search_commit(meaning, git_dir, commit_files(git_dir, FILES), query="multiply") == from_disk


def test_vectors_of_a_snapshot_without_a_place_of_its_own_go_to_the_users_cache() -> None:
    assert default_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/selfplay/semantic")
    assert default_folder({"XDG_CACHE_HOME": "relative"}) == Path.home() / ".cache/selfplay/semantic"


def test_the_tool_says_the_same_whichever_model_answers_and_that_it_is_not_reproducible() -> None:
    one, other = (make_semantic_search(SemanticIndex(ToyEmbedder(identity=name))) for name in "ab")
    assert function_schema(one) == function_schema(other)
    assert not one.is_reproducible
    assert "Not reproducible" in one.description


def test_in_a_short_result_each_piece_still_shows_a_line(git_dir: Path, toy: ToyEmbedder) -> None:
    wide = "".join(f"def handle_{n}(left):\n    product = '{'x' * 200}'\n    return product\n\n\n" for n in range(60))
    commit = commit_files(git_dir, {b"wide.py": wide.encode()})
    with closing(CommitSnapshot(git_dir, commit, store=git_dir / "store")) as snapshot:
        toolbox = Toolbox(snapshot, [make_semantic_search(SemanticIndex(toy))], ResultLimits(800, 50, 5))
        result = toolbox.run("semantic_search", '{"query": "handle product"}')
        too_many = toolbox.run("semantic_search", '{"query": "handle product", "limit": 6}')
    assert len(result.text) <= 800
    assert len(places(result)) == len(result.shown) >= 2
    for part in result.shown:
        assert f"{part.last:6}\t" in result.text
    assert "'limit' must be at most 5, not 6" in too_many.text
