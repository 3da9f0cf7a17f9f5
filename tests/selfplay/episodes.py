"""A small repository, and episodes on it with scripted models."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from selfplay.config import EpisodeLimits, HintConfig, JudgeConfig, RunConfig
from selfplay.core.task import Answer, Brief, Target, Task
from selfplay.core.trace import Trace
from selfplay.environments.find_files.environment import SearchEnvironment
from selfplay.episode.episode_setup import EpisodeSetup
from selfplay.episode.loop import play_episode
from selfplay.episode.play import set_up_episode
from selfplay.episode.seats import SeatModel, SeatModels
from selfplay.journal.events import Seat
from selfplay.journal.journal import EventWatcher, Journal
from selfplay.models.offline.scripted import ScriptedModel, ScriptLine
from selfplay.models.prices import FREE, Price
from selfplay.models.protocol import Model
from selfplay.models.retry import RetryPolicy
from selfplay_tools.protocols import Snapshot
from selfplay_tools.snapshot.directory import DirectorySnapshot

FILES = {
    "README.md": "# pump\n\nMoves messages from here to there.\n",
    "pump/__init__.py": "",
    "pump/inlet.py": "from pump.tank import Tank\n\n\ndef take(message):\n    return Tank().fill(message)\n",
    "pump/tank.py": "class Tank:\n    def fill(self, message):\n        self.level = message\n        return message\n",
    "pump/drain_valve.py": "def release_pressure(tank):\n    # let everything out\n    return tank.level\n",
    "docs/guide.md": "# Guide\n\nMessages come in and go out.\n",
}
TARGETS = ("pump/tank.py", "pump/drain_valve.py")
PROMPT = "count every message that is lost"


def make_files(root: Path) -> Path:
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def make_task(repo: Path, targets: Sequence[Target] = tuple(Target(path=p) for p in TARGETS)) -> Task:
    return Task(
        brief=Brief(id="pump-1", repo=str(repo), commit="worktree", prompt=PROMPT),
        answer=Answer(targets=tuple(targets), patch=None),
    )


@dataclass
class EpisodeFixture:
    """A stage with a folder for journals."""

    setup: EpisodeSetup
    path: Path

    async def play(
        self,
        player: Sequence[ScriptLine] | Model,
        supervisor: Sequence[ScriptLine] | Model | None,
        judge: Sequence[ScriptLine] | Model | None = None,
        *,
        is_used_up: bool = True,
        price: Price = FREE,
        watch: EventWatcher | None = None,
    ) -> Trace:
        """One episode. Scripts must be used up exactly, if not said otherwise."""
        helper = None if supervisor is None else make_seat("supervisor", supervisor, price)
        cast = SeatModels(
            make_seat("player", player, price), helper, None if judge is None else make_seat("judge", judge, price)
        )
        with Journal(self.path, watch) as journal:
            seats = cast.make_seats(is_supervised=supervisor is not None)
            trace = await play_episode("e", self.setup, seats, journal)
        for seat in (cast.player, cast.supervisor, cast.judge):
            if seat is not None and is_used_up:
                await seat.model.aclose()
        return trace


def snapshot_of(setup: EpisodeSetup) -> Snapshot:
    """What a search in files looks at."""
    assert isinstance(setup.environment, SearchEnvironment)
    return setup.environment.toolbox.snapshot


def make_seat(seat: Seat, lines: Sequence[ScriptLine] | Model, price: Price = FREE) -> SeatModel:
    model = ScriptedModel(lines) if isinstance(lines, Sequence) else lines
    policy = RetryPolicy(tries=3, first_wait_s=0.0)
    return SeatModel(seat, model, policy, price)


def episode_fixture(
    tmp_path: Path,
    *,
    hints: HintConfig | None = None,
    limits: EpisodeLimits | None = None,
    judge: JudgeConfig | None = None,
    targets: Sequence[Target] = tuple(Target(path=p) for p in TARGETS),
) -> EpisodeFixture:
    repo = tmp_path / "repo"
    if not repo.exists():
        make_files(repo)
    config = RunConfig(hints=hints or HintConfig(), limits=limits or EpisodeLimits(), judge=judge)
    stage = set_up_episode(make_task(repo, targets), DirectorySnapshot(repo), config)
    return EpisodeFixture(stage, tmp_path / "e.jsonl")
