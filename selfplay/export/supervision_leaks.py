"""Look for what a supervisor leaves in a row that should know of none."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from selfplay.core.trace import Trace
from selfplay.export.row_models import (
    AssistantTurn,
    RowProblem,
    RowProblemKind,
    RowTurn,
    ToolTurn,
    UserTurn,
    walk_strings,
)

MIN_TEXT_CHARS = 20
"""Characters from which on a hint or nudge is looked for by its text; shorter ones are words that anyone uses."""
MIN_SENTENCE_WORDS = 5
"""Words from which on one sentence of several is looked for; signs of scripts without blanks are words."""
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|(?<=[\u3002\uff01\uff1f])|\n+")
_END_SIGNS = " .!?:;,\u2026\u3002\uff01\uff1f\"')]*`"


@dataclass(frozen=True, slots=True)
class Supervision:
    """What must not be in a row."""

    said: Sequence[str] = ()
    """Every hint and nudge of the trace."""
    mark: str = ""
    """What hints were marked with inside tool results, if they were."""


def supervision_of(trace: Trace, mark: str = "") -> Supervision:
    """What was said to the player of a trace."""
    return Supervision(said=tuple(m.content for step in trace.steps for m in step.messages_after), mark=mark)


def find_supervision(messages: Sequence[RowTurn], supervision: Supervision) -> Iterator[RowProblem]:
    """Places in a row that show that somebody helped."""
    for i, message in enumerate(messages):
        if i > 1 and isinstance(message, UserTurn):
            yield _problem_at(i, "a user turn after the task: only hints and nudges are spoken there")
        if supervision.mark and any(supervision.mark in text for _, text in walk_strings(message.model_dump())):
            yield _problem_at(i, "the mark of a hint inside a tool result")
    yield from _find_hint_texts(messages, supervision.said)


def _problem_at(number: int, text: str) -> RowProblem:
    return RowProblem(kind=RowProblemKind.SUPERVISION, where=f"messages[{number}]", text=text)


def _texts_to_find(messages: Sequence[RowTurn], said: Sequence[str]) -> list[str]:
    """The hints and nudges to look for: long enough, and not words of the task itself."""
    return _leave_out_task_words(messages, map(_normalize, said))


def _sentences_to_find(messages: Sequence[RowTurn], said: Sequence[str]) -> list[str]:
    """The same of their sentences, without the signs at their ends: the model may have put others there."""
    every = (_normalize(part).strip(_END_SIGNS) for text in said for part in _SENTENCE_END.split(text))
    return _leave_out_task_words(
        messages, (words for words in every if len(_WORD.findall(words)) >= MIN_SENTENCE_WORDS)
    )


def _leave_out_task_words(messages: Sequence[RowTurn], said: Iterable[str]) -> list[str]:
    task = next((_normalize(m.content) for m in messages if isinstance(m, UserTurn)), "")
    return [words for words in dict.fromkeys(said) if len(words) >= MIN_TEXT_CHARS and words not in task]


def _find_hint_texts(messages: Sequence[RowTurn], said: Sequence[str]) -> Iterator[RowProblem]:
    """Turns of the model that hold the words, or a sentence of them, and results that end with them.

    A result may hold them elsewhere: what the player reads can be the very file that the words stand in. A sentence
    that it has read there is its own to say.
    """
    wholes, sentences = _texts_to_find(messages, said), _sentences_to_find(messages, said)
    for i, message in enumerate(messages if wholes or sentences else ()):
        if isinstance(message, AssistantTurn):
            spoken = " ".join(_normalize(text) for _, text in walk_strings(_texts_of_turn(message)))
            heard = [words for words in wholes if words in spoken]
            heard += [words for words in sentences if words in spoken and not any(words in whole for whole in heard)]
        elif isinstance(message, ToolTurn):
            content = _normalize(message.content)
            heard = [words for words in wholes if content.endswith(words)]
            sentences = [words for words in sentences if words not in content]
        else:
            continue
        yield from (_problem_at(i, f"words of a hint or nudge: {words[:80]!r}") for words in heard)


def _texts_of_turn(turn: AssistantTurn[Any, Any]) -> list[object]:
    """Everything that the model wrote in a turn."""
    return [turn.content, getattr(turn, "reasoning_content", ""), *(call.values for call in turn.tool_calls)]


def _normalize(text: str) -> str:
    return " ".join(text.split()).casefold()
