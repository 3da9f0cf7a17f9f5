"""A small repository, tasks on it, and runs of them."""

from collections.abc import Sequence
from pathlib import Path

from selfplay.batch.episode_tally import prices_of, tally_of
from selfplay.batch.ledger import UnitLedgers, UnitLine
from selfplay.batch.run_folder import RunFolder
from selfplay.batch.settings import BatchSettings
from selfplay.batch.start import RunOrder, carry_out
from selfplay.batch.watch import RunSession, RunWatch
from selfplay.config import EpisodeLimits, HintConfig, RunConfig
from selfplay.core.task import Answer, Brief, Target, Task
from selfplay.core.task_rows import row_of
from selfplay.core.usage import Usage
from selfplay.journal.events import read_events
from tests.repositories import commit_files, make_git_dir
from tests.selfplay.episodes import FILES

PROMPTS = (
    ("release pressure when the tank is full", "pump/drain_valve.py"),
    ("fill the tank with every message", "pump/tank.py"),
    ("take messages in", "pump/inlet.py"),
    ("the guide says how messages come in", "docs/guide.md"),
)
CONFIG = RunConfig(hints=HintConfig(policy="when_stuck"), limits=EpisodeLimits(steps=12))


def make_repository(path: Path) -> Path:
    commit_files(make_git_dir(path), {name.encode(): text.encode() for name, text in FILES.items()})
    return path


def make_tasks(repo: Path, count: int, *, start: int = 0) -> tuple[tuple[str, Task], ...]:
    tasks: list[tuple[str, Task]] = []
    for number in range(start, start + count):
        prompt, target = PROMPTS[number % len(PROMPTS)]
        brief = Brief(id=f"t{number}", repo=str(repo), commit="main", prompt=f"{prompt}, case {number}")
        tasks.append((f"tasks.jsonl:{number + 1}", Task(brief=brief, answer=Answer(targets=(Target(path=target),)))))
    return tuple(tasks)


def write_tasks(path: Path, tasks: Sequence[tuple[str, Task]]) -> Path:
    path.write_text("".join(row_of(task).model_dump_json(exclude_defaults=True) + "\n" for _, task in tasks))
    return path


def make_order(
    tmp: Path,
    tasks: Sequence[tuple[str, Task]],
    *,
    config: RunConfig = CONFIG,
    settings: BatchSettings | None = None,
    name: str = "run",
) -> RunOrder:
    return RunOrder(tasks, RunFolder(tmp / name), config, settings or BatchSettings(at_once=4), tmp / "repos")


async def play_run(the_order: RunOrder, watch: RunWatch | None = None) -> RunSession:
    return await carry_out(the_order, watch, heeds_signals=False)


def read_ledger(the_order: RunOrder) -> dict[str, UnitLine]:
    ledgers = UnitLedgers(the_order.folder)
    ledgers.refresh()
    return ledgers.units


def digests(the_order: RunOrder) -> dict[str, str]:
    """What each unit came to."""
    return {unit: line.episodes[0].digest for unit, line in read_ledger(the_order).items()}


def count_ledger_lines(the_order: RunOrder) -> int:
    """Lines of all ledgers: one for each time that a unit came to an end."""
    texts = [path.read_bytes() for path in the_order.folder.ledgers.glob("*.jsonl")]
    return sum(bool(line.strip()) for text in texts for line in text.splitlines())


def read_journals(the_order: RunOrder) -> dict[str, bytes]:
    root = the_order.folder.episodes
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.jsonl"))}


def check_totals(the_order: RunOrder) -> None:
    """What the ledger says is what the journals say, call by call."""
    prices = prices_of(the_order.config)
    episodes = [episode for line in read_ledger(the_order).values() for episode in line.episodes]
    read = [tally_of(read_events(path), prices) for path in the_order.folder.episodes.rglob("*.jsonl")]
    assert sum(episode.calls for episode in episodes) == sum(tally.calls for tally in read)
    assert sum(episode.retries for episode in episodes) == sum(tally.retries for tally in read)
    assert sum((e.usage for e in episodes), Usage()) == sum((tally.spent.usage for tally in read), Usage())
