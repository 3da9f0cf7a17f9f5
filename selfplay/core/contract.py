"""The contract: what a model is trained with and has to be used with, word for word.

It is written as `contract.json` beside every file of rows. Evaluation and production read it back, and `read_contract`
refuses one that was changed by hand: with another prompt or schema than in training the model is worse.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

import orjson
from pydantic import Field, JsonValue, ValidationError, field_validator

from selfplay.core.errors import InputError
from selfplay.core.message import ExtendedNoun, Noun

CONTRACT_VERSION = 1

ToolSchema = dict[str, JsonValue]
"""One tool in the form of OpenAI's function tools: `{"type": "function", "function": {"name", "parameters", ...}}`."""


Limit = Annotated[int, Field(ge=1)]


class ContextPolicy(ExtendedNoun):
    """What of the conversation the model gets to see at each of its turns, and how much that may be.

    The fields after `max_result_chars` are written only where they are set.
    """

    later_fields: ClassVar[frozenset[str]] = frozenset(
        {"max_lines", "max_rows", "max_turns", "max_calls_per_turn", "conversation_chars"}
    )

    keep: Literal["everything"] = "everything"
    """The whole conversation from its beginning; nothing is dropped or summarised."""
    earlier_reasoning: Literal["sent_back", "left_out"] = "sent_back"
    """Whether the reasoning of its earlier turns goes back to the model, as it did when the traces were played."""
    max_result_chars: Limit | None = None
    """A tool's result has at most so many characters; the tool itself says what it left out. None where it is not
    known: in traces from elsewhere."""
    max_lines: Limit | None = None
    """Lines that one call may read. None: as many as by default."""
    max_rows: Limit | None = None
    """Matching lines, files, paths or definitions in one result. None: as many as by default."""
    max_turns: Limit | None = None
    """Turns that the prompt speaks of; None where it speaks of none."""
    max_calls_per_turn: Limit | None = None
    """Calls of one turn that are carried out; the others get a result that says so. None: as many as by default."""
    conversation_chars: Limit | None = None
    """Characters of the messages of a request, as they are sent; the search ends before one that would have more."""


class Contract(Noun):
    """System prompt, tools and context policy, each with its hash."""

    version: Literal[1] = CONTRACT_VERSION
    tools_version: Annotated[str, Field(min_length=1)]
    """Release of `selfplay_tools` whose results the rows hold: another one may word results differently.
    `imported:FORMAT` for traces from elsewhere."""
    prompt: Annotated[str, Field(min_length=1)]
    """The production system prompt."""
    tools: Annotated[tuple[ToolSchema, ...], Field(min_length=1)]
    """In the order in which they are sent."""
    context: ContextPolicy

    @field_validator("tools")
    @classmethod
    def _require_functions(cls, tools: tuple[ToolSchema, ...]) -> tuple[ToolSchema, ...]:
        names = [tool_name(tool) for tool in tools]
        if len(set(names)) < len(names):
            raise ValueError(f"two tools of one name among {', '.join(names)}")
        return tools

    @property
    def hashes(self) -> dict[str, str]:
        """sha256 (hex) of the prompt's text, and of the tools' and the context policy's JSON as it is sent."""
        return {
            "prompt": _sha256(self.prompt.encode()),
            "tools": _sha256(orjson.dumps(self.tools)),
            "context": _sha256(orjson.dumps(self.context.model_dump())),
        }

    @property
    def sha256(self) -> str:
        """sha256 (hex) of all of it, versions included."""
        return _sha256(orjson.dumps(self.model_dump()))

    @property
    def json_text(self) -> bytes:
        """The content of `contract.json`: readable, and the same bytes for the same contract."""
        value = {**self.model_dump(), "sha256": {**self.hashes, "whole": self.sha256}}
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def tool_name(tool: Mapping[str, Any]) -> str:
    """The name of a function tool. Raises ValueError if it is none."""
    match tool:
        case {"type": "function", "function": {"name": str(name)}}:
            return name
        case _:
            raise ValueError(f"no function tool: {orjson.dumps(tool).decode()[:80]}")


def read_contract(data: bytes, where: str) -> Contract:
    """The contract in the content of a `contract.json`. Raises InputError, naming `where`, for any other content."""
    try:
        value = orjson.loads(data)
        stored_hashes = value.pop("sha256")
        contract = Contract.model_validate_json(orjson.dumps(value))
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValidationError) as error:
        raise InputError(f"{where}: no contract of version {CONTRACT_VERSION}: {error}") from None
    if stored_hashes != {**contract.hashes, "whole": contract.sha256}:
        raise InputError(
            f"{where}: changed after it was written (its hashes do not fit its content); "
            "use the file that lies beside the data that the model was trained on"
        )
    return contract


def describe_difference(one: Contract, other: Contract) -> str:
    """Where two contracts differ, in words, one part after the other; empty if nowhere."""
    return "; ".join(_find_differences(one, other))


def _find_differences(one: Contract, other: Contract) -> Iterator[str]:
    if one.prompt != other.prompt:
        yield _describe_prompt_difference(one.prompt.split("\n"), other.prompt.split("\n"))
    if orjson.dumps(one.tools) != orjson.dumps(other.tools):
        yield _describe_tools_difference(one.tools, other.tools)
    if one.context != other.context:
        yield f"context policy: {one.context.model_dump_json()} against {other.context.model_dump_json()}"
    if one.tools_version != other.tools_version:
        yield f"version of the tools: {one.tools_version} against {other.tools_version}"


def _describe_prompt_difference(one: Sequence[str], other: Sequence[str]) -> str:
    shared = min(len(one), len(other))
    at = next((i for i in range(shared) if one[i] != other[i]), shared)
    ours, theirs = (repr(lines[at]) if at < len(lines) else "its end" for lines in (one, other))
    return f"system prompt, line {at + 1}: {ours} against {theirs}"


def _describe_tools_difference(one: Sequence[ToolSchema], other: Sequence[ToolSchema]) -> str:
    ours, theirs = ({tool_name(t): orjson.dumps(t) for t in tools} for tools in (one, other))
    if set(ours) != set(theirs):
        return f"tools: {_join_names(ours.keys() - theirs.keys())} against {_join_names(theirs.keys() - ours.keys())}"
    changed = {name for name in ours if ours[name] != theirs[name]}
    return f"tools: the schemas of {_join_names(changed)} differ" if changed else "tools: in another order"


def _join_names(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none more"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
