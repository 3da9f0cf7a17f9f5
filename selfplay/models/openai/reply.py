"""From a completion to a `ModelReply`: what servers really send is accepted, and each deviation is named as a fault.

What the model wrote stays as it wrote it. Tool calls that it wrote into its content as text stay content.
"""

import json
from collections.abc import Sequence
from typing import Any, cast

import orjson
from pydantic import JsonValue

from selfplay.core.message import Message, ToolCall
from selfplay.models.openai.response import (
    CalledFunction,
    ChatCompletion,
    CompletionChoice,
    MessagePart,
    ServerResponse,
    ToolCallPart,
    unusable_response_error,
)
from selfplay.models.protocol import FinishReason, ModelReply, ModelRequest
from selfplay.models.token_counts import estimate_usage, usage_of

FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "content_filter": "content_filter",
    "safety": "content_filter",
}
"""Reasons as servers write them, in lower case."""

BROKEN_OFF_REASONS = frozenset({"error", "abort", "aborted", "network_error", "insufficient_system_resource"})
"""Reasons that say the server, not the model, ended the reply."""


def reply_from_completion(response: ServerResponse, completion: ChatCompletion, request: ModelRequest) -> ModelReply:
    """A completion as a reply. Raises TransientModelError where there is nothing in it to use."""
    if not completion.choices:
        raise unusable_response_error(response, "no choices")
    choice = completion.choices[0]
    if choice.error or (choice.finish_reason or "").lower() in BROKEN_OFF_REASONS:
        raise unusable_response_error(response, f"a reply that it broke off ({choice.error or choice.finish_reason})")
    if choice.message is None:
        raise unusable_response_error(response, "a choice without a message")
    return build_reply(completion, choice, choice.message, request)


def build_reply(
    completion: ChatCompletion, choice: CompletionChoice, written: MessagePart, request: ModelRequest
) -> ModelReply:
    """The reply that a completion's choice amounts to. Source: docs/models.md, "What is read"."""
    faults: list[str] = []
    content, reasoning, refusal = _read_texts(written, faults)
    calls = _read_calls(written, request.turn, faults)
    finish = _read_finish_reason(choice.finish_reason, calls, faults)
    if finish in {"length", "content_filter"} and calls:
        faults.append(f"the reply ended ({finish}) within its last call, which is not carried out")
        calls[-1] = calls[-1].model_copy(update={"is_cut": True})
    if completion.choices and len(completion.choices) > 1:
        faults.append(f"{len(completion.choices)} choices came; the first is kept")
    message = Message(
        role="assistant", content=content, origin=request.origin, tool_calls=tuple(calls), reasoning=reasoning
    )
    return ModelReply(
        message=message,
        finish_reason=finish,
        refusal=refusal,
        usage=usage_of(completion.usage, request, message, faults),
        model=completion.model if isinstance(completion.model, str) else "",
        response_id=completion.id if isinstance(completion.id, str) else "",
        faults=tuple(faults),
        extra=_collect_extra(completion, choice, written),
    )


def unreadable_reply(request: ModelRequest, fault: str, content: str = "") -> ModelReply:
    """The reply for a call that failed through what the model wrote, with as much of that as the server gave."""
    message = Message(role="assistant", content=content, origin=request.origin)
    return ModelReply(message=message, finish_reason="other", usage=estimate_usage(request, message), faults=(fault,))


def _read_texts(written: MessagePart, faults: list[str]) -> tuple[str, str | None, str | None]:
    """Content, reasoning and refusal, wherever the server put them."""
    own = written.reasoning or written.reasoning_content
    thoughts = [own] if isinstance(own, str) else []
    refusals = [written.refusal] if written.refusal else []
    content = written.content
    if isinstance(content, list):
        faults.append("content came as a list of parts")
        texts: list[str] = []
        for part in content:
            _sort_part(part, texts, thoughts, refusals, faults)
        content = "".join(texts)
    return content or "", "\n".join(thoughts) or None, "\n".join(refusals) or None


