"""Finding files: tools over one commit, read-only; the goals are files, definitions and lines of it."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from selfplay.config import RunConfig
from selfplay.core.message import Message
from selfplay.core.task import FIND_FILES, Goal, Target, Task
from selfplay.core.threads import ThreadPool
from selfplay.core.trace import ToolResult
from selfplay.environments.environment import Replay
from selfplay.environments.find_files.targets import TargetProgress, describe_targets, resolve_targets
from selfplay.environments.find_files.toolset import make_tools, result_limits
from selfplay.gate import Guard, ShownText, prepare_guard
from selfplay.prompts import Prompt
from selfplay_tools.protocols import Snapshot
from selfplay_tools.tools.schema import Schema
from selfplay_tools.tools.tool import AnyTool, CallResult
from selfplay_tools.tools.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class ToolboxSession:
    """A toolbox whose calls run in threads; it changes nothing, so it has no state of an episode."""

    toolbox: Toolbox
    threads: ThreadPool

    async def call(self, name: str, arguments: str) -> CallResult:
        """As `ToolSession.call`."""
        return await self.threads.run(partial(self.toolbox.run, name, arguments))


@dataclass(frozen=True, slots=True)
class SearchEnvironment:
    """One task's search: tools over its snapshot."""

    task: Task
    toolbox: Toolbox
    replay: Replay = "recorded"

    @property
    def id(self) -> str:
        """The snapshot's identity."""
        return self.toolbox.snapshot.identity

    def prompts(self) -> Mapping[str, Prompt]:
        """None: the engine's own speak of files."""
        return {}

    def schemas(self) -> list[Schema]:
        """As `Environment.schemas`."""
        return self.toolbox.schemas()

    @asynccontextmanager
    async def open_session(self, threads: ThreadPool) -> AsyncGenerator[ToolboxSession]:
        """As `Environment.open_session`."""
        yield ToolboxSession(self.toolbox, threads)

    def describe_goals(self) -> str:
        """Each target with its definitions and its first lines, whichever tools the player has."""
        return describe_targets(self.task.answer, Toolbox(self.toolbox.snapshot))

    def make_guard(self) -> Guard:
        """Names and contents of the targets, against the rest of the repository."""
        return prepare_guard(self.task, self.toolbox.snapshot)

    def note_shown(self, shown_text: ShownText, action: Message, result: ToolResult) -> None:
        """Note for the gate what of files a result has shown.

        Only that: not the player's own words, nor a result's first line, which repeats what the player asked for. A
        guess must not become free for the supervisor to confirm.
        """
        del action
        if result.shown:
            shown_text.add(result.message.content, has_head=True)
        for part in result.shown:
            if part.how == "read":
                shown_text.mark_opened(part.path)


class FileSearch:
    """The kind of tasks that ask for files of a repository."""

    name = FIND_FILES
    uses_repository = True

    def make(
        self,
        task: Task,
        config: RunConfig,
        snapshot: Snapshot | None,
        where: str = "",
        tools: Sequence[AnyTool] | None = None,
    ) -> SearchEnvironment:
        """As `EnvironmentKind.make`: targets that name a symbol get its lines."""
        assert snapshot is not None  # noqa: S101  for the type checker: this kind uses a repository
        task = resolve_targets(pin_commit(task, snapshot), snapshot, where)
        offered = make_tools(config.tools) if tools is None else tools
        return SearchEnvironment(task, Toolbox(snapshot, offered, result_limits(config.tools)))

    def make_progress(self, task: Task) -> TargetProgress:
        """As `EnvironmentKind.make_progress`."""
        return TargetProgress(task.answer.targets)

    def is_right(self, task: Task, answers: Sequence[ToolResult]) -> bool:
        """Whether the answers name every target's file."""
        named = {file.path for result in answers for file in result.answer or ()}
        return named.issuperset(task.answer.paths)

    def list_surplus(self, task: Task, answer: ToolResult) -> tuple[str, ...]:
        """Files of the answer that are no targets, sorted."""
        return tuple(sorted({file.path for file in answer.answer or ()} - set(task.answer.paths)))

    def count_named(self, answer: ToolResult) -> int:
        """Files that the answer names, each once."""
        return len({file.path for file in answer.answer or ()})

    def list_unfound(self, task: Task, found: frozenset[int]) -> tuple[str, ...]:
        """Paths of files of which no target was found yet."""
        targets = task.answer.targets
        known = {targets[i].path for i in found}
        return tuple(dict.fromkeys(target.path for target in targets if target.path not in known))

    def shows_goal(self, goal: Target | Goal, action: Message, result: ToolResult) -> bool:
        """Whether lines of the target's file were shown."""
        del action
        return isinstance(goal, Target) and any(part.path == goal.path for part in result.shown)


def pin_commit(task: Task, snapshot: Snapshot) -> Task:
    """The task at exactly the commit that the snapshot shows."""
    kind, _, commit = snapshot.identity.partition(":")
    if kind != "git":
        return task
    return task.model_copy(update={"brief": task.brief.model_copy(update={"commit": commit})})
