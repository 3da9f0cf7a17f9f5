"""What units are played on: snapshots are opened once for all units of a commit, stages set in threads."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import anyio
from anyio import CapacityLimiter

from selfplay.batch.drain import Drain
from selfplay.batch.units import Unit
from selfplay.config import RunConfig
from selfplay.errors import RepositoryError, RunEnding
from selfplay.play import set_stage
from selfplay.repos import Repositories
from selfplay.stage import Stage
from selfplay.threads import Threads
from selfplay_tools.snapshot import Snapshot
from selfplay_tools.tool import AnyTool

OPENED_AT_ONCE = 4
"""Commits of one repository that are opened at the same time."""


@dataclass(slots=True)
class _Open:
    """A commit's snapshot, opened by the first who needs it and closed by the last."""

    users: int = 0
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    snapshot: Snapshot | None = None


class Desk:
    """Hands out stages. Made and used within one event loop."""

    def __init__(
        self, repositories: Repositories, config: RunConfig, tools: Sequence[AnyTool], threads: Threads
    ) -> None:
        self._repositories, self._config, self._tools = repositories, config, tools
        self._threads = threads
        self._is_over = False
        self._limiters: dict[str, CapacityLimiter] = {}
        self._open: dict[tuple[str, str], _Open] = {}

    @asynccontextmanager
    async def stage(self, unit: Unit) -> AsyncGenerator[Stage]:
        """What the unit is played on, as long as it is played. Raises RepositoryError, TaskError, ConfigError."""
        async with self._snapshot(unit.task.brief.repo, unit.task.brief.commit) as snapshot:
            stage = await self._threads.run(
                partial(set_stage, unit.task, snapshot, self._config, unit.where, self._tools)
            )
            yield replace(stage, threads=self._threads)

    async def _opened(self, repo: str, commit: str) -> Snapshot:
        try:
            return await anyio.to_thread.run_sync(self._repositories.open, repo, commit, limiter=self._opening(repo))
        except RepositoryError as error:
            if self._is_over:
                raise RunEnding(str(error)) from error
            raise

    def _opening(self, repo: str) -> CapacityLimiter:
        """Threads of the repository's own: its clone may take long, and nothing else must wait for it."""
        if repo not in self._limiters:
            self._limiters[repo] = CapacityLimiter(OPENED_AT_ONCE)
        return self._limiters[repo]

    async def break_off(self, drain: Drain) -> None:
        """Once the run is being ended, wait for no clone."""
        await drain.begun()
        self._is_over = True
        await anyio.to_thread.run_sync(self._repositories.break_off)

    @asynccontextmanager
    async def _snapshot(self, repo: str, commit: str) -> AsyncGenerator[Snapshot]:
        opened = self._open.setdefault((repo, commit), _Open())
        opened.users += 1
        try:
            async with opened.lock:
                if opened.snapshot is None:
                    opened.snapshot = await self._opened(repo, commit)
            yield opened.snapshot
        finally:
            opened.users -= 1
            if not opened.users:
                del self._open[repo, commit]
                if opened.snapshot is not None:
                    opened.snapshot.close()