def _sort_part(part: JsonValue, texts: list[str], thoughts: list[str], refusals: list[str], faults: list[str]) -> None:
    """Put one part of a content list where it belongs."""
    if isinstance(part, str):
        texts.append(part)
        return
    kind = part.get("type") if isinstance(part, dict) else None
    if isinstance(part, dict) and kind in {"thinking", "reasoning"}:
        thoughts.append(_flatten_text(part.get("thinking") or part.get("reasoning") or part.get("text")))
    elif isinstance(part, dict) and kind == "refusal":
        refusals.append(_flatten_text(part.get("refusal")))
    elif isinstance(part, dict) and isinstance(part.get("text"), str):
        texts.append(_flatten_text(part.get("text")))
    else:
        faults.append(f"a part of the content is no text and was left out ({kind or type(part).__name__})")


def _flatten_text(value: JsonValue) -> str:
    """The text of a part's value: a string, or a list of text parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(_flatten_text(v.get("text") if isinstance(v, dict) else v) for v in value)
    return ""


def _read_calls(written: MessagePart, turn: int, faults: list[str]) -> list[ToolCall]:
    parts: Sequence[ToolCallPart] = written.tool_calls or ()
    if not parts and written.function_call is not None:
        faults.append("the call came as a legacy function_call")
        parts = (ToolCallPart(function=written.function_call),)
    calls: list[ToolCall] = []
    for i, part in enumerate(parts):
        name, arguments = _read_call(part, i, faults)
        taken = {call.id for call in calls}
        call_id = part.id if isinstance(part.id, str) else ""
        if not call_id or call_id in taken:
            faults.append(f"call {i} has {'the id of another' if call_id else 'no id'}")
            call_id = _fresh_id(f"call_{turn}_{i}", taken)
        calls.append(ToolCall(id=call_id, name=name, arguments=arguments))
    return calls


def _fresh_id(wanted: str, taken: set[str]) -> str:
    while wanted in taken:
        wanted += "_"
    return wanted


def _read_call(part: ToolCallPart, i: int, faults: list[str]) -> tuple[str, str]:
    """Name and arguments of one call."""
    if part.function is None and part.custom is not None:
        faults.append(f"call {i} is a custom call: its input is text")
        name, arguments = part.custom.name, part.custom.input or ""
    else:
        function = part.function or CalledFunction()
        name, arguments = function.name, _read_arguments(function.arguments, i, faults)
    if not name:
        faults.append(f"call {i} names no tool")
    return name or "", arguments


def _read_arguments(value: JsonValue, i: int, faults: list[str]) -> str:
    """Arguments as text: as the model wrote them, or as compact JSON where the server had already read them."""
    if isinstance(value, str):
        return value
    if value is None:
        faults.append(f"call {i} came without arguments")
        return "{}"
    faults.append(f"arguments of call {i} came as {'an object' if isinstance(value, dict) else type(value).__name__}")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _read_finish_reason(reason: str | None, calls: Sequence[ToolCall], faults: list[str]) -> FinishReason:
    known = FINISH_REASONS.get((reason or "").lower())
    if known is None:
        faults.append(f"finish_reason {reason!r} is unknown" if reason else "no finish_reason")
        return "tool_calls" if calls and not reason else "other"
    if known == "stop" and calls:
        return "tool_calls"
    if known == "tool_calls" and not calls:
        faults.append(f"finish_reason {reason!r} without a call")
        return "stop"
    return known


def _collect_extra(completion: ChatCompletion, choice: CompletionChoice, written: MessagePart) -> dict[str, JsonValue]:
    """Fields beyond the protocol: the top level's as they are, the others' under `choice`, `message`, `usage`."""
    usage = completion.usage if isinstance(completion.usage, dict) else {}
    further: dict[str, JsonValue] = {
        "choice": choice.extra_fields,
        "message": {k: v for k, v in written.extra_fields.items() if k != "role"},
        "usage": {k: v for k, v in usage.items() if k not in TOTAL_KEYS and v not in (None, [], {})},
    }
    extra = {**completion.extra_fields, **{k: v for k, v in further.items() if v}}
    try:
        orjson.dumps(extra)
    except TypeError:  # an integer beyond 64 bits, which the journal can't hold
        return cast("dict[str, JsonValue]", _make_storable(extra))
    return extra


TOTAL_KEYS = frozenset({"prompt_tokens", "completion_tokens", "total_tokens"})


def _make_storable(value: Any) -> Any:  # noqa: ANN401  any JSON in, any JSON out
    if isinstance(value, dict):
        return {k: _make_storable(v) for k, v in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_make_storable(v) for v in cast("list[Any]", value)]
    return str(value) if isinstance(value, int) and value.bit_length() > 63 else value  # noqa: PLR2004  of a signed word
