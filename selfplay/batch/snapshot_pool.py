"""What units are played in: a commit's snapshot is opened once for all its units, and set-ups are made in threads."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial

import anyio
from anyio import CapacityLimiter

from selfplay.batch.graceful_stop import GracefulStop
from selfplay.batch.units import WorkUnit
from selfplay.config import RunConfig
from selfplay.core.errors import RepositoryError, RunEnding
from selfplay.core.threads import ThreadPool
from selfplay.environments.registry import kind_of
from selfplay.episode.episode_setup import EpisodeSetup
from selfplay.episode.play import set_up_episode
from selfplay.repos.repositories import Repositories
from selfplay_tools.protocols import Snapshot
from selfplay_tools.tools.tool import AnyTool

MAX_CONCURRENT_OPENS = 4
"""Commits of one repository that are opened at the same time."""


@dataclass(slots=True)
class _SharedSnapshot:
    """A commit's snapshot, opened by the first who needs it and closed by the last."""

    users: int = 0
    lock: anyio.Lock = field(default_factory=anyio.Lock)
    snapshot: Snapshot | None = None


class SnapshotPool:
    """Sets up episodes; units of the same commit share its snapshot. Made and used within one event loop."""

    def __init__(
        self, repositories: Repositories, config: RunConfig, tools: Sequence[AnyTool], threads: ThreadPool
    ) -> None:
        self._repositories, self._config, self._tools = repositories, config, tools
        self._threads = threads
        self._is_over = False
        self._limiters: dict[str, CapacityLimiter] = {}
        self._open: dict[tuple[str, str], _SharedSnapshot] = {}

    @asynccontextmanager
    async def set_up(self, unit: WorkUnit) -> AsyncGenerator[EpisodeSetup]:
        """What the unit is played on, as long as it is played. Raises RepositoryError, TaskError, ConfigError."""
        brief = unit.task.brief
        uses_repository = kind_of(unit.task).uses_repository
        async with self._share_snapshot(brief.repo, brief.commit) if uses_repository else nullcontext() as snapshot:
            setup = await self._threads.run(
                partial(set_up_episode, unit.task, snapshot, self._config, unit.where, self._tools)
            )
            yield replace(setup, threads=self._threads)

    async def _open_snapshot(self, repo: str, commit: str) -> Snapshot:
        try:
            return await anyio.to_thread.run_sync(
                self._repositories.open, repo, commit, limiter=self._clone_limiter_of(repo)
            )
        except RepositoryError as error:
            if self._is_over:
                raise RunEnding(str(error)) from error
            raise

    def _clone_limiter_of(self, repo: str) -> CapacityLimiter:
        """Threads of the repository's own: its clone may take long, and nothing else must wait for it."""
        if repo not in self._limiters:
            self._limiters[repo] = CapacityLimiter(MAX_CONCURRENT_OPENS)
        return self._limiters[repo]

    async def abort_clones_on_stop(self, graceful_stop: GracefulStop) -> None:
        """Once the run is being ended, wait for no clone."""
        await graceful_stop.wait_until_begun()
        self._is_over = True
        await anyio.to_thread.run_sync(self._repositories.break_off)

    @asynccontextmanager
    async def _share_snapshot(self, repo: str, commit: str) -> AsyncGenerator[Snapshot]:
        opened = self._open.setdefault((repo, commit), _SharedSnapshot())
        opened.users += 1
        try:
            async with opened.lock:
                if opened.snapshot is None:
                    opened.snapshot = await self._open_snapshot(repo, commit)
            yield opened.snapshot
        finally:
            opened.users -= 1
            if not opened.users:
                del self._open[repo, commit]
                if opened.snapshot is not None:
                    opened.snapshot.close()
