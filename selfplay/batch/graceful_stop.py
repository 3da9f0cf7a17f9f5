"""Bringing a run to an end in order: calls in flight are finished and written, none is begun any more."""

import signal

import anyio
from anyio.abc import TaskGroup

from selfplay.core.errors import RunEnding

BUDGET_REASON = "the budget is used up"
"""How the reason of a run begins that ended because its budget is used up."""
INTERRUPTED_REASON = "interrupted"
"""How the reason of a run begins that was ended by a signal."""


class GracefulStop:
    """Whether the run is being ended, and why. Made within the event loop."""

    def __init__(self) -> None:
        self._begun = anyio.Event()
        self.reason = ""
        """Why; empty as long as the run goes on."""

    @property
    def has_begun(self) -> bool:
        """True from the moment on in which the run is being ended."""
        return self._begun.is_set()

    def begin(self, reason: str) -> None:
        """End the run. The first reason is the one that is reported."""
        self.reason = self.reason or reason
        self._begun.set()

    async def wait_until_begun(self) -> None:
        """Wait until the run is being ended."""
        await self._begun.wait()

    def raise_if_begun(self) -> None:
        """Raises RunEnding when the run is being ended: before each call of a model."""
        if self._begun.is_set():
            raise RunEnding(self.reason)

    async def sleep(self, seconds: float) -> None:
        """Wait; raises RunEnding as soon as the run is being ended."""
        with anyio.move_on_after(seconds):
            await self._begun.wait()
        self.raise_if_begun()

    async def wait_at_most(self, seconds: float) -> None:
        """Wait, shorter if the run is being ended."""
        with anyio.move_on_after(seconds):
            await self._begun.wait()


async def stop_after(seconds: float, graceful_stop: GracefulStop) -> None:
    """End the run in order after so many seconds: the time limit of its budget."""
    await anyio.sleep(seconds)
    graceful_stop.begin(f"{BUDGET_REASON}: {seconds:g} s of this session are over")


async def stop_on_signals(
    graceful_stop: GracefulStop,
    group: TaskGroup,
    *,
    task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """End the run in order at the first SIGINT or SIGTERM; cancel the group at one while it is being ended."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        async for number in signals:
            if graceful_stop.has_begun:
                group.cancel_scope.cancel()
                return
            graceful_stop.begin(f"{INTERRUPTED_REASON} by {signal.Signals(number).name}")
