"""What an episode is played in and who plays it, and how its player is instructed."""

import hashlib
from dataclasses import dataclass, field

from selfplay.config import RunConfig
from selfplay.core.task import Task
from selfplay.core.threads import ThreadPool, shared_thread_pool
from selfplay.environments.environment import Environment, EnvironmentKind
from selfplay.episode.player import ModelCall
from selfplay.gate import Guard
from selfplay.models.prices import Price
from selfplay.prompts import LIMITS_PROMPT, Prompt, load_all_prompts, load_prompt


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
    """What an episode is played in."""

    kind: EnvironmentKind
    environment: Environment
    guard: Guard
    """What no hint may reveal."""
    goal_outline: str
    """The goals in outline, for the supervisor."""
    config: RunConfig
    attempt: int = 1
    """Which attempt at the task this is, from 1; hinted and unhinted ones are counted apart."""
    threads: ThreadPool = field(default_factory=shared_thread_pool)
    """Tools and gate run in these: a slow disk holds up none but those who read it."""

    @property
    def prompts(self) -> dict[str, Prompt]:
        """The engine's prompts by name, with the environment's own in their place."""
        return {**engine_prompts(self.config), **self.environment.prompts()}

    @property
    def production_prompt(self) -> str:
        """The system prompt without supervisor: what a model trained on these episodes is used with."""
        text, limits = self.prompts["player"].text, self.config.limits
        if not limits.announce:
            return text
        announced = load_prompt(LIMITS_PROMPT).fill(turns=str(limits.steps), calls=str(limits.calls_per_turn))
        return f"{text}\n\n{announced}"

    @property
    def task(self) -> Task:
        """With its goals checked by the environment and made exact."""
        return self.environment.task


def engine_prompts(config: RunConfig) -> dict[str, Prompt]:
    """The engine's prompts that episodes with this configuration may use, by name."""
    announced = {LIMITS_PROMPT: load_prompt(LIMITS_PROMPT)} if config.limits.announce else {}
    return {**load_all_prompts(), **announced}


def advice_mark(setup: EpisodeSetup) -> str:
    """The mark of the supervisor's words in the `tool` channel.

    No text in the repository can hold it: it is made from the commit's id, which depends on that text.
    """
    seed = f"{setup.environment.id}\0{setup.task.brief.id}\0{setup.task.brief.prompt}"
    return f"[advice {hashlib.sha256(seed.encode()).hexdigest()[:16]}]"


def player_instructions(setup: EpisodeSetup, mark: str, *, is_supervised: bool) -> str:
    """The player's system prompt: the production prompt, and for a supervised episode what advice is."""
    if not is_supervised:
        return setup.production_prompt
    tool = setup.config.hints.channel == "tool"
    advice = load_prompt("advice_tool").fill(mark=mark) if tool else load_prompt("advice_user").fill()
    return f"{setup.production_prompt}\n\n{advice}"
