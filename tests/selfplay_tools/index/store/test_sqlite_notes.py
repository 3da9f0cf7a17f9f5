"""Notes are true or missing, whatever happened to their file."""

import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay_tools.code import code_file as code
from selfplay_tools.code.code_file import CodeFile, parse_code
from selfplay_tools.code.serialization import pack_code, unpack_code
from selfplay_tools.index.store.sqlite_notes import SqliteNotes
from selfplay_tools.snapshot.commit import CommitSnapshot
from selfplay_tools.tools.find_symbol import FindSymbol, find_symbol
from tests.repositories import commit_files, make_git_dir


def test_a_note_is_found_again(tmp_path: Path) -> None:
    with closing(SqliteNotes(tmp_path / "n.sqlite")) as notes:
        assert notes.get("a") is None
        notes.put("a", b"one")
        assert notes.get("a") == b"one"
    with closing(SqliteNotes(tmp_path / "n.sqlite")) as again:
        assert again.get("a") == b"one"


def test_a_note_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "n.sqlite"
    with closing(SqliteNotes(path)) as notes:
        notes.put("a", b"one")
        notes.put("b", b"two")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE notes SET value = CAST(replace(value, 'o', 'x') AS BLOB) WHERE key = 'a'")
        connection.execute("UPDATE notes SET key = 'c' WHERE key = 'b'")
    with closing(SqliteNotes(path)) as notes:
        assert [notes.get(key) for key in "abc"] == [None, None, None]


@pytest.mark.parametrize("content", [b"", b"not a database" * 100, b"SQLite format 3\0" + bytes(range(256)) * 40])
def test_a_file_that_is_no_database_is_done_without(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "n.sqlite"
    path.write_bytes(content)
    with closing(SqliteNotes(path)) as notes:
        notes.put("a", b"one")
        assert notes.get("a") in (b"one", None)
    with closing(SqliteNotes(path)) as again:
        again.put("b", b"two")
        assert again.get("b") == b"two"


def test_a_place_where_nothing_can_be_kept_keeps_nothing(tmp_path: Path) -> None:
    with closing(SqliteNotes(tmp_path / "nowhere" / "n.sqlite")) as notes:
        notes.put("a", b"one")
        assert notes.get("a") is None


def test_old_notes_go_when_there_are_too_many(tmp_path: Path) -> None:
    path = tmp_path / "n.sqlite"
    with closing(SqliteNotes(path, max_bytes=1 << 20)) as notes:
        for number in range(2048):
            notes.put(str(number), bytes(2000))
        kept = [number for number in range(2048) if notes.get(str(number)) is not None]
        assert 0 < len(kept) < 1500
        assert kept[-1] == 2047


def fill(notes: SqliteNotes, name: int) -> None:
    for at in range(50):
        notes.put(f"{name} {at}", b"value %d" % at)


def test_several_threads_and_connections_note_at_once(tmp_path: Path) -> None:
    """What could not be kept because another wrote is missing, never wrong."""
    path = tmp_path / "n.sqlite"
    with closing(SqliteNotes(path)) as one, closing(SqliteNotes(path)) as other:
        writers = [Thread(target=fill, args=(notes, name)) for name, notes in enumerate([one, other, one, other])]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        found = {(name, at): other.get(f"{name} {at}") for name in range(4) for at in range(50)}
        assert all(value in (b"value %d" % at, None) for (_, at), value in found.items())
        assert any(found.values())
        fill(one, 5)
        assert other.get("5 49") == b"value 49"


@given(st.text(max_size=20), st.booleans())
def test_what_is_known_of_a_file_survives_being_packed(text: str, with_quiet: bool) -> None:  # noqa: FBT001  # drawn
    source = f'# {text!r}\nclass A:\n    def f(self, x=1): return "é"\n\nLIMIT = 3\n'.encode()
    known = parse_code("a.py", source, with_non_code=with_quiet)
    assert known.language is not None
    name, found, quiet, problem = unpack_code(
        pack_code(known.language.name, known.definitions, known.non_code, known.problem)
    )
    assert CodeFile(known.language, found, quiet, frozenset(one.name for one in found), problem) == known
    assert name == "python"


def test_definitions_from_notes_equal_those_from_the_text(tmp_path: Path) -> None:
    git_dir = make_git_dir(tmp_path / "r.git")
    commit = commit_files(
        git_dir, {b"a.py": b"class Only:\n    def here_alone(self): ...\n", b"b.h": b"int f(void);\n"}
    )
    asked = FindSymbol.model_validate({"name": "here_alone"})
    with closing(CommitSnapshot(git_dir, commit)) as plain:
        expected = find_symbol(plain, asked)
    with closing(CommitSnapshot(git_dir, commit, store=tmp_path / "index")) as kept:
        oid = next(entry.oid for entry in kept.entries if entry.path == "a.py")
        code.clear_cache()
        assert find_symbol(kept, asked) == expected
        assert kept.notes.get(code.note_key_of(oid, ".py")) is not None
        code.clear_cache()
        assert find_symbol(kept, asked) == expected
