"""The echo judge as cleaning and audits ask it: a model beside the wordings, each text asked about once."""

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial

import anyio

from selfplay.casting import Role, role
from selfplay.clean.assist import Nobody
from selfplay.clean.echoes import EchoFinding
from selfplay.clean.samples import BudgetSpentError, Samples
from selfplay.config import Limits, RunConfig, SeatConfig
from selfplay.echo_judge import Judged, judge_echoes
from selfplay.errors import ContextTooLong, FatalModelError, ScriptError
from selfplay.models.protocol import Reply, Request
from selfplay.models.retry import complete


@dataclass(slots=True)
class EchoJudge:
    """A model that says which words answer or lean on a hint. Shared by all texts of a run."""

    role: Role
    config: SeatConfig
    in_flight: anyio.CapacityLimiter
    samples: Samples | None = None
    """Where answers are kept, and what keeps the budget; None asks every time."""
    faults: Counter[str] = field(default_factory=Counter[str], init=False)
    """Answers that could not be used, by what was wrong with them."""
    _broken: FatalModelError | None = field(default=None, init=False)
    _has_answered: bool = field(default=False, init=False)

    async def listen(self, text: str, hint: str | None) -> Judged:
        """What the model finds in a text. An answer that is not to be had, or not to be used, is a fault.

        Raises FatalModelError where its server never took a request: then it is the set-up that is wrong. Raises
        BudgetSpentError and JournalError as `Samples` does, and ScriptError.
        """
        seat = self.config
        ask: Callable[[Request], Awaitable[Reply]] = self._live
        if self.samples is not None:
            ask = self.samples.asking("judge", 0, self._live, self.role.price)
        head = {"model": seat.model_name, **seat.sampling, **seat.extra_body}
        judged = await judge_echoes(ask, text, hint, head=head, mode=seat.verdict_mode)
        if self._broken is not None and judged.faults and not self._ever_answered:
            raise self._broken
        self.faults.update(fault.partition(":")[0] for fault in judged.faults)
        return judged

    @property
    def _ever_answered(self) -> bool:
        return self._has_answered or (self.samples is not None and self.samples.has_answered("judge"))

    async def _live(self, request: Request) -> Reply:
        async with self.in_flight:
            try:
                reply = await complete(self.role.model, request, self.role.policy)
            except FatalModelError as error:
                self._broken = None if isinstance(error, ContextTooLong) else error
                raise
        self._has_answered = True
        return reply


@dataclass(slots=True)
class Listening(Nobody):
    """Assistants that only listen: no player and no supervisor is asked."""

    echo_judge: EchoJudge

    async def echoes(self, text: str, hint: str | None) -> tuple[EchoFinding, ...]:
        """What the judge finds; nothing for want of money."""
        return await heard_by(self.echo_judge, text, hint)


async def heard_by(judge: EchoJudge | None, text: str, hint: str | None) -> tuple[EchoFinding, ...]:
    """What a judge finds in a text; nothing without a judge, and for want of money."""
    if judge is None:
        return ()
    try:
        return (await judge.listen(text, hint)).findings
    except BudgetSpentError:
        return ()


def open_judge(
    config: SeatConfig,
    stack: AsyncExitStack,
    in_flight: anyio.CapacityLimiter,
    samples: Samples | None = None,
    max_usd: float | None = None,
) -> EchoJudge:
    """The judge that a configuration names, until the stack is left. Raises ConfigError."""
    run = RunConfig(limits=Limits(cost_usd=max_usd))
    judge = role("judge", config, run)
    stack.push_async_callback(partial(_close, judge))
    return EchoJudge(judge, config, in_flight, samples)


async def _close(judge: Role) -> None:
    """Close the model. Lines of a script that nobody asked for are no fault here."""
    with suppress(ScriptError):
        await judge.model.aclose()
