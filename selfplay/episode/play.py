"""A task played as its hint policy says.

That is one episode, or for `after_miss` unhinted ones until one succeeds, and, if all fail, a hinted one.
"""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
from anyio import to_thread

from selfplay.config import RunConfig, episode_shaping_values
from selfplay.core.task import Task
from selfplay.core.task_rows import row_of
from selfplay.core.terminal_text import slug
from selfplay.core.trace import StopReason, Trace
from selfplay.environments.registry import kind_of
from selfplay.episode.episode_setup import EpisodeSetup
from selfplay.episode.loop import play_episode
from selfplay.episode.player import vary_seed
from selfplay.episode.seats import SeatModels
from selfplay.journal.journal import EventWatcher, Journal
from selfplay.repos.repositories import Repositories
from selfplay_tools.protocols import Snapshot
from selfplay_tools.tools.tool import AnyTool

MISS_REASONS = frozenset(
    {
        StopReason.GAVE_UP,
        StopReason.STEPS,
        StopReason.TOKENS,
        StopReason.TIME,
        StopReason.COST,
        StopReason.CONVERSATION,
    }
)
"""How an attempt ends that has failed by itself; a fault of models, tools or engine is none of these."""


@dataclass(frozen=True, slots=True)
class PlayedEpisode:
    """An episode that ended, and where its journal lies."""

    trace: Trace
    path: Path


def set_up_episode(
    task: Task,
    snapshot: Snapshot | None,
    config: RunConfig,
    where: str = "",
    tools: Sequence[AnyTool] | None = None,
) -> EpisodeSetup:
    """What an episode of this task is played in. Blocking. `tools` are those of the configuration, if made before.

    `snapshot` is None for an environment without a repository. Raises TaskError for goals that the environment has
    not, and ConfigError for tools that can't be offered.
    """
    kind = kind_of(task)
    environment = kind.make(task, config, snapshot, where, tools)
    return EpisodeSetup(
        kind=kind,
        environment=environment,
        guard=environment.make_guard(),
        goal_outline="" if config.hints.policy == "never" else environment.describe_goals(),
        config=config,
    )


@asynccontextmanager
async def open_setup(
    task: Task,
    config: RunConfig,
    repositories: Repositories,
    where: str = "",
    tools: Sequence[AnyTool] | None = None,
) -> AsyncGenerator[EpisodeSetup]:
    """As `set_up_episode`, in threads; a repository's snapshot is open as long as the block lasts.

    Raises RepositoryError too.
    """
    snapshot: Snapshot | None = None
    if kind_of(task).uses_repository:
        snapshot = await to_thread.run_sync(repositories.open, task.brief.repo, task.brief.commit)
    try:
        yield await to_thread.run_sync(set_up_episode, task, snapshot, config, where, tools)
    finally:
        if snapshot is not None:
            snapshot.close()


def episode_id(setup: EpisodeSetup, *, is_supervised: bool) -> str:
    """A readable name; what would make it another episode (task, settings, prompts, tools) makes it another name."""
    made_of = {
        "task": row_of(setup.task).model_dump(mode="json"),
        "snapshot": setup.environment.id,
        "config": episode_shaping_values(setup.config.model_dump(mode="json", exclude_defaults=True)),
        "prompts": {name: p.sha256 for name, p in setup.prompts.items()},
        "tools": setup.environment.schemas(),
        "supervised": is_supervised,
        "attempt": setup.attempt,
    }
    sha256 = hashlib.sha256(orjson.dumps(made_of, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return f"{slug(setup.task.brief.id)}-{sha256[:8]}"


async def play_task(
    setup: EpisodeSetup, seat_models: SeatModels, folder: Path, watch: EventWatcher | None = None, sample: int = 1
) -> tuple[PlayedEpisode, ...]:
    """Play a task as its hint policy says; an episode that was begun in `folder` is taken up, one that ended is read.

    `sample` tells several plays of the task apart, from 1: their episodes have other names and other seeds.

    Raises what `selfplay.episode.loop.play_episode` raises.
    """
    policy = setup.config.hints.policy
    if policy != "after_miss":
        setup = setup_for_attempt(setup, sample)
        return (await _play_attempt(setup, seat_models, folder, watch, is_supervised=policy != "never"),)
    played: list[PlayedEpisode] = []
    attempts = setup.config.hints.unhinted_attempts
    for number in range((sample - 1) * attempts + 1, sample * attempts + 1):
        played.append(
            await _play_attempt(setup_for_attempt(setup, number), seat_models, folder, watch, is_supervised=False)
        )
        stop = played[-1].trace.stop
        if stop is None or stop.reason not in MISS_REASONS:
            return tuple(played)
    played.append(await _play_attempt(setup_for_attempt(setup, sample), seat_models, folder, watch, is_supervised=True))
    return tuple(played)


def setup_for_attempt(setup: EpisodeSetup, number: int) -> EpisodeSetup:
    """The setup of the `number`-th attempt (from 1): a seed of the player's is raised by one for each."""
    player = setup.config.player
    body = {name: vary_seed(getattr(player, name), number - 1) for name in ("sampling", "extra_body")}
    config = setup.config.model_copy(update={"player": player.model_copy(update=body)})
    return replace(setup, attempt=number, config=config)


async def _play_attempt(
    setup: EpisodeSetup, seat_models: SeatModels, folder: Path, watch: EventWatcher | None, *, is_supervised: bool
) -> PlayedEpisode:
    episode = episode_id(setup, is_supervised=is_supervised)
    path = folder / f"{episode}.jsonl"
    with Journal(path, watch) as journal:
        trace = await play_episode(episode, setup, seat_models.make_seats(is_supervised=is_supervised), journal)
    return PlayedEpisode(trace, path)
