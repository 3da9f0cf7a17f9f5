"""A model's opinion on which words of a player answer or lean on a hint: a second line behind the wordings."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from selfplay.clean.echoes import EchoFinding, EchoKind
from selfplay.config import VerdictMode
from selfplay.core.errors import ModelError, RequestRefused, ScriptError
from selfplay.core.message import Message, Origin
from selfplay.core.wire import encode_messages
from selfplay.episode.reply_forms import FALLBACK_MODE, ReplyForm, form_head, objects_in
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
    ask: Callable[[ModelRequest], Awaitable[ModelReply]],
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
    return load_prompt("echo_judge_text").fill(hint=_indent(hint or "(none)"), text=_indent(text))


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))


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
