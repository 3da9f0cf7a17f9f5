"""Every command in the README is executed."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loopback import Json, LoopbackServer, run_in_thread
from tests.selfplay.episodes import PROMPT

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
MADE_BY_CI = {"make demo", "make test", "pip install ."}
"""Executed by `.ci/run` itself, and in the test of the wheel."""


def shell_commands() -> list[str]:
    """The commands in the README's shell blocks, without comments, continued lines joined."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").split("\n")
    return [line for line in (re.sub(r"\s+#.*", "", line).strip() for line in lines) if line]


def settings_block() -> str:
    """The README's run.toml."""
    [block] = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    return block


def git(where: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *identity, *arguments], cwd=where, check=True, capture_output=True)


def commit_files(where: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (where / name).parent.mkdir(parents=True, exist_ok=True)
        (where / name).write_text(text)
    git(where, "init", "--quiet")
    git(where, "add", ".")
    git(where, "commit", "--quiet", "--message", "all")


def reply_to(request: Json) -> Json:
    """Player and supervisor of the README's run: the player lists the files, reads them, then answers."""
    said = sum(m["role"] == "assistant" for m in request["messages"])
    if request["model"] != "Qwen3-32B":
        return {"content": '{"quality": "productive", "why": "w", "hint": null}'}
    paths = ("app/io.py", "app/http/emit.py")
    reads = [("read_file", {"path": p}) for p in paths]
    end = ("finish", {"files": [{"path": p, "reason": "read"} for p in paths]})
    calls = ([("list_dir", {"path": "", "depth": 3})], reads, [end])[min(said, 2)]
    made = [{"id": f"c{i}", "function": {"name": name, "arguments": a}} for i, (name, a) in enumerate(calls)]
    return {"content": "so", "tool_calls": made}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder in which the README's commands make sense."""
    commit_files(tmp_path / "app", {"app/io.py": "x = 1\n", "app/http/emit.py": "y = 2\n"})
    (tmp_path / "app/app/io.py").write_text("x = 1\n# all of it\n")
    (tmp_path / "app/app/http/emit.py").write_text("y = 2\n# until the end\n")
    git(
        tmp_path / "app",
        "commit",
        "--quiet",
        "--all",
        "--message",
        "Uploads are no longer cut where the other side is slow",
    )
    here = tmp_path / "here"
    shutil.copytree(ROOT / "selfplay", here / "selfplay", ignore=shutil.ignore_patterns("__pycache__"))
    commit_files(here, {"issue.md": "Uploads are cut.\n", "hints.jsonl": hint_rows(tmp_path / "app")})
    return here  # type: ignore[return-value]  pytest takes a value as well


def hint_rows(repo: Path) -> str:
    targets = '[{"path": "app/io.py"}]'
    task = f'{{"id": "t", "repo": "{repo}", "commit": "HEAD", "prompt": "{PROMPT}", "targets": {targets}}}'
    return f'{{"task": {task}, "shown": [], "hint": "Where do bytes come in?"}}\n'


def expand_glob(place: Path, word: str) -> list[Path] | list[str]:
    """A word as a shell would give it to the command."""
    return sorted(place.glob(word)) if "*" in word else [word]


def test_every_command_of_the_readme_works(place: Path) -> None:
    commands = shell_commands()
    assert set(commands) >= MADE_BY_CI
    with run_in_thread(LoopbackServer(reply_to)) as server:
        (place / "run.toml").write_text(re.sub(r"http://localhost:\d+/v1", server.base_url, settings_block()))
        for command in commands:
            if command in MADE_BY_CI:
                continue
            assert command.startswith("selfplay "), command
            filled = command.replace("http://localhost:8000/v1", server.base_url)
            filled = filled.replace("~/src/app", str(place / "../app"))
            words = [str(w) for word in shlex.split(filled) for w in expand_glob(place, word)]
            done = subprocess.run(
                [sys.executable, "-m", "selfplay", *words[1:]],
                cwd=place,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_links_of_the_readme_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", README):
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_two_screens_show_the_picture_the_two_commands_and_the_night() -> None:
    beginning, tour = README.split("## The tour")
    assert len(beginning.split("\n")) <= 80
    assert len(tour.split("\n")) > 20
    picture = beginning.split("```")[1]
    assert all(part in picture for part in ("player", "environment", "supervisor", "gate"))
    assert beginning.index("```") < beginning.index("make demo") < beginning.index("make test")
    assert beginning.index("make test") < beginning.index("selfplay batch")
