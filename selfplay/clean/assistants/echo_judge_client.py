"""The echo judge as cleaning and audits ask it: a model beside the wordings, each text asked about once."""

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from functools import partial

import anyio

from selfplay.clean.assistants.echo_judge import EchoJudgement, judge_echoes
from selfplay.clean.assistants.protocol import NoAssistants
from selfplay.clean.assistants.reply_cache import BudgetSpentError, ReplyCache
from selfplay.clean.echoes import EchoFinding
from selfplay.config import EpisodeLimits, RunConfig, SeatConfig
from selfplay.core.errors import ContextTooLong, FatalModelError, ScriptError
from selfplay.episode.seats import SeatModel, make_seat_model
from selfplay.models.protocol import ModelReply, ModelRequest
from selfplay.models.retry import complete_with_retries


@dataclass(slots=True)
class EchoJudgeClient:
    """A model that says which words answer or lean on a hint. Shared by all texts of a run."""

    role: SeatModel
    config: SeatConfig
    in_flight: anyio.CapacityLimiter
    samples: ReplyCache | None = None
    """Where answers are kept, and what keeps the budget; None asks every time."""
    faults: Counter[str] = field(default_factory=Counter[str], init=False)
    """Answers that could not be used, by what was wrong with them."""
    _broken: FatalModelError | None = field(default=None, init=False)
    _has_answered: bool = field(default=False, init=False)

    async def ask(self, text: str, hint: str | None) -> EchoJudgement:
        """What the model finds in a text. An answer that is not to be had, or not to be used, is a fault.

        Raises FatalModelError where its server never took a request: then it is the set-up that is wrong. Raises
        BudgetSpentError and JournalError as `Samples` does, and ScriptError.
        """
        seat = self.config
        ask: Callable[[ModelRequest], Awaitable[ModelReply]] = self._call_model
        if self.samples is not None:
            ask = self.samples.make_cached_ask("judge", 0, self._call_model, self.role.price)
        head = {"model": seat.model_name, **seat.sampling, **seat.extra_body}
        judged = await judge_echoes(ask, text, hint, head=head, mode=seat.verdict_mode)
        if self._broken is not None and judged.faults and not self._has_ever_answered:
            raise self._broken
        self.faults.update(fault.partition(":")[0] for fault in judged.faults)
        return judged

    @property
    def _has_ever_answered(self) -> bool:
        return self._has_answered or (self.samples is not None and self.samples.has_answered("judge"))

    async def _call_model(self, request: ModelRequest) -> ModelReply:
        async with self.in_flight:
            try:
                reply = await complete_with_retries(self.role.model, request, self.role.policy)
            except FatalModelError as error:
                self._broken = None if isinstance(error, ContextTooLong) else error
                raise
        self._has_answered = True
        return reply


@dataclass(slots=True)
class EchoJudgeAssistants(NoAssistants):
    """Assistants that only listen: no player and no supervisor is asked."""

    echo_judge: EchoJudgeClient

    async def find_echoes(self, text: str, hint: str | None) -> tuple[EchoFinding, ...]:
        """What the judge finds; nothing for want of money."""
        return await ask_echo_judge(self.echo_judge, text, hint)


async def ask_echo_judge(judge: EchoJudgeClient | None, text: str, hint: str | None) -> tuple[EchoFinding, ...]:
    """What a judge finds in a text; nothing without a judge, and for want of money."""
    if judge is None:
        return ()
    try:
        return (await judge.ask(text, hint)).findings
    except BudgetSpentError:
        return ()


def open_echo_judge(
    config: SeatConfig,
    stack: AsyncExitStack,
    in_flight: anyio.CapacityLimiter,
    samples: ReplyCache | None = None,
    max_usd: float | None = None,
) -> EchoJudgeClient:
    """The judge that a configuration names, until the stack is left. Raises ConfigError."""
    run = RunConfig(limits=EpisodeLimits(cost_usd=max_usd))
    judge = make_seat_model("judge", config, run)
    stack.push_async_callback(partial(_close_model, judge))
    return EchoJudgeClient(judge, config, in_flight, samples)


async def _close_model(judge: SeatModel) -> None:
    """Close the model. Lines of a script that nobody asked for are no fault here."""
    with suppress(ScriptError):
        await judge.model.aclose()
