"""What an export leaves behind when it is killed, and while others are at work."""

import signal
import subprocess
import sys
from pathlib import Path

from selfplay.core.files import open_scratch_folder

DIES = """
import os, signal, sys
from pathlib import Path
from selfplay.core.files import open_scratch_folder
with open_scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "rows.jsonl").write_text("half of them")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_export_left_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "sft.jsonl").write_text("rows\n")
    done = subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    with open_scratch_folder(tmp_path):
        assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["rows\n"]
    assert [path.name for path in tmp_path.iterdir()] == ["sft.jsonl"]


def test_an_export_at_work_is_left_alone(tmp_path: Path) -> None:
    with open_scratch_folder(tmp_path) as one:
        (one / "rows.jsonl").write_text("one's")
        with open_scratch_folder(tmp_path) as other:
            assert one != other
            assert (one / "rows.jsonl").read_text() == "one's"
        assert (one / "rows.jsonl").read_text() == "one's"
    assert not list(tmp_path.iterdir())


def test_a_link_that_looks_like_a_leftover_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis").write_text("years of work")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ".selfplay-export-x").symlink_to(precious)
    with open_scratch_folder(tmp_path / "out"):
        pass
    assert (precious / "thesis").read_text() == "years of work"
