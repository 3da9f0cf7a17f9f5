"""What an episode is played in: one object per kind of task.

`EnvironmentKind` knows what holds for every task of its kind, also long after the episode: what counts as progress, and
what an answer is. `Environment` is one task's: its tools and their state, what the supervisor is told of the goals, and
what no hint may reveal. `selfplay.environments.registry` finds a task's kind.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

from selfplay.config import RunConfig
from selfplay.core.message import Message
from selfplay.core.task import Goal, Target, Task
from selfplay.core.threads import ThreadPool
from selfplay.core.trace import ToolResult
from selfplay.gate import Guard, ShownText
from selfplay.prompts import Prompt
from selfplay_tools.protocols import Snapshot
from selfplay_tools.tools.schema import Schema
from selfplay_tools.tools.tool import AnyTool, CallResult

ANSWER_TOOL = "finish"
"""The tool by which a player gives its answer, in every environment; its result's `answer` is not None."""

PROMPT_ROLES = ("player", "supervisor", "nudge_found", "nudge_incomplete")
"""Prompts whose words depend on what is searched: an environment may bring its own."""

Replay = Literal["recorded", "repeated"]
"""What becomes of a recorded call when an episode is resumed. `recorded`: its result is taken from the journal, for
tools that change nothing. `repeated`: it is carried out again, so that the tools' state is what it was, and the result
has to be the recorded one."""


class ToolSession(Protocol):
    """The tools of one episode."""

    async def call(self, name: str, arguments: str) -> CallResult:
        """Carry out one call; `arguments` is the JSON text of an object.

        What the player got wrong is a result with `ok=False`. Raises ToolsError for a fault of the tools, which ends
        the episode, and TransientModelError where they are out of reach: the episode is resumed later.
        """
        ...


class GoalProgress(Protocol):
    """Which goals an episode has reached so far. The engine decides this, not a model."""

    @property
    def found(self) -> frozenset[int]:
        """Positions of the goals reached so far, in `Answer.all_goals`."""
        ...

    def add(self, action: Message, results: Sequence[ToolResult]) -> tuple[int, ...]:
        """Take in a step: its calls and their results. The goals that it completed, in order."""
        ...


class Environment(Protocol):
    """One task's environment. Several episodes of the task may be played in it at the same time."""

    @property
    def task(self) -> Task:
        """The task, with its goals checked and made exact."""
        ...

    @property
    def id(self) -> str:
        """The same id and the same calls give the same results, or the environment says that it is not reproducible."""
        ...

    @property
    def replay(self) -> Replay:
        """What becomes of recorded calls when an episode is resumed."""
        ...

    def prompts(self) -> Mapping[str, Prompt]:
        """Prompts that stand here in the place of the engine's, by the engine's names (`PROMPT_ROLES`)."""
        ...

    def schemas(self) -> list[Schema]:
        """What the player may call, as function schemas, `finish` included; the same bytes every time."""
        ...

    def open_session(self, threads: ThreadPool) -> AbstractAsyncContextManager[ToolSession]:
        """The tools for one episode; what blocks is done in `threads`."""
        ...

    def describe_goals(self) -> str:
        """The goals in outline, as the supervisor is told of them. Blocking."""
        ...

    def make_guard(self) -> Guard:
        """What no hint may reveal. Blocking."""
        ...

    def note_shown(self, shown_text: ShownText, action: Message, result: ToolResult) -> None:
        """Note for the gate what a result has shown to the player, so that it is no secret any more."""
        ...


class EnvironmentKind(Protocol):
    """A kind of environment, by name: what holds for all tasks of that kind."""

    @property
    def name(self) -> str:
        """As tasks name it."""
        ...

    @property
    def uses_repository(self) -> bool:
        """Whether its tasks are about a commit of a repository, of which `make` is given a snapshot."""
        ...

    def make(
        self,
        task: Task,
        config: RunConfig,
        snapshot: Snapshot | None,
        where: str = "",
        tools: Sequence[AnyTool] | None = None,
    ) -> Environment:
        """The environment of a task; blocking. `where` begins error texts; `tools` were made of `config` before.

        Raises TaskError for goals that can't be reached here, and ConfigError for tools that can't be offered.
        """
        ...

    def make_progress(self, task: Task) -> GoalProgress:
        """Nothing reached yet."""
        ...

    def is_right(self, task: Task, answers: Sequence[ToolResult]) -> bool:
        """Whether these results answer with every goal. That each goal was reached is asked of the progress."""
        ...

    def list_surplus(self, task: Task, answer: ToolResult) -> tuple[str, ...]:
        """What the answer names that is no goal, sorted."""
        ...

    def count_named(self, answer: ToolResult) -> int:
        """How many things the answer names."""
        ...

    def list_unfound(self, task: Task, found: frozenset[int]) -> tuple[str, ...]:
        """Names of the goals not reached yet, as the gate's judge could guess them; empty where it can't be asked."""
        ...

    def shows_goal(self, goal: Target | Goal, action: Message, result: ToolResult) -> bool:
        """Whether this call, by itself, showed a goal or a part of one: where the goal's evidence chain ends."""
        ...
