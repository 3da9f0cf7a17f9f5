"""Bringing a run to an end in order: calls in flight are finished and written, none is begun any more."""

import anyio

from selfplay.core.errors import RunEnding


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
        """End the run. The first reason is the one that is told."""
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
