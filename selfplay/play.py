"""A task played as its hint policy says.

That is one episode, or for `after_miss` unhinted ones until one succeeds, and, if all fail, a hinted one.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import orjson

from selfplay.casting import Cast
from selfplay.config import RunConfig, shaping
from selfplay.describe import describe
from selfplay.gate import prepare
from selfplay.journal import Journal, Watch
from selfplay.loop import play
from selfplay.player import nth
from selfplay.prompts import shipped
from selfplay.stage import Stage
from selfplay.task import Task
from selfplay.tasks import check_targets, row_of
from selfplay.toolset import toolset
from selfplay.trace import StopReason, Trace
from selfplay_tools.snapshot import Snapshot
from selfplay_tools.tool import AnyTool
from selfplay_tools.toolbox import Toolbox

MISSES = frozenset({StopReason.GAVE_UP, StopReason.STEPS, StopReason.TOKENS, StopReason.TIME, StopReason.COST})
"""How an attempt ends that has failed by itself; a fault of models, tools or engine is none of these."""


@dataclass(frozen=True, slots=True)
class Played:
    """An episode that ended, and where its journal lies."""

    trace: Trace
    path: Path


def pinned(task: Task, snapshot: Snapshot) -> Task:
    """The task at exactly the commit that the snapshot shows."""
    kind, _, commit = snapshot.identity.partition(":")
    if kind != "git":
        return task
    return task.model_copy(update={"brief": task.brief.model_copy(update={"commit": commit})})


def set_stage(
    task: Task, snapshot: Snapshot, config: RunConfig, where: str = "", tools: Sequence[AnyTool] | None = None
) -> Stage:
    """What an episode of this task plays on. Blocking. `tools` are those of the configuration, where they are there.

    Raises TaskError for targets that the snapshot has not, and ConfigError for tools that can't be offered.
    """
    task = check_targets(pinned(task, snapshot), snapshot, where)
    toolbox = Toolbox(snapshot, toolset(config.tools) if tools is None else tools)
    return Stage(
        task=task,
        secret=prepare(task, snapshot),
        about="" if config.hints.policy == "never" else describe(task.answer, toolbox),
        toolbox=toolbox,
        snapshot_id=snapshot.identity,
        config=config,
    )


def episode_id(stage: Stage, *, is_supervised: bool) -> str:
    """A readable name; what would make it another episode (task, settings, prompts, tools) makes it another name."""
    made_of = {
        "task": row_of(stage.task).model_dump(mode="json"),
        "snapshot": stage.snapshot_id,
        "config": shaping(stage.config.model_dump(mode="json", exclude_defaults=True)),
        "prompts": {name: p.sha256 for name, p in shipped().items()},
        "tools": stage.toolbox.schemas(),
        "supervised": is_supervised,
        "attempt": stage.attempt,
    }
    sha256 = hashlib.sha256(orjson.dumps(made_of, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return f"{slug(stage.task.brief.id)}-{sha256[:8]}"


def slug(text: str, max_chars: int = 48) -> str:
    """A text as part of a file name: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:max_chars].strip("-") or "task"


async def play_task(
    stage: Stage, cast: Cast, folder: Path, watch: Watch | None = None, sample: int = 1
) -> tuple[Played, ...]:
    """Play a task as its hint policy says; an episode that was begun in `folder` is taken up, one that ended is read.

    `sample` tells several plays of the task apart, from 1: their episodes have other names and other seeds.

    Raises what `selfplay.loop.play` raises.
    """
    policy = stage.config.hints.policy
    if policy != "after_miss":
        stage = attempt_at(stage, sample)
        return (await _play_one(stage, cast, folder, watch, is_supervised=policy != "never"),)
    played: list[Played] = []
    attempts = stage.config.hints.unhinted_attempts
    for number in range((sample - 1) * attempts + 1, sample * attempts + 1):
        played.append(await _play_one(attempt_at(stage, number), cast, folder, watch, is_supervised=False))
        stop = played[-1].trace.stop
        if stop is None or stop.reason not in MISSES:
            return tuple(played)
    played.append(await _play_one(attempt_at(stage, sample), cast, folder, watch, is_supervised=True))
    return tuple(played)


def attempt_at(stage: Stage, number: int) -> Stage:
    """The stage of the `number`-th attempt (from 1): a seed of the player's is raised by one for each."""
    player = stage.config.player
    body = {name: nth(getattr(player, name), number - 1) for name in ("sampling", "extra_body")}
    config = stage.config.model_copy(update={"player": player.model_copy(update=body)})
    return replace(stage, attempt=number, config=config)


async def _play_one(stage: Stage, cast: Cast, folder: Path, watch: Watch | None, *, is_supervised: bool) -> Played:
    episode = episode_id(stage, is_supervised=is_supervised)
    path = folder / f"{episode}.jsonl"
    with Journal(path, watch) as journal:
        trace = await play(episode, stage, cast.seats(journal, is_supervised=is_supervised), journal)
    return Played(trace, path)
