"""Plays an episode with scripted models in child processes, and kills them at given sizes of the journal.

    python -m tests.selfplay.episode.kill_driver FOLDER SEED COUNT

Prints one JSON object: digests of the uninterrupted and of each killed episode, and how many were killed half-way.
A process of its own, because it forks: nothing else runs in it.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random

import anyio

from selfplay.config import JudgeConfig
from selfplay.journal.replay import read_trace
from selfplay.models.offline.scripted import ScriptedModel, ScriptLine, call, judges, says
from selfplay.models.protocol import ModelReply, ModelRequest
from tests.selfplay.episodes import TARGETS, episode_fixture

PLAYER: Sequence[ScriptLine] = [
    says("I look around.", call("list_dir", depth=2)),
    says("What is a message here?", call("search", query="message"), call("grep", pattern="lost|level")),
    says("I think."),
    says("In it comes.", call("read_file", path="pump/inlet.py")),
    says("A tank.", call("read_file", path="pump/tank.py")),
    says("A name that is not there.", call("read_file", path="pump/drain.py")),
    says("There it is.", call("read_file", path="pump/drain_valve.py")),
    says("Done.", call("finish", files=[{"path": p, "reason": "read"} for p in TARGETS])),
]
SUPERVISOR: Sequence[ScriptLine] = [
    judges("neutral", "w", "Open pump/tank.py."),
    judges("neutral", "w", "Where does it rest?"),
    judges("productive", "w", "And where does it leave?"),
    says("no verdict"),
    judges("wasteful", "w", "Read on."),
    judges("neutral", "w", "What happens to it inside?"),
    judges("productive", "w", "What of the way out?"),
    judges("mistaken", "w", "The name was a guess."),
    judges("productive", "w", None),
    judges("productive", "w", None),
]


class SlowScriptedModel(ScriptedModel):
    """Takes long enough for a kill to fall between two events."""

    async def complete(self, request: ModelRequest) -> ModelReply:
        await anyio.sleep(0.003)
        return await super().complete(request)


JUDGE: Sequence[ScriptLine] = [says('{"why": "w", "files": []}')] * 40


def play(folder: Path) -> None:
    episode = episode_fixture(folder, judge=JudgeConfig(samples=2))
    anyio.run(
        partial(
            episode.play,
            SlowScriptedModel(PLAYER),
            SlowScriptedModel(SUPERVISOR),
            SlowScriptedModel(JUDGE),
            is_used_up=False,
        )
    )


def play_in_child(folder: Path) -> int:
    """Start playing in a child process; its id."""
    child = os.fork()
    if child == 0:
        try:
            play(folder)
        finally:
            os._exit(0)
    return child


def kill_at(folder: Path, size: int) -> bool:
    """Kill a child as soon as its journal has so many bytes; True if the episode was not over then."""
    child, journal = play_in_child(folder), folder / "e.jsonl"
    while not (os.waitpid(child, os.WNOHANG)[0] or (journal.exists() and journal.stat().st_size >= size)):
        pass
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        return False
    return not journal.read_bytes().count(b'{"event":"stop"')


def main(root: Path, seed: int, count: int) -> None:
    random = Random(seed)  # noqa: S311  picks moments
    play(root)
    whole, size = read_trace(root / "e.jsonl").digest, (root / "e.jsonl").stat().st_size
    digests: list[str] = []
    broken_off = 0
    for _ in range(count):
        (root / "e.jsonl").unlink()
        for _ in range(random.randint(1, 3)):
            broken_off += kill_at(root, random.randrange(size))
        os.waitpid(play_in_child(root), 0)
        digests.append(read_trace(root / "e.jsonl").digest)
    print(json.dumps({"whole": whole, "digests": digests, "broken_off": broken_off}))  # noqa: T201  what it is for


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
