"""What an episode plays on and who plays it, and what its player is told at the beginning."""

import hashlib
from dataclasses import dataclass, field

from selfplay.config import RunConfig
from selfplay.core.task import Task
from selfplay.core.threads import ThreadPool, shared_thread_pool
from selfplay.episode.player import ModelCall
from selfplay.gate import Guard
from selfplay.models.prices import Price
from selfplay.prompts import load_prompt
from selfplay_tools.tools.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class Seats:
    """Who plays. `supervisor` None is a plain rollout: no verdicts, no hints, the production prompt."""

    player: ModelCall
    supervisor: ModelCall | None = None
    judge: ModelCall | None = None
    """The gate's second line, for supervised episodes; how it is asked is in the configuration."""
    player_price: Price | None = None
    supervisor_price: Price | None = None
    judge_price: Price | None = None


@dataclass(frozen=True, slots=True)
class EpisodeSetup:
    """What an episode plays on."""

    task: Task
    """With its targets checked against the repository: symbols have lines."""
    guard: Guard
    """What the gate guards, prepared from task and repository."""
    target_outline: str
    """The targets in outline, for the supervisor."""
    toolbox: Toolbox
    snapshot_id: str
    config: RunConfig
    attempt: int = 1
    """Which attempt at the task this is, from 1; hinted and unhinted ones are counted apart."""
    threads: ThreadPool = field(default_factory=shared_thread_pool)
    """Tools and gate run in these: a slow disk holds up none but those who read it."""


def advice_mark(setup: EpisodeSetup) -> str:
    """The mark of the supervisor's words in the `tool` channel.

    No text in the repository can hold it: it is made from the commit's id, which depends on that text.
    """
    seed = f"{setup.snapshot_id}\0{setup.task.brief.id}\0{setup.task.brief.prompt}"
    return f"[advice {hashlib.sha256(seed.encode()).hexdigest()[:16]}]"


def player_instructions(config: RunConfig, mark: str, *, is_supervised: bool) -> str:
    """The player's system prompt: the production prompt, and for a supervised episode what advice is."""
    if not is_supervised:
        return load_prompt("player").text
    tool = config.hints.channel == "tool"
    advice = load_prompt("advice_tool").fill(mark=mark) if tool else load_prompt("advice_user").fill()
    return f"{load_prompt('player').text}\n\n{advice}"
