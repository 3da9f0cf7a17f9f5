import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selfplay.core.errors import JournalError, StorageError
from selfplay.core.jsonl import AppendOnlyFile, json_line


def read_back(path: Path) -> list[tuple[int, bytes]]:
    with AppendOnlyFile(path) as file:
        return list(file.read_lines())


@given(texts=st.lists(st.text(), max_size=4), cut=st.integers(0, 20))
def test_what_was_appended_is_read_back_however_its_end_was_torn(
    texts: list[str], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("lines") / "file.jsonl"
    lines = [json_line({"text": text}) for text in texts]
    with AppendOnlyFile(path) as file:
        for line in lines:
            file.append(line)
        file.append(json_line({"text": "x" * 20})[:cut])
    assert read_back(path) == list(enumerate(lines, 1))
    assert path.read_bytes() == b"".join(lines)


def test_a_line_is_found_again_at_its_place(tmp_path: Path) -> None:
    with AppendOnlyFile(tmp_path / "new" / "file.jsonl") as file:
        file.append(json_line([1]) + json_line([22]))
        file.sync()
        assert file.read_at(4, 5) == b"[22]\n"
        assert file.read() == b"[1]\n[22]\n"


def test_a_file_in_use_is_refused_by_what_uses_it_and_free_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "file.jsonl"
    with (
        AppendOnlyFile(path, user="is cleaning here"),
        pytest.raises(JournalError, match=r"file\.jsonl: another process is cleaning here; wait for it or stop it"),
        AppendOnlyFile(path, user="is cleaning here"),
    ):
        pass
    with AppendOnlyFile(path, user="is cleaning here") as file:
        file.append(b"{}\n")


def test_a_folder_that_is_not_there_is_made_only_where_it_may_be(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"file\.jsonl: can't be written"):
        AppendOnlyFile(tmp_path / "gone" / "file.jsonl", makes_folder=False).__enter__()
    assert not (tmp_path / "gone").exists()


WRITES_MUCH = """
import resource, signal, sys
from pathlib import Path
from selfplay.core.errors import StorageError
from selfplay.core.jsonl import AppendOnlyFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8, 8))
with AppendOnlyFile(Path(sys.argv[1])) as file:
    file.append(b"[1]\\n")
    try:
        file.append(b"[22222]\\n")
    except StorageError as error:
        print(error)
"""


def test_a_full_disk_is_an_error_and_leaves_the_lines_before_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.jsonl"
    done = subprocess.run([sys.executable, "-c", WRITES_MUCH, str(path)], check=True, capture_output=True, text=True)
    assert "file.jsonl: can't be written" in done.stdout
    assert path.read_bytes() == b"[1]\n[222"
    assert read_back(path) == [(1, b"[1]\n")]
