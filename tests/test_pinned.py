"""What the engine writes, byte for byte: a change of these digests is a change of what users have on disk.

The runs are played by the command line in a fresh folder, scripted and heuristic. `python -m tests.test_pinned` prints
the digests of this tree.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

ROOT = Path(__file__).parents[1]
PINNED = Path(__file__).with_name("pinned.json")

FILES = {
    "README.md": "# pump\n\nMoves messages from here to there.\n",
    "pump/__init__.py": "",
    "pump/inlet.py": "from pump.tank import Tank\n\n\ndef take(message):\n    return Tank().fill(message)\n",
    "pump/tank.py": "class Tank:\n    def fill(self, message):\n        self.level = message\n        return message\n",
    "pump/drain_valve.py": "def release_pressure(tank):\n    # let everything out\n    return tank.level\n",
    "docs/guide.md": "# Guide\n\nMessages come in and go out.\n",
}
PROMPT = "count every message that is lost"
TARGETS = ("pump/tank.py", "pump/drain_valve.py")


def call(name: str, /, **arguments: object) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


PLAYER: list[dict[str, Any]] = [
    {"say": "I look around.", "calls": [call("list_dir", depth=2)]},
    {"say": "Where?", "calls": [call("search", query="message"), call("grep", pattern="lost|level")]},
    {"say": "I think."},
    {"say": "In it comes.", "calls": [call("read_file", path="pump/inlet.py"), call("outline", path="pump/inlet.py")]},
    {"say": "Thanks for the hint. A tank.", "calls": [call("read_file", path="pump/tank.py")]},
    {"say": "A name that is not there.", "calls": [call("read_file", path="pump/drain.py"), call("nothing", x=1)]},
    {"say": "Symbols.", "calls": [call("find_symbol", name="Tank"), call("find_references", name="fill")]},
    {
        "say": "There.",
        "calls": [call("find_files", pattern="**/*valve*"), call("read_file", path="pump/drain_valve.py")],
    },
    {"say": "Done.", "calls": [call("finish", files=[{"path": p, "reason": "read"} for p in TARGETS])]},
]
SUPERVISOR: list[dict[str, Any]] = [
    {"verdict": {"quality": "neutral", "why": "w", "hint": "Open pump/tank.py."}},
    {"verdict": {"quality": "neutral", "why": "w", "hint": "Where does it rest?"}},
    {"verdict": {"quality": "productive", "why": "w", "hint": "And where does it leave?"}},
    {"say": "no verdict"},
    {"verdict": {"quality": "wasteful", "why": "w", "hint": "Read on."}},
    {"verdict": {"quality": "neutral", "why": "w", "hint": "What happens to it inside?"}},
    {"verdict": {"quality": "productive", "why": "w", "hint": "What of the way out?"}},
    {"verdict": {"quality": "mistaken", "why": "w", "hint": "The name was a guess."}},
    {"verdict": {"quality": "productive", "why": "w", "hint": None}},
    {"verdict": {"quality": "productive", "why": "w", "hint": None}},
    {"verdict": {"quality": "productive", "why": "w", "hint": None}},
]
TASKS = (
    ("release pressure when the tank is full", "pump/drain_valve.py"),
    ("fill the tank with every message", "pump/tank.py"),
    ("take messages in", "pump/inlet.py"),
    ("the guide says how messages come in", "docs/guide.md"),
)


def start(folder: Path, *arguments: str) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "SELFPLAY_"))}
    environment |= {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tools'}", "COLUMNS": "100", "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "selfplay", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr + done.stdout
    return done.stdout


def git(folder: Path, *arguments: str) -> None:
    values = {"NAME": "a", "EMAIL": "a@example.org", "DATE": "2020-01-01T00:00:00Z"}
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in values.items()}
    subprocess.run(["git", "-C", str(folder), *arguments], env={**os.environ, **who}, capture_output=True, check=True)


def make_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def play_all(folder: Path) -> None:
    """Every kind of run, below `folder`: the repository is named, so that no path stands in what is written."""
    repo = folder / "repos" / "pump"
    for name, text in FILES.items():
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(text)
    git(repo, "init", "-q", "-b", "main")
    git(repo, "add", ".")
    git(repo, "commit", "-q", "-m", "pump")
    make_lines(folder / "player.jsonl", PLAYER)
    make_lines(folder / "supervisor.jsonl", SUPERVISOR)
    rows = [{"id": f"t{n}", "repo": "pump", "commit": "main", "prompt": p, "targets": [{"path": t}]}
            for n, (p, t) in enumerate(TASKS * 2)]  # fmt: skip
    rows[4]["targets"] = [{"path": "pump/drain_valve.py", "symbol": "release_pressure"}]
    make_lines(folder / "tasks.jsonl", rows)
    targets = [word for path in TARGETS for word in ("--target", path)]
    task = ("--repo", "pump", "--commit", "main", "--task", PROMPT, *targets, "--quiet", "--json")
    scripted = ("--player", "scripted:player.jsonl", "--supervisor", "scripted:supervisor.jsonl")
    start(folder, "run", *task, *scripted, "--out", "out/scripted")
    (folder / "tool.toml").write_text('[hints]\nchannel = "tool"\n')
    start(folder, "run", *task, *scripted, "--config", "tool.toml", "--out", "out/scripted-tool")
    for policy in ("every_step", "when_stuck", "after_miss", "never"):
        start(folder, "run", *task, "--policy", policy, "--out", f"out/{policy}")
    (folder / "run.toml").write_text('[judge]\nmodel = "heuristic"\n\n[limits]\nsteps = 12\n')
    start(folder, "batch", "tasks.jsonl", "--out", "out/batch", "--config", "run.toml", "--quiet")
    for name in ("batch", "scripted"):
        start(folder, "clean", f"out/{name}", "--repair", "offline")
    models = ("--player", "heuristic", "--supervisor", "heuristic", "--repair", "models", "--samples", "2", "--pairs")
    start(folder, "clean", "out/every_step", *models)
    for form in ("openai", "trl"):
        for name in ("batch", "scripted"):
            start(folder, "export", f"out/{name}", "--format", form, "-o", f"rows/{name}-{form}")
        start(folder, "export", "out/every_step", "--pairs", "--format", form, "-o", f"rows/pairs-{form}")


VOLATILE = ("at", "seconds", "selfplay")


def event_bytes(line: bytes) -> bytes:
    event = cast("dict[str, Any]", json.loads(line))
    return json.dumps({k: v for k, v in event.items() if k not in VOLATILE}).encode()


def digests(folder: Path) -> Iterator[tuple[str, str]]:
    """The file's place and its digest: of journals without times, of all else the bytes."""
    for path in sorted((folder / "out").rglob("*.jsonl")):
        data = path.read_bytes()
        if data.startswith(b'{"event":"start"'):
            data = b"\n".join(event_bytes(line) for line in data.splitlines())
            yield str(path.relative_to(folder)), hashlib.sha256(data).hexdigest()
    for part in ("rows", *(f"out/{name}/clean" for name in ("batch", "scripted", "every_step"))):
        for path in sorted((folder / part).rglob("*.json*")):
            if path.name != "funnel.json":  # how long cleaning took stands in it
                yield str(path.relative_to(folder)), hashlib.sha256(path.read_bytes()).hexdigest()


def played_digests() -> dict[str, str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        play_all(folder)
        return dict(digests(folder))


def test_what_is_written_is_what_was_written_before() -> None:
    assert played_digests() == json.loads(PINNED.read_text())


if __name__ == "__main__":
    print(json.dumps(played_digests(), indent=1))  # noqa: T201  what it is for
