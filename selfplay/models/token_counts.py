"""Tokens of a call: as the server counted them, or estimated where it did not."""

from pydantic import JsonValue

from selfplay.core.message import Message
from selfplay.core.usage import Usage
from selfplay.models.protocol import ModelRequest

BYTES_PER_TOKEN = 3.5
"""Code and prose in UTF-8 take about 3.5 to 4.5 bytes per token; the low end, so that limits are kept."""

OUTPUT_BOUND_KEYS = ("max_completion_tokens", "max_tokens")
"""Where a request's head says how long the answer may be."""

MOST_TOKENS = 1 << 40
"""A count above this is no count."""


def usage_of(reported: JsonValue, request: ModelRequest, message: Message, faults: list[str]) -> Usage:
    """The usage that a server reported, with an estimate for each number that it did not report."""
    counts = reported if isinstance(reported, dict) else {}
    prompt, completion = _read_count(counts.get("prompt_tokens")), _read_count(counts.get("completion_tokens"))
    if prompt is None or completion is None:
        faults.append("usage is incomplete" if counts else "no usage")
    guess = estimate_usage(request, message) if prompt is None or completion is None else Usage()
    input_tokens = guess.input_tokens if prompt is None else prompt
    return Usage(
        input_tokens=input_tokens,
        cached_tokens=min(_read_cached_tokens(counts), input_tokens),
        output_tokens=guess.output_tokens if completion is None else completion,
        is_approximate=guess.is_approximate,
    )


def estimate_usage(request: ModelRequest, message: Message) -> Usage:
    """Tokens of a call, estimated by its bytes."""
    written = message.content + (message.reasoning or "") + "".join(c.name + c.arguments for c in message.tool_calls)
    return Usage(
        input_tokens=estimate_tokens(len(request.body())),
        output_tokens=estimate_tokens(len(written.encode())),
        is_approximate=True,
    )


def predict_usage(request: ModelRequest) -> Usage:
    """Tokens of a call before it is made, by its bytes, with the longest answer if the request bounds it."""
    longest = (_read_count(request.head.get(name)) for name in OUTPUT_BOUND_KEYS)
    return Usage(
        input_tokens=estimate_tokens(request.size),
        output_tokens=next((count for count in longest if count is not None), 0),
        is_approximate=True,
    )


def estimate_tokens(size: int) -> int:
    """Estimated tokens of `size` bytes of UTF-8, rounded up."""
    return int(-(-size // BYTES_PER_TOKEN))


def _read_count(value: JsonValue) -> int | None:
    """A number of tokens, or None where the value is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MOST_TOKENS else None


def _read_cached_tokens(counts: dict[str, JsonValue]) -> int:
    """Cached input: OpenAI, vLLM, SGLang and llama.cpp give it in details, DeepSeek and Moonshot at the top."""
    details = counts.get("prompt_tokens_details")
    named = details.get("cached_tokens") if isinstance(details, dict) else None
    for value in (named, counts.get("prompt_cache_hit_tokens"), counts.get("cached_tokens")):
        count = _read_count(value)
        if count is not None:
            return count
    return 0
