import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from selfplay.audit.hints import OPEN_AT_ONCE, audit_hints
from selfplay.core.errors import InputError, RepositoryError
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.directory import DirectorySnapshot


class RecordingSnapshots:
    """Repositories by name; remembers what was opened and is still open."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        self.root = root
        self.asked: list[str] = []
        self.snapshots: list[DirectorySnapshot] = []
        for name in names:
            (root / name / "pump").mkdir(parents=True)
            (root / name / "pump" / "tank.py").write_text("def drain_slowly(level):\n    return level - 1\n")
            (root / name / "pump" / "main.py").write_text("level = 3\n")

    def open(self, repo: str, commit: str) -> Snapshot:
        self.asked.append(repo)
        if not (self.root / repo).is_dir():
            raise RepositoryError(f"{repo}, {commit}: no such repository")
        self.snapshots.append(DirectorySnapshot(self.root / repo))
        return self.snapshots[-1]


def row(hint: str, repo: str = "water", **changes: object) -> dict[str, Any]:
    task = {"id": "t", "repo": repo, "commit": "worktree", "prompt": "Empty it", "targets": [{"path": "pump/tank.py"}]}
    return {"task": task, "shown": [], "hint": hint, **changes}


def audit(path: Path, shelf: RecordingSnapshots, *rows: Mapping[str, Any] | str) -> list[dict[str, Any]]:
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in rows), "utf-8")
    return list(audit_hints(path, shelf))


def test_each_row_gets_its_answer_in_order(tmp_path: Path) -> None:
    found = audit(
        tmp_path / "h.jsonl",
        RecordingSnapshots(tmp_path, ["water"]),
        row("Open pump/tank.py."),
        row("What holds water?"),
    )
    assert found[0] == {"reveals": True, "findings": [{"kind": "path", "text": "pump/tank.py", "span": [5, 17]}]}
    assert found[1] == {"reveals": False, "findings": []}


def test_what_was_shown_counts(tmp_path: Path) -> None:
    hidden = row("Who calls drain_slowly?")
    shown = row("Who calls drain_slowly?", shown=["pump/tank.py:1: def drain_slowly(level):"])
    found = audit(tmp_path / "h.jsonl", RecordingSnapshots(tmp_path, ["water"]), hidden, shown)
    assert [one["reveals"] for one in found] == [True, False]


def test_a_repository_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    found = audit(
        tmp_path / "h.jsonl", RecordingSnapshots(tmp_path, []), row("Open tank.py.", "gone"), row("Think.", "gone")
    )
    assert [one["reveals"] for one in found] == [True, False]
    assert all(one["partial"].startswith("repository not available: gone, worktree: ") for one in found)


def test_a_target_that_is_not_in_the_repository_is_reported(tmp_path: Path) -> None:
    one = row("Look at gone.py")
    one["task"]["targets"] = [{"path": "pump/gone.py"}]
    found = audit(tmp_path / "h.jsonl", RecordingSnapshots(tmp_path, ["water"]), one)
    assert found[0]["reveals"]
    assert found[0]["partial"] == "not in the repository: pump/gone.py"


def test_a_bad_row_ends_the_audit_after_the_rows_before_it(tmp_path: Path) -> None:
    (tmp_path / "h.jsonl").write_text(json.dumps(row("Think.")) + "\n\n" + '{"hint": "x"}\n', "utf-8")
    results = audit_hints(tmp_path / "h.jsonl", RecordingSnapshots(tmp_path, ["water"]))
    assert next(results)["reveals"] is False
    with pytest.raises(InputError, match=r"h\.jsonl:3: .*task"):
        next(results)


@pytest.mark.parametrize("bad", ['{"task"', "[]", '{"task": {}, "hint": "x"}', json.dumps(row("x", extra=1))])
def test_a_row_is_read_strictly(tmp_path: Path, bad: str) -> None:
    with pytest.raises(InputError, match=r"h\.jsonl:1: "):
        audit(tmp_path / "h.jsonl", RecordingSnapshots(tmp_path, ["water"]), bad)


def test_rows_about_one_task_open_its_repository_once(tmp_path: Path) -> None:
    shelf = RecordingSnapshots(tmp_path, ["water", "oil"])
    audit(tmp_path / "h.jsonl", shelf, row("a"), row("b", "oil"), row("c"), row("d", "oil"))
    assert shelf.asked == ["water", "oil"]


def test_only_so_many_repositories_are_open_at_once_and_none_at_the_end(tmp_path: Path) -> None:
    names = [f"r{n}" for n in range(OPEN_AT_ONCE + 3)]
    shelf = RecordingSnapshots(tmp_path, names)
    audit(tmp_path / "h.jsonl", shelf, *(row("Think.", name) for name in names))
    assert shelf.asked == names
    for snapshot in shelf.snapshots:
        with pytest.raises(Exception, match="closed"):
            snapshot.read("pump/tank.py")
