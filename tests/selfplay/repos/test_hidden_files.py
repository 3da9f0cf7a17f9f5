import json
from contextlib import closing
from pathlib import Path

import pytest

from selfplay.cli import main
from selfplay.repos.repositories import Repositories
from tests.selfplay.episodes import PROMPT, TARGETS, make_files


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert not ended.value.code


def shown_paths(repo: Path, root: Path) -> list[str]:
    with closing(Repositories(root / "repos").open(str(repo), "worktree")) as snapshot:
        return [entry.path for entry in snapshot.entries]


def test_no_later_run_on_a_directory_sees_what_earlier_ones_wrote_into_it(tmp_path: Path) -> None:
    """Each of these files holds answers, and nothing says any more which run wrote it."""
    repo = make_files(tmp_path / "repo")
    before = shown_paths(repo, tmp_path)
    old, clones = repo / "old", ("--repos", str(tmp_path / "repos"))
    task = {"id": "t", "repo": str(repo), "commit": "worktree", "prompt": PROMPT, "targets": [{"path": TARGETS[0]}]}
    old.mkdir()
    (old / "tasks.jsonl").write_text(json.dumps(task, indent=None) + "\n")
    run("batch", str(old / "tasks.jsonl"), "--out", str(old / "night"), *clones, "--quiet")
    run("clean", str(old / "night"), "--out", str(old / "cleaned"), *clones, "--quiet", "--samples", "1")
    for form in ("openai", "trl"):
        run("export", str(old / "cleaned"), "--format", form, "-o", str(old / f"{form}.jsonl"))
    run("report", str(old / "night"), "-o", str(old / "report.html"))
    left = [path for path in shown_paths(repo, tmp_path) if path not in before]
    texts = {path: (repo / path).read_text() for path in left}
    assert {path: text for path, text in texts.items() if any(target in text for target in TARGETS)} == {}
    assert [path for path in left if path.endswith(".jsonl") and texts[path]] == []
    assert "old/report.html" not in left


def test_other_peoples_rows_and_pages_are_shown(tmp_path: Path) -> None:
    repo = make_files(tmp_path / "repo")
    rows = {
        "chat.jsonl": {"messages": [{"role": "system", "content": "You are a helpful assistant."}]},
        "log.jsonl": {"event": "started", "episode": "s01e01"},
        "show.jsonl": {"episode": "s01e01", "title": "Pilot"},
        "eval.jsonl": {"prompt": "2 + 2", "targets": ["4"]},
    }
    for name, row in rows.items():
        (repo / name).write_text(json.dumps(row, separators=(",", ":")))
    (repo / "page.html").write_text("<!doctype html><title>a run of luck</title>")
    assert set(shown_paths(repo, tmp_path)) > {*rows, "page.html"}
