"""The page on extending: every example is laid into a folder as it stands, and used from there by the command line."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import DOCS, blocks_of
from tests.selfplay.episodes import make_files

ROOT = Path(__file__).parents[1]
MAX_LINES = 60
TASK = (
    "--repo",
    "app",
    "--commit",
    "worktree",
    "--task",
    "where does a message rest",
    "--target",
    "pump/tank.py",
)


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder with the page's modules, and a repository."""
    make_files(tmp_path / "app")
    for block in blocks_of("extending.md", "python"):
        name = re.match(r"# (my_package/\w+\.py)\n", block)
        assert name, block
        (tmp_path / "my_package").mkdir(exist_ok=True)
        (tmp_path / name[1]).write_text(block)
    return tmp_path


def selfplay(lab: Path, *arguments: str, code: int = 0) -> str:
    path = os.pathsep.join([str(lab), str(ROOT), str(ROOT / "tools")])
    done = subprocess.run(
        [sys.executable, "-m", "selfplay", *arguments],
        cwd=lab, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr + done.stdout
    return done.stdout


def offer_check(lab: Path) -> None:
    """What installing a package with this entry point leaves behind."""
    [entry] = [block for block in blocks_of("extending.md", "toml") if "gate_checks" in block]
    group, line = re.findall(r'"([\w.]+)"\]\n(.*)\n', entry)[0]
    info = lab / "tickets-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tickets\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{line.replace(chr(34), '')}\n")


def test_no_example_is_long() -> None:
    assert not [block for block in blocks_of("extending.md", "python") if block.count("\n") > MAX_LINES]


def test_a_tool_a_model_and_a_format_play_and_export_an_episode(lab: Path) -> None:
    tools, player, *_ = blocks_of("extending.md", "toml")
    (lab / "run.toml").write_text(tools + player)
    told = json.loads(selfplay(lab, "run", *TASK, "--config", "run.toml", "--policy", "never", "--quiet", "--json"))
    assert told["stop"]["reason"] == "found"
    assert told["answer"] == ["pump/tank.py"] or "pump/tank.py" in told["answer"]
    [journal] = (lab / "traces").glob("*.jsonl")
    start = json.loads(journal.read_text().splitlines()[0])
    offered = [tool["function"]["name"] for tool in start["tools"]]
    assert offered == ["find_files", "grep", "read_file", "count_lines", "finish"]
    [command] = [block for block in blocks_of("extending.md", "sh") if "my_package" in block]
    selfplay(lab, *command.split()[1:])
    [row] = (lab / "calls" / "sft.jsonl").read_text().splitlines()
    assert json.loads(row)["calls"][0] == ["find_files"]


def test_a_tool_can_be_called_by_hand(lab: Path) -> None:
    (lab / "run.toml").write_text(blocks_of("extending.md", "toml")[0])
    where = ("--repo", "app@worktree", "--config", "run.toml")
    assert "pump/tank.py has 4 lines" in selfplay(
        lab, "tools", "call", "count_lines", *where, '{"path": "pump/tank.py"}'
    )


def test_a_check_finds_what_it_is_for(lab: Path) -> None:
    offer_check(lab)
    task = {"id": "t", "repo": "app", "commit": "worktree", "prompt": "p", "targets": [{"path": "pump/tank.py"}]}
    hints = [{"task": task, "hint": hint} for hint in ("ABC-123 tells it.", "What does it rest on?")]
    (lab / "hints.jsonl").write_text("".join(json.dumps(hint) + "\n" for hint in hints))
    revealing, innocent = selfplay(lab, "audit", "hints", "hints.jsonl", code=1).splitlines()
    assert [(one["kind"], one["text"]) for one in json.loads(revealing)["findings"]] == [("literal", "ABC-123")]
    assert not json.loads(innocent)["findings"]


def test_an_environment_is_played_from_its_own_module(lab: Path) -> None:
    (lab / "tasks.jsonl").write_text(next(b for b in blocks_of("extending.md", "json") if "my_package" in b))
    [script] = blocks_of("extending.md", "jsonl")
    (lab / "player.jsonl").write_text(script)
    verdict = {"quality": "productive", "why": "w", "hint": None}
    hinting = {"quality": "neutral", "why": "w", "hint": "Look up springtide."}
    verdicts = [
        {"verdict": one} for one in (hinting, {**hinting, "hint": "What is the opposite of it?"}, *[verdict] * 3)
    ]
    (lab / "supervisor.jsonl").write_text("".join(json.dumps(line) + "\n" for line in verdicts))
    models = ("--player", "scripted:player.jsonl", "--supervisor", "scripted:supervisor.jsonl")
    told = json.loads(selfplay(lab, "run", "--tasks", "tasks.jsonl", "--id", "tide", *models, "--quiet", "--json"))
    assert told["stop"]["reason"] == "found"
    assert (told["found"], told["refused"]) == (["the entry"], 1)


def test_every_extension_point_of_the_table_has_its_section() -> None:
    page = (DOCS / "extending.md").read_text("utf-8")
    for anchor in re.findall(r"\(#([\w-]+)\)", page):
        assert re.search(rf"^#+ {anchor.replace('-', ' ')}$", page, re.MULTILINE | re.IGNORECASE), anchor
