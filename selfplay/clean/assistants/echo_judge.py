"""The echo judge: a model that says which words of a player answer or lean on a hint, beside the wordings.

`judge_echoes` asks about one text and reads the reply; `EchoJudgeClient` is the judge as cleaning and audits use it,
with retries, a budget and each text asked about once.
"""

from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import anyio

from selfplay.clean.assistants.protocol import NoAssistants
from selfplay.clean.assistants.reply_cache import BudgetSpentError, ReplyCache
from selfplay.clean.echoes import EchoFinding, EchoKind
from selfplay.config import EpisodeLimits, RunConfig, SeatConfig, VerdictMode
from selfplay.core.errors import ContextTooLong, FatalModelError, ModelError, RequestRefused, ScriptError
from selfplay.core.message import Message, Origin
from selfplay.core.wire import encode_messages
from selfplay.episode.player import ModelCall
from selfplay.episode.reply_forms import FALLBACK_MODE, ReplyForm, form_head, objects_in
from selfplay.episode.seats import SeatModel, make_seat_model
from selfplay.episode.supervisor import indent
from selfplay.models.protocol import ModelReply, ModelRequest
from selfplay.prompts import load_prompt

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "echoes": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "kind": {"type": "string", "enum": [kind.value for kind in EchoKind]},
                    "quote": {"type": "string", "description": "The exact words."},
                },
                "required": ["kind", "quote"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["echoes"],
    "additionalProperties": False,
}
ECHOES = ReplyForm("echoes", "quote_echoes", "Quote what answers or leans on advice.", SCHEMA)


@dataclass(frozen=True, slots=True)
class EchoJudgement:
    """What the judge found, and what went wrong with it."""

    findings: tuple[EchoFinding, ...] = ()
    faults: tuple[str, ...] = ()
    """A reply that can't be read, a quotation that is not in the text, a server that fails: none of it is a finding."""


async def judge_echoes(
    ask: ModelCall,
    text: str,
    hint: str | None,
    *,
    head: Mapping[str, Any] | None = None,
    mode: VerdictMode = "auto",
) -> EchoJudgement:
    """The echoes that a model finds in a player's text, in order of place; each quotes the text exactly.

    `ask` makes the call, with its retries; `head` is what its requests begin with (model, sampling). `mode` is how the
    reply is asked for; `auto` falls back where the server refuses. A failure is a fault in words, never a finding.
    Raises ScriptError: a script that ends too early is no failure of a model.
    """
    if not text.strip():
        return EchoJudgement()
    messages = (
        Message(role="system", content=load_prompt("echo_judge").text, origin=Origin.PROMPT),
        Message(role="user", content=_fill_question(text, hint), origin=Origin.REPORT),
    )
    way: VerdictMode = "json_schema" if mode == "auto" else mode
    while True:
        full = {**(head or {}), **form_head(way, ECHOES)}
        try:
            return read_echoes(
                await ask(ModelRequest(full, tuple(encode_messages(messages)), turn=0, origin=Origin.JUDGE)), text
            )
        except ScriptError:
            raise
        except ModelError as error:
            if not (isinstance(error, RequestRefused) and mode == "auto" and way in FALLBACK_MODE):
                return EchoJudgement(faults=(f"the judge gave no answer: {error}",))
            way = FALLBACK_MODE[way]


def _fill_question(text: str, hint: str | None) -> str:
    return load_prompt("echo_judge_text").fill(hint=indent(hint or "(none)"), text=indent(text))


def read_echoes(reply: ModelReply, text: str) -> EchoJudgement:
    """The findings in a reply: the last object with `echoes` counts, and of it what quotes the text exactly."""
    if reply.refusal:
        return EchoJudgement(faults=(f"the judge refused: {reply.refusal}",))
    sources = [*(call.arguments for call in reply.message.tool_calls), reply.message.content]
    objects = [value for source in sources for value in objects_in(source) if "echoes" in value]
    items: object = objects[-1]["echoes"] if objects else None
    if not isinstance(items, list):
        return EchoJudgement(faults=("the judge's reply holds no list of echoes",))
    read = [_read_item(item, text) for item in cast("list[object]", items)]
    found = {(f.span, f.kind): f for f in read if isinstance(f, EchoFinding)}
    return EchoJudgement(
        findings=tuple(found[key] for key in sorted(found)), faults=tuple(f for f in read if isinstance(f, str))
    )


def _read_item(item: object, text: str) -> EchoFinding | str:
    """A finding, or what is wrong with the item."""
    match item:
        case {"kind": str(kind), "quote": str(quote)} if kind in set(EchoKind) and quote.strip():
            start = text.find(quote)
            if start < 0:
                return f"the judge quotes what is not in the text: {quote[:80]!r}"
            return EchoFinding(kind=EchoKind(kind), text=quote, span=(start, start + len(quote)))
        case _:
            return f"the judge's list holds what is no echo: {str(item)[:80]!r}"


@dataclass(slots=True)
class EchoJudgeClient:
    """The judge's model. Shared by all texts of a run."""

    seat: SeatModel
    config: SeatConfig
    in_flight: anyio.CapacityLimiter
    samples: ReplyCache | None = None
    """Where answers are kept, and what keeps the budget; None asks every time."""
    faults: Counter[str] = field(default_factory=Counter[str], init=False)
    """Answers that could not be used, by what was wrong with them."""
    _broken: FatalModelError | None = field(default=None, init=False)
    _has_answered: bool = field(default=False, init=False)

    async def ask(self, text: str, hint: str | None) -> EchoJudgement:
        """What the model finds in a text. An answer that can't be had, or can't be used, is a fault.

        Raises FatalModelError where its server never took a request: then it is the set-up that is wrong. Raises
        BudgetSpentError and JournalError as `ReplyCache` does, and ScriptError.
        """
        ask: ModelCall = self._call_model
        if self.samples is not None:
            ask = self.samples.make_cached_ask("judge", 0, self._call_model, self.seat.price)
        head = {"model": self.config.model_name, **self.config.sampling, **self.config.extra_body}
        judged = await judge_echoes(ask, text, hint, head=head, mode=self.config.verdict_mode)
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
                reply = await self.seat.ask(request)
            except FatalModelError as error:
                self._broken = None if isinstance(error, ContextTooLong) else error
                raise
        self._has_answered = True
        return reply


@dataclass(slots=True)
class EchoJudgeAssistants(NoAssistants):
    """Assistants with nothing but an echo judge: no player and no supervisor is asked."""

    echo_judge: EchoJudgeClient

    async def find_echoes(self, text: str, hint: str | None) -> tuple[EchoFinding, ...]:
        """What the judge finds; nothing once the budget is spent."""
        return await ask_echo_judge(self.echo_judge, text, hint)


async def ask_echo_judge(judge: EchoJudgeClient | None, text: str, hint: str | None) -> tuple[EchoFinding, ...]:
    """What a judge finds in a text; nothing without a judge, and once the budget is spent."""
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
    stack.push_async_callback(close_seat_model, judge)
    return EchoJudgeClient(judge, config, in_flight, samples)


async def close_seat_model(seat: SeatModel) -> None:
    """Close a seat's model. Lines of a script that were not used are no fault here."""
    with suppress(ScriptError):
        await seat.model.aclose()
